from __future__ import annotations

from pathlib import Path

from stream_app.kafka.embedded import Guard, Listener
from stream_app.kafka.embedded.config import Layout, write_config


def properties(folder: Path, guard: Guard | None, ports: dict[str, int]) -> dict[str, str]:
    layout = Layout(folder)
    write_config(layout, 1, 2, guard.more(ports) if guard else None)
    lines = layout.properties.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_without_a_guard_there_is_one_plain_listener(tmp_path: Path) -> None:
    found = properties(tmp_path, None, {})
    assert found["advertised.listeners"] == "PLAINTEXT://127.0.0.1:1"
    assert "authorizer.class.name" not in found


def test_each_listener_has_its_own_settings(tmp_path: Path) -> None:
    store, clients = Path("/k.pem"), Path("/ca.pem")
    guard = Guard(
        [Listener("IN", "SASL_SSL", store), Listener("PAIR", "SSL", store, clients)],
        {"ann": "hunter2"},
    )
    found = properties(tmp_path, guard, {"IN": 3, "PAIR": 4})
    assert found["advertised.listeners"].endswith(",IN://127.0.0.1:3,PAIR://127.0.0.1:4")
    assert found["listener.security.protocol.map"].endswith(",IN:SASL_SSL,PAIR:SSL")
    assert found["super.users"] == "User:ANONYMOUS"
    assert "StandardAuthorizer" in found["authorizer.class.name"]
    assert found["listener.name.in.ssl.keystore.location"] == "/k.pem"
    assert 'user_ann="hunter2"' in found["listener.name.in.plain.sasl.jaas.config"]
    assert found["listener.name.pair.ssl.client.auth"] == "required"
    assert "listener.name.in.ssl.client.auth" not in found
    assert "listener.name.pair.sasl.enabled.mechanisms" not in found


def test_users_are_made_with_the_folder() -> None:
    assert Guard([], {"ann": "p"}).scram() == [
        "--add-scram",
        "SCRAM-SHA-256=[name=ann,password=p]",
        "--add-scram",
        "SCRAM-SHA-512=[name=ann,password=p]",
    ]
