"""From sampled stacks to a flame graph: a tree of frames, and a picture that needs no script.

A frame's width is its share of the samples; what it called stands on it. Frames below a share are
left out, so that the picture stays small.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Final

WIDTH: Final = 1200
ROW: Final = 17
#: Width of a letter, in pixels.
_LETTER: Final = 6.6
#: By whose code it is: what the frame's file has in its path.
_COLOURS: Final = {
    "stream_app/": "#f4a259",
    "aiokafka/": "#8cb4d9",
    "faust/": "#c9a7d8",
    "mode/": "#c9a7d8",
    "numpy/": "#9fd3a8",
}
_OTHERS: Final = "#d5d5d5"
#: A thread that waits for another one. py-spy takes it for a busy one: its own stops interrupt the
#: waiting, and the system call that goes on with it has another number.
_WAITING: Final = ("Condition.wait (threading.py", "wait (threading.py")


@dataclass
class Frame:
    """A function as called from those below it; `samples` count what it called too."""

    name: str
    samples: int = 0
    called: dict[str, Frame] = field(default_factory=dict)


def parse(lines: Iterable[str]) -> Frame:
    """Collapsed stacks, `outer;inner 12`, as a tree under one frame of all samples; those of
    threads that wait are left out.

    Raises ValueError for a line that is none, and where there is not one sample.
    """
    root = Frame("all")
    for line in filter(str.strip, lines):
        stack, _, count = line.rstrip().rpartition(" ")
        if not stack or not count.isdecimal():
            raise ValueError(f"not a collapsed stack: {line.strip()[:80]!r}")
        if stack.rpartition(";")[2].startswith(_WAITING):
            continue
        root.samples += int(count)
        frame = root
        for name in stack.split(";"):
            frame = frame.called.setdefault(name, Frame(name))
            frame.samples += int(count)
    if not root.samples:
        raise ValueError("no samples: the process did nothing, or was not seen")
    return root


def crown(root: Frame) -> Frame:
    """The tree without its trunk: how a process came to its loop is the same in all stacks."""
    frame = root
    while len(frame.called) == 1:
        (only,) = frame.called.values()
        if only.samples < frame.samples:
            break
        frame = only
    return Frame("all", frame.samples, frame.called)


def svg(root: Frame, title: str, least: float = 0.005) -> str:
    """The picture; frames with less than the share `least` of the samples are left out."""
    boxes = list(_boxes(root, 0.0, 0, WIDTH / root.samples, least * root.samples))
    height = (max(depth for *_, depth in boxes) + 3) * ROW
    drawn = "\n".join(_box(frame, x, depth, height, root.samples) for frame, x, depth in boxes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="monospace" font-size="11">\n<rect width="100%" height="100%" fill="#fff"/>\n'
        f'<text x="4" y="{ROW - 4}" font-size="13">{escape(title)}</text>\n{drawn}\n</svg>\n'
    )


def _boxes(
    frame: Frame, x: float, depth: int, scale: float, least: float
) -> Iterator[tuple[Frame, float, int]]:
    """Each frame that is drawn, with its left edge in pixels and its depth."""
    yield frame, x, depth
    for _, inner in sorted(frame.called.items()):
        if inner.samples >= least:
            yield from _boxes(inner, x, depth + 1, scale, least)
        x += inner.samples * scale


def _box(frame: Frame, x: float, depth: int, height: int, total: int) -> str:
    share = frame.samples / total
    width, y = share * WIDTH, height - (depth + 1) * ROW
    colour = next((c for path, c in _COLOURS.items() if path in frame.name), _OTHERS)
    letters = int((width - 4) / _LETTER)
    shown = frame.name if len(frame.name) <= letters else f"{frame.name[: letters - 1]}…"
    text = f'<text x="{x + 2:.1f}" y="{y + 12}">{escape(shown)}</text>' if letters > 2 else ""
    return (
        f"<g><title>{escape(frame.name)}: {share:.1%}</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{max(width - 0.5, 0.5):.1f}" height="{ROW - 1}" '
        f'fill="{colour}"/>{text}</g>'
    )
