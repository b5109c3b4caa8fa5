"""Windows: which forms there are, what they cover, and that each reads as it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.shoppers import Shoppers

from stream_app.domain.errors import DeclarationError
from stream_app.domain.source import Node
from stream_app.features.windows import ALL, DAY, DAY3, DAY_MS, HOUR, Window, window_of

#: Every window there is, in the form in which it is written back.
FORMS = [
    *((f"{hours}h", Window(HOUR, hours)) for hours in range(1, 49)),
    *((f"{days}d", Window(DAY, days)) for days in range(1, 32)),
    *((f"{days}d/3d", Window(DAY3, days // 3)) for days in range(3, 31, 3)),
    *((f"{days}d", Window(DAY3, days // 3)) for days in range(33, 91, 3)),
    ("all", Window(ALL, 1)),
]


def window(value: object) -> Window:
    return window_of(Node(value, "shop.yaml", 7, "features.f.window"))


@pytest.mark.parametrize(("text", "expected"), FORMS)
def test_a_window_reads_as_it_was_written(text: str, expected: Window) -> None:
    assert window(text) == expected
    assert expected.text == text


def test_beyond_31_days_panes_of_three_days_need_not_be_named() -> None:
    assert window("42d/3d") == window("42d")
    assert window("30d/3d") != window("30d")


WRONG = ["10d/3d", "31d/3d", "93d/3d", "24h/3d", "32d", "93d", "49h"]


@pytest.mark.parametrize("text", WRONG)
def test_refuses_what_no_pane_width_fits(text: str) -> None:
    with pytest.raises(DeclarationError, match=r"fits no pane width; expected .*90d/3d") as caught:
        window(text)
    assert str(caught.value).startswith(f"shop.yaml:7: features.f.window: '{text}'")


@pytest.mark.parametrize("value", ["0d", "30d/1d", "30d/", "/3d", "30d/3h", "30/3", "3d /3d", 30])
def test_refuses_what_is_no_window(value: object) -> None:
    with pytest.raises(DeclarationError, match="is not a window"):
        window(value)


@given(st.sampled_from(["24h", "48h", "7d", "30d", "3d/3d", "30d/3d", "42d"]), st.integers(0, 9))
def test_at_the_end_of_its_panes_a_window_covers_its_length(text: str, days: int) -> None:
    """Just before midnight; with panes of three days, at every third midnight since 1970."""
    end, length = (18_000 + days) * DAY_MS, window(text).length_ms
    shoppers = Shoppers(f"f: {{count: search, window: {text}}}")
    times = [end - length - 1, end - length, end - 1]
    shoppers.fold(
        [{"id": str(n), "type": "search", "user": "u", "at": at} for n, at in enumerate(times)]
    )
    whole = window(text).pane != DAY3 or days % 3 == 0
    found = shoppers.values(end - 1)["f"]
    assert found == 2 if whole else found < 2
