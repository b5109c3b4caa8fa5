"""Pictures of what was learned, as PNG files; matplotlib draws them without a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.learning.assignment import UNUSUAL, assign
from stream_app.learning.scale import scaled
from stream_app.learning.scorers import Centroids
from stream_app.learning.snapshot import Model
from stream_app.report.extra import require_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_DPI: Final = 100
#: Characters in a line of a segment's name, and names beside each other.
_LINE: Final = 36
_ABREAST: Final = 2
_MARGIN: Final = timedelta(days=3)
#: Beyond so many spreads from the median all cells have the same colour.
_FAR: Final = 3.0
_GREY: Final = "#999999"
_COLOURS: Final = 64
#: Cohorts that a line is a mean over, where there are many.
_SMOOTH: Final = 7
_MANY: Final = 60


def centroids_heat_map(model: Model, path: Path) -> None:
    """Draw the segments' centres: a row a segment, a column a feature, in spreads from the median.

    ValueError for a model that is none of segments, as with `sizes` and `components`.
    """
    centroids = _centroids(model)
    centre = np.array(centroids.centre)
    k, width = centre.shape
    figure, axes = _figure(4.6 + 0.8 * width, 2.4 + 0.5 * k)
    image = axes.imshow(centre, cmap="RdBu_r", vmin=-_FAR, vmax=_FAR, aspect="auto")
    axes.set_xticks(range(width), centroids.names, rotation=30, ha="right")
    axes.set_yticks(range(k), _rows(centroids))
    for i, j in np.ndindex(k, width):
        colour = "white" if abs(centre[i, j]) > 0.6 * _FAR else "black"
        # Not -0.0.
        axes.text(
            j,
            i,
            f"{np.round(centre[i, j], 1) + 0:.1f}",
            ha="center",
            va="center",
            color=colour,
            fontsize=8,
        )
    figure.colorbar(image, ax=axes, label="spreads from the median")
    axes.set_title(f"Segments of {_day(model.created_at)}")
    _save(figure, path)


def sizes(models: Sequence[Model], path: Path) -> None:
    """Draw each segment's share of users from one version of the model to the next."""
    shares: dict[str, list[tuple[datetime, float]]] = {}
    labels: dict[str, str] = {}
    for model in models:
        centroids = _centroids(model)
        total = max(1, sum(centroids.sizes))
        labels |= dict(zip(centroids.ids, _rows(centroids), strict=True))
        for name, size in zip(centroids.ids, centroids.sizes, strict=True):
            shares.setdefault(name, []).append((_moment(model.created_at), size / total))
    figure, axes = _figure(8, 4)
    for name, points in shares.items():
        at, share = zip(*points, strict=True)
        axes.plot(at, share, marker=".", linewidth=1, color=_colour(name), label=labels[name])
    moments = [_moment(model.created_at) for model in models]
    _dates(axes, min(moments) - _MARGIN, max(moments) + _MARGIN)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("share of users")
    axes.set_title("Sizes of segments")
    _finish(figure, axes, path)


def components(model: Model, vectors: Floats, path: Path) -> None:
    """Draw vectors (n, c) of `model.columns` by their first two principal components.

    Colours are segments; those who are `unusual` are grey.
    """
    centroids = _centroids(model)
    values = vectors[:, [model.columns.index(name) for name in centroids.names]]
    labels = np.array(assign(centroids, values))
    points, explained = _principal(
        scaled(values, np.array(centroids.median), np.array(centroids.spread))
    )
    figure, axes = _figure(6.5, 5)
    for name, label in zip((*centroids.ids, UNUSUAL), (*_rows(centroids), UNUSUAL), strict=True):
        x, y = points[labels == name].T
        axes.scatter(x, y, s=6, alpha=0.6, color=_colour(name), label=label)
    axes.set_xlabel(f"first component ({explained[0]:.0%} of the variance)")
    axes.set_ylabel(f"second component ({explained[1]:.0%})")
    axes.set_title(f"Users by segment, {_day(model.created_at)}")
    _finish(figure, axes, path)


def auc_by_cohort(
    task: str, at: Sequence[int], lines: Mapping[str, Sequence[float | None]], path: Path
) -> None:
    """Draw AUC inside cohorts (n,) sampled at `at` (ms): a line a name, the first one thicker.

    Of many cohorts each point is the mean of seven.
    """
    figure, axes = _figure(8, 4)
    span = _SMOOTH if len(at) > _MANY else 1
    for i, (name, values) in enumerate(lines.items()):
        numbers = np.array([np.nan if value is None else value for value in values])
        days, means = (_means(one, span) for one in (np.array(at, dtype=np.float64), numbers))
        moments = days.astype("datetime64[ms]")
        axes.plot(moments, means, linewidth=2 if i == 0 else 1, zorder=9 - i, label=name)
    _dates(axes, _moment(min(at)) - _MARGIN, _moment(max(at)) + _MARGIN)
    axes.set_ylabel("AUC inside cohorts" + (f", mean of {span}" if span > 1 else ""))
    axes.set_title(task)
    _finish(figure, axes, path)


def _means(values: Floats, span: int) -> Floats:
    """The means of every `span` values (n,) in a row; NaN where one of them is."""
    found: Floats = np.convolve(values, np.full(span, 1 / span), mode="valid")
    return found


def _centroids(model: Model) -> Centroids:
    if not isinstance(model.scorer, Centroids):
        raise ValueError(f"{model.task} {model.version} is a model of kind {model.kind}")
    return model.scorer


def _rows(centroids: Centroids) -> list[str]:
    # What segments are called in words.
    words: Sequence[str] = getattr(centroids, "labels", None) or [""] * len(centroids.ids)
    return [
        fill(f"{name} {word}".strip(), _LINE)
        for name, word in zip(centroids.ids, words, strict=True)
    ]


def _colour(segment: str) -> str | None:
    """The same for a segment in every picture, as long as it keeps its id."""
    if segment == UNUSUAL:
        return _GREY
    number = segment.removeprefix("s")
    return f"C{(int(number) - 1) % 10}" if number.isdecimal() else None


def _principal(z: Floats) -> tuple[Floats, Floats]:
    """Return vectors (n, w) by their first two components (n, 2), and these's share of variance."""
    centred = np.column_stack([z, np.zeros(len(z))])
    centred = centred - centred.mean(axis=0)
    _, size, directions = np.linalg.svd(centred, full_matrices=False)
    # The sign of a component is arbitrary: its largest entry is positive.
    directions = directions[:2]
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[np.arange(len(directions)), largest])[:, None]
    total = float((size**2).sum()) or 1.0
    points: Floats = centred @ directions.T
    return points, size[:2] ** 2 / total


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    require_extra()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    return figure, figure.subplots()


def _finish(figure: Figure, axes: Axes, path: Path) -> None:
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    # Below, because names in words would take the width from the picture.
    _, names = axes.get_legend_handles_labels()
    lines = sum(name.count("\n") + 1 for name in names) / _ABREAST
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.2 + 0.18 * lines)
    figure.legend(loc="outside lower left", frameon=False, fontsize=8, ncols=_ABREAST)
    _save(figure, path)


def _dates(axes: Axes, first: datetime, last: datetime) -> None:
    """Have the x axis go from one moment to another, with dates that do not run into each other."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    axes.set_xlim(first, last)  # type: ignore[arg-type]  # datetimes are taken, says its manual
    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _save(figure: Figure, path: Path) -> None:
    from PIL import Image

    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    # A palette takes a third of the bytes; and without the version of what drew it, which goes
    # here, the same picture has the same bytes.
    Image.open(drawn).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(
        path, format="png", optimize=True
    )


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


def _day(at: int) -> str:
    return f"{_moment(at):%d %B %Y}"
