"""How the brokers of a cluster find one another and their clients."""

from __future__ import annotations

from pathlib import Path

from stream_app.kafka.embedded import EmbeddedCluster, Guard, Listener
from stream_app.kafka.embedded.config import Layout, More, Seat, write_config
from stream_app.kafka.embedded.probe import is_free, lasting_ports


def properties(folder: Path, more: More | None = None, seat: Seat | None = None) -> dict[str, str]:
    layout = Layout(folder)
    write_config(layout, 1111, 2222, more, seat)
    lines = layout.properties.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_a_broker_without_a_seat_is_a_cluster_of_its_own(tmp_path: Path) -> None:
    found = properties(tmp_path)
    assert found["node.id"] == "1"
    assert found["controller.quorum.voters"] == "1@127.0.0.1:2222"
    assert found["offsets.topic.replication.factor"] == "1"


def test_a_seat_says_where_all_controllers_are(tmp_path: Path) -> None:
    found = properties(tmp_path, seat=Seat(2, "id", {1: 11, 2: 12, 3: 13}))
    assert found["node.id"] == "2"
    assert found["controller.quorum.voters"] == "1@127.0.0.1:11,2@127.0.0.1:12,3@127.0.0.1:13"
    assert found["listeners"] == "PLAINTEXT://127.0.0.1:1111,CONTROLLER://127.0.0.1:12"


def test_clients_of_a_front_are_told_its_port_and_others_the_brokers(tmp_path: Path) -> None:
    guard = Guard([Listener("IN", "SASL_SSL", Path("/k.pem"))])
    ports = {"IN": 3, "FRONT": 4}
    found = properties(tmp_path, guard.more(ports).behind({"FRONT": 9}, ports))
    told, listens = found["advertised.listeners"], found["listeners"].split(",")
    assert told == "PLAINTEXT://127.0.0.1:1111,IN://127.0.0.1:3,FRONT://127.0.0.1:9"
    assert {"IN://127.0.0.1:3", "FRONT://127.0.0.1:4"} <= {*listens}
    assert found["listener.security.protocol.map"].endswith(",IN:SASL_SSL,FRONT:PLAINTEXT")


def test_lasting_ports_are_different_free_and_given_to_no_connection() -> None:
    ports = lasting_ports(20)
    assert len({*ports}) == 20
    assert all(is_free(port) and port < 32_000 for port in ports)


def test_the_brokers_share_nothing_but_the_cluster(tmp_path: Path) -> None:
    cluster = EmbeddedCluster(tmp_path)
    assert list(cluster.brokers) == [1, 2, 3]
    assert len({broker.data_dir for broker in cluster.brokers.values()}) == 3
    cluster.stop()
