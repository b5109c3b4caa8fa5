"""The catalogue of the demo's small shop."""

from __future__ import annotations

from stream_app.cli._demo.catalog import small_shop
from stream_app.engine.catalogue import load_catalogue
from stream_app.resolve import resolve


def test_more_are_sampled_and_nothing_else_differs(tmp_path):
    demo = load_catalogue(small_shop(resolve(), tmp_path))
    shipped = load_catalogue("retail")
    assert {task.rate for task in demo.learning.tasks} == {0.4}
    assert demo.learning.segmentation.rate == 0.4
    assert demo.learning.columns == shipped.learning.columns
    assert demo.tags.names == shipped.tags.names
    assert demo.features.names == shipped.features.names


def test_a_catalogue_of_the_users_own_is_used_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("STREAM_APP_CATALOG", "mine.yaml")
    assert small_shop(resolve(), tmp_path) == "mine.yaml"
    assert list(tmp_path.iterdir()) == []
