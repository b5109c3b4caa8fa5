"""A few changes out of many."""

from __future__ import annotations

from support.changes import change

from stream_app.cli._demo.sampler import Sampler


def test_nothing_comes_of_nothing():
    assert Sampler().take() is None


def test_each_is_shown_once():
    sampler = Sampler()
    sampler.offer(change())
    assert sampler.take() == change()
    assert sampler.take() is None


def test_a_rare_tag_is_shown_among_a_thousand_of_another():
    sampler, shown = Sampler(), []
    for _ in range(3):
        for _ in range(1000):
            sampler.offer(change(tag="flipping", cls="behaviour"))
        sampler.offer(change(tag="rare", cls="behaviour"))
        shown.append(sampler.take().tag)
    assert shown == ["flipping", "rare", "flipping"]


def test_every_class_has_its_turn():
    sampler, shown = Sampler(), []
    tags = {"a": "basic", "b": "basic", "c": "basic", "d": "social"}
    for _ in range(2):
        for tag, cls in tags.items():
            sampler.offer(change(tag=tag, cls=cls))
        shown.append(sampler.take().tag)
    assert shown == ["a", "d"]


def test_what_comes_goes_before_what_goes():
    sampler = Sampler()
    sampler.offer(change(tag="gone", action="removed"))
    sampler.offer(change(tag="come"))
    assert sampler.take().tag == "come"


def test_the_first_change_of_a_tag_is_new():
    sampler, new = Sampler(), []
    for action in ("added", "removed"):
        sampler.offer(change(action=action))
        new.append(sampler.is_new(sampler.take()))
    assert new == [True, False]
