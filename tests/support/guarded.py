"""A Kafka that lets in only who may, with a user for each role, and rights to grant."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest
from support.broker import environment
from support.certificates import Authority

from stream_app.kafka.client.acls import ROLES, Right
from stream_app.kafka.embedded import EmbeddedKafka, Guard, Listener
from stream_app.kafka.topics import TopicPlan
from stream_app.settings import Settings

#: Of the protocol (KIP-11, KIP-290).
RESOURCES = {"topic": 2, "group": 3, "transactional-id": 5}
OPERATIONS = {
    "Read": 3,
    "Write": 4,
    "Create": 5,
    "Delete": 6,
    "Alter": 7,
    "Describe": 8,
    "DescribeConfigs": 10,
}
_PATTERNS = {False: 3, True: 4}
_ANY, _ALLOW = 1, 3
SECRET = "hunter2-{}-c0ffee"


@dataclass(frozen=True)
class GuardedKafka:
    """A running broker and what one needs to come in; `folder` holds the users' passwords.

    Listeners: SECURE (TLS and login), MUTUAL (TLS and certificate), EXPIRED and ELSEWHERE (with
    certificates that are no good), CLEAR (login without TLS).
    """

    broker: EmbeddedKafka
    authority: Authority
    folder: Path

    def login(self, role: str, **more: object) -> dict[str, object]:
        """Settings with which `role` comes in."""
        return {
            "bootstrap_servers": self.broker.servers_of("SECURE"),
            "security_protocol": "SASL_SSL",
            "sasl_username": role,
            "sasl_password_file": str(self.folder / role),
            "ssl_cafile": str(self.authority.cafile),
        } | more

    def environment(self, role: str, plan: TopicPlan, **more: object) -> dict[str, str]:
        """Variables for a process of that role."""
        topics = {"training_topic": plan.training, "models_topic": plan.models}
        login = self.login(role) | topics | more
        return environment(str(login.pop("bootstrap_servers")), plan, **login)

    def settings(self, role: str, plan: TopicPlan, **more: object) -> Settings:
        """The same for a client in this process."""
        env = self.environment(role, plan, **more)
        return Settings(**{name.removeprefix("STREAM_APP_").lower(): env[name] for name in env})

    def token(self, user: str, seconds: int = 300) -> str:
        """A token file of that user, valid for so long."""
        now = int(time.time())
        parts = ({"alg": "none"}, {"sub": user, "iat": now - 600, "exp": now + seconds})
        coded = (base64.urlsafe_b64encode(json.dumps(p).encode()).decode() for p in parts)
        file = self.folder / f"token-{user}-{seconds}"
        file.write_text(".".join(part.rstrip("=") for part in coded) + ".")
        return str(file)

    async def grant(self, rights: Iterable[Right]) -> None:
        """Let the roles' users do so."""
        async with self._admin() as admin:
            for right in rights:
                for operation in right.operations:
                    asked = CreateAclsRequest(
                        RESOURCES[right.resource], right.name, _PATTERNS[right.prefixed],
                        f"User:{right.role}", "*", OPERATIONS[operation], _ALLOW,
                    )  # fmt: skip
                    answer = await admin._send_request(asked)
                    assert not any(code for code, *_ in answer.creation_responses), answer

    async def revoke(self, principal: str) -> None:
        """Take every right from a principal."""
        async with self._admin() as admin:
            asked = DeleteAclsRequest(_ANY, None, _ANY, principal, None, _ANY, _ANY)
            await admin._send_request(asked)

    async def granted(self, principal: str) -> set[tuple[int, str, int, int]]:
        """Resource type, name, pattern type and operation of all its rights."""
        async with self._admin() as admin:
            asked = DescribeAclsRequest(_ANY, None, _ANY, principal, None, _ANY, _ANY)
            answer = await admin._send_request(asked)
            return {
                (kind, name, pattern, operation)
                for kind, name, pattern, acls in answer.resources
                for _, _, operation, _ in acls
            }

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.broker.bootstrap_servers)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()


def guarded_kafka(folder: Path) -> GuardedKafka:
    """One that is not started yet."""
    authority = Authority(folder / "ca")
    good = authority.sign("kafka")
    old = authority.sign("old", expired=True)
    other = authority.sign("other", "DNS:kafka.example")
    for role in ROLES:
        (folder / role).write_text(SECRET.format(role))
    guard = Guard(
        [
            Listener("SECURE", "SASL_SSL", good.both),
            Listener("MUTUAL", "SSL", good.both, authority.cafile),
            Listener("EXPIRED", "SASL_SSL", old.both),
            Listener("ELSEWHERE", "SASL_SSL", other.both),
            Listener("CLEAR", "SASL_PLAINTEXT"),
        ],
        {role: SECRET.format(role) for role in ROLES},
    )
    broker = EmbeddedKafka(folder / "kafka", port=0, heap="512m", guard=guard)
    return GuardedKafka(broker, authority, folder)


def without(rights: Iterable[Right], role: str, ending: str, operation: str) -> list[Right]:
    """The rights with one missing; what it implied stays."""
    found, changed = [], 0
    for right in rights:
        if right.role == role and right.name.endswith(ending) and operation in right.operations:
            left = set(right.operations) - {operation}
            right = replace(right, operations=tuple(left | ({"Describe"} - {operation})))
            changed += 1
        found.append(right)
    assert changed == 1, f"{changed} rights are as described"
    return found
