"""What a contender's process is told, by PEERS_* variables."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

import orjson

PREFIX = "PEERS_"


@dataclass(frozen=True)
class Plan:
    """Broker, topics, the name of the application and a folder for its state.

    With `audit` it publishes all features at audit events. Who commits by time does so every
    `commit_s` seconds; a consumer that died is out of its group after `session_s`, 0 for the
    framework's default.
    """

    servers: str
    name: str
    clicks: str
    purchases: str
    tags: str
    partitions: int
    folder: str
    audit: bool = False
    commit_s: float = 5.0
    session_s: float = 0.0

    def environment(self) -> dict[str, str]:
        """The variables that `from_environment` reads."""
        given = asdict(self) | {"audit": int(self.audit)}
        return {PREFIX + name.upper(): str(value) for name, value in given.items()}

    @classmethod
    def from_environment(cls) -> Plan:
        """The plan that this process was started with."""
        text = {name: os.environ[PREFIX + name.upper()] for name in cls.__dataclass_fields__}
        given: dict[str, Any] = {
            **text,
            "partitions": int(text["partitions"]),
            "audit": text["audit"] == "1",
            "commit_s": float(text["commit_s"]),
            "session_s": float(text["session_s"]),
        }
        return cls(**given)


def packed(change: dict[str, Any]) -> bytes:
    """A change as it is published."""
    return orjson.dumps(change)
