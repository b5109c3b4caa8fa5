"""What comes before a broker's start."""

from __future__ import annotations

from stream_app.kafka.embedded.prepare import new_cluster_id


def test_a_cluster_id_is_never_taken_for_an_option() -> None:
    """One in 64 would begin with a hyphen, and Kafka's tool refused it."""
    draws = iter([b"\xf8" + bytes(15), b"\xfb" * 16, bytes(16)])
    assert new_cluster_id(lambda: next(draws)) == "A" * 22
