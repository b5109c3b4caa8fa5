"""Listeners with TLS and logins, users, and rights for the embedded broker: for tests.

The plain listener stays, for the broker itself and whoever started it: who comes there may do
everything. On the others nobody may do anything before a right has been granted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from stream_app.kafka.embedded.config import HOST, More

SCRAM: Final = ("SCRAM-SHA-256", "SCRAM-SHA-512")
_COMMON: Final = "org.apache.kafka.common.security"


@dataclass(frozen=True)
class Listener:
    """A way in. `keystore` is a PEM file with key and certificate; a client has to show one of its
    own where `clients`, a PEM file of authorities, says who vouches for it.
    """

    name: str
    protocol: Literal["SSL", "SASL_SSL", "SASL_PLAINTEXT"]
    keystore: Path | None = None
    clients: Path | None = None

    def settings(self, users: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Its lines of server.properties."""
        begin = f"listener.name.{self.name.lower()}."
        if self.keystore is not None:
            yield begin + "ssl.keystore.type", "PEM"
            yield begin + "ssl.keystore.location", str(self.keystore)
        if self.clients is not None:
            yield begin + "ssl.client.auth", "required"
            yield begin + "ssl.truststore.type", "PEM"
            yield begin + "ssl.truststore.location", str(self.clients)
        if self.protocol.startswith("SASL"):
            yield begin + "sasl.enabled.mechanisms", ",".join((*SCRAM, "PLAIN", "OAUTHBEARER"))
            for mechanism, value in _logins(users):
                yield f"{begin}{mechanism}", value


@dataclass(frozen=True)
class Guard:
    """Further listeners, and users with passwords for PLAIN and SCRAM.

    OAUTHBEARER takes unsigned tokens: whoever writes one is who it says.
    """

    listeners: Sequence[Listener]
    users: Mapping[str, str] = field(default_factory=dict)

    def settings(self) -> dict[str, str]:
        """Lines of server.properties beside the common ones."""
        lines = {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            # A refused login is told at once instead of after a pause that slows guessing down.
            "connection.failed.authentication.delay.ms": "0",
        }
        for listener in self.listeners:
            lines |= dict(listener.settings(self.users))
        return lines

    def more(self, ports: Mapping[str, int]) -> More:
        """All of that for server.properties; `ports` by the listeners' names."""
        return More(
            addresses=[f"{one.name}://{HOST}:{ports[one.name]}" for one in self.listeners],
            protocols=[f"{one.name}:{one.protocol}" for one in self.listeners],
            settings=self.settings(),
        )

    def scram(self) -> list[str]:
        """Arguments of `StorageTool format` that make the users."""
        return [
            argument
            for name, password in self.users.items()
            for mechanism in SCRAM
            for argument in ("--add-scram", f"{mechanism}=[name={name},password={password}]")
        ]


def _logins(users: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for mechanism in SCRAM:
        yield (
            f"{mechanism.lower()}.sasl.jaas.config",
            f"{_COMMON}.scram.ScramLoginModule required;",
        )
    known = " ".join(f'user_{name}="{password}"' for name, password in users.items())
    yield "plain.sasl.jaas.config", f"{_COMMON}.plain.PlainLoginModule required {known};"
    oauth = f"{_COMMON}.oauthbearer"
    yield (
        "oauthbearer.sasl.jaas.config",
        f'{oauth}.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
    )
    yield (
        "oauthbearer.sasl.server.callback.handler.class",
        f"{oauth}.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler",
    )
