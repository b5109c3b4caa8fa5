"""Stacks become a tree, and a tree a picture without what is too small to see."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.flamegraph import WIDTH, crown, parse, svg

STACKS = [
    "main (cli.py);loop (uvloop);fold (stream_app/engine/step.py) 60",
    "main (cli.py);loop (uvloop);fetch (aiokafka/fetcher.py) 39",
    "main (cli.py);loop (uvloop);<lambda> (rare.py) 1",
]
SVG = "{http://www.w3.org/2000/svg}"


def drawn(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)  # noqa: S314 - we drew it ourselves


def titles(picture: str) -> list[str]:
    return [t.text or "" for t in drawn(picture).iter(f"{SVG}title")]


def test_a_frame_has_the_samples_of_what_it_called() -> None:
    root = parse(STACKS)
    (main,) = root.called.values()
    (loop,) = main.called.values()
    assert root.samples == main.samples == loop.samples == 100
    assert [frame.samples for frame in loop.called.values()] == [60, 39, 1]


def test_a_thread_that_waits_does_nothing() -> None:
    waiting = "Thread.run (threading.py:982);Condition.wait (threading.py:295) 900"
    assert parse([*STACKS, waiting]) == parse(STACKS)
    with pytest.raises(ValueError, match="no samples"):
        parse([waiting])


def test_the_trunk_that_all_stacks_share_is_cut() -> None:
    top = crown(parse(STACKS))
    assert (top.name, top.samples) == ("all", 100)
    assert {name.split(" ")[0] for name in top.called} == {"fold", "fetch", "<lambda>"}
    assert set(crown(parse(["a;b 2", "a 1"])).called) == {"b"}


def test_small_frames_are_left_out_and_names_are_escaped() -> None:
    root = crown(parse(STACKS))
    assert titles(svg(root, "a & b", least=0.02)) == [
        "all: 100.0%",
        "fetch (aiokafka/fetcher.py): 39.0%",
        "fold (stream_app/engine/step.py): 60.0%",
    ]
    assert "<lambda> (rare.py): 1.0%" in titles(svg(root, "a & b", least=0.01))


@pytest.mark.parametrize("lines", [[], ["\n"], ["no count"], ["a;b -3"]])
def test_what_is_no_stack_is_refused(lines: list[str]) -> None:
    with pytest.raises(ValueError, match=r"samples|stack"):
        parse(lines)


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), st.integers(1, 99)),
        min_size=1,
        max_size=20,
    )
)
def test_frames_of_one_depth_lie_side_by_side_within_the_picture(
    stacks: list[tuple[list[str], int]],
) -> None:
    picture = svg(parse(f"{';'.join(names)} {n}" for names, n in stacks), "any", least=0.0)
    rows: dict[str, list[tuple[float, float]]] = {}
    for box in drawn(picture).iter(f"{SVG}rect"):
        if "y" in box.attrib:
            left, width = float(box.attrib["x"]), float(box.attrib["width"])
            rows.setdefault(box.attrib["y"], []).append((left, left + width))
    for row in rows.values():
        row.sort()
        assert row[0][0] >= 0
        assert row[-1][1] <= WIDTH + 1
        assert all(a[1] <= b[0] + 0.6 for a, b in pairwise(row))
