"""Rights that are missing, in words. Kafka's refusal says on what kind of thing, seldom which."""

from __future__ import annotations

from typing import Any, Final

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from stream_app.kafka.errors import Fatal, Refusal, causes

ADVICE: Final = "`stream-app acls` lists the rights of each role, and the commands that grant them"
_KINDS: Final = {
    TopicAuthorizationFailedError: "topic",
    GroupAuthorizationFailedError: "group",
    TransactionalIdAuthorizationFailed: "transactional id",
    ClusterAuthorizationFailedError: "cluster",
}


def missing_right(error: BaseException) -> str | None:
    """Say which right is missing where that is why `error`, or what caused it, was raised."""
    for cause in causes(error):
        kind = next((kind for known, kind in _KINDS.items() if isinstance(cause, known)), None)
        if kind is not None:
            named = " ".join([kind, *_names(cause.args[:1])])
            return f"Kafka lets this user not do that to the {named}: {ADVICE}"
    return None


def failed(what: str, error: BaseException) -> Fatal:
    """The error that ends a process in which `what` went wrong; a Refusal for a missing right."""
    right = missing_right(error)
    return Refusal(f"{what}: {right}") if right is not None else Fatal(f"{what}: {error!r}")


def _names(args: tuple[Any, ...]) -> list[str]:
    """The names that aiokafka put into its error: one, several, or none."""
    given: Any = args[0] if args else ()
    if isinstance(given, str):
        return [given]
    return sorted(map(str, given)) if isinstance(given, set | frozenset | list | tuple) else []
