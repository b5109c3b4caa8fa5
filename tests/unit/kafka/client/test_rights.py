from __future__ import annotations

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from stream_app.cli.errors import explain
from stream_app.kafka.client.rights import failed, missing_right
from stream_app.kafka.errors import Fatal, Refusal


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (TopicAuthorizationFailedError("clicks"), "to the topic clicks:"),
        (TopicAuthorizationFailedError({"tags", "a"}), "to the topic a tags:"),
        (TopicAuthorizationFailedError(), "to the topic:"),
        (GroupAuthorizationFailedError("shop"), "to the group shop:"),
        (TransactionalIdAuthorizationFailed("shop-1"), "to the transactional id shop-1:"),
        (ClusterAuthorizationFailedError(), "to the cluster:"),
    ],
)
def test_a_missing_right_is_named_with_what_to_do(error: KafkaError, named: str) -> None:
    wrapped = KafkaError("it came to this")
    wrapped.__cause__ = error
    for one in (error, wrapped):
        text = missing_right(one)
        assert text is not None
        assert named in text
        assert "stream-app acls" in text
        assert explain(one) == [text]
        assert isinstance(failed("work", one), Refusal)
        assert str(failed("work", one)) == f"work: {text}"


def test_other_errors_are_tried_again() -> None:
    error = KafkaError("away")
    assert missing_right(error) is None
    assert type(failed("work", error)) is Fatal
    assert str(failed("work", error)) == f"work: {error!r}"


@pytest.mark.timeout(5)
def test_errors_that_are_their_own_causes_come_to_an_end() -> None:
    itself, one, other = KafkaError("itself"), KafkaError("one"), KafkaError("other")
    itself.__cause__, one.__cause__, other.__cause__ = itself, other, one
    assert missing_right(itself) is None
    assert missing_right(one) is None
