"""What the embedded broker refuses before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_app.kafka.embedded import BrokerError, EmbeddedKafka, default_data_dir
from stream_app.kafka.embedded.config import Layout, write_config
from stream_app.kafka.embedded.errors import why_it_died
from stream_app.kafka.embedded.probe import free_port, is_free


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BrokerError, match=r"file/broker cannot be written: Not a directory"):
        EmbeddedKafka(tmp_path / "file" / "broker").start()


def test_what_needs_a_running_broker_says_so(tmp_path: Path) -> None:
    kafka = EmbeddedKafka(tmp_path)
    for act in (kafka.freeze, kafka.thaw):
        with pytest.raises(BrokerError, match="is not running"):
            act()
    with pytest.raises(BrokerError, match="has not been started"):
        _ = kafka.bootstrap_servers
    kafka.stop()


def test_the_data_folder_follows_the_user_and_the_variable() -> None:
    home = Path.home()
    assert EmbeddedKafka().data_dir == default_data_dir().resolve()
    assert default_data_dir({"STREAM_APP_BROKER_DIR": "/data"}, "linux") == Path("/data")
    assert default_data_dir({"XDG_STATE_HOME": "/s"}, "linux") == Path("/s/stream_app/broker")
    assert default_data_dir({}, "linux") == home / ".local/state/stream_app/broker"
    assert default_data_dir({}, "darwin").is_relative_to(home / "Library")


def test_it_listens_on_this_machine_only(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write_config(layout, 1111, 2222)
    written = layout.properties.read_text().splitlines()
    settings = dict(line.split("=", 1) for line in written)
    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:1111,CONTROLLER://127.0.0.1:2222"
    assert settings["auto.create.topics.enable"] == "false"
    assert settings["log.dirs"] == str(tmp_path / "data")


def test_the_cluster_is_that_of_the_folder(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.cluster is None
    layout.logs.mkdir()
    (layout.logs / "meta.properties").write_text("#\nversion=1\ncluster.id=x_7-Q=\nnode.id=1\n")
    assert layout.cluster == "x_7-Q="
    (layout.logs / "meta.properties").write_text("")
    assert layout.cluster is None


def test_the_reason_of_a_death_is_the_log_or_else_the_output(tmp_path: Path) -> None:
    log, output = tmp_path / "broker.log", tmp_path / "output.log"
    assert why_it_died(log, output) == ""
    output.write_text("Error occurred during initialization of VM\nToo small maximum heap\n")
    assert why_it_died(log, output).endswith("VM | Too small maximum heap")
    log.write_text("2026 WARN fine\n2026 ERROR No space left on device\n2026 INFO bye\n")
    assert why_it_died(log, output) == "2026 ERROR No space left on device"


def test_a_port_that_somebody_holds_is_not_free() -> None:
    import socket

    port = free_port()
    assert is_free(port)
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        holder.listen()
        assert not is_free(port)


def test_who_asks_for_any_port_is_not_given_one_that_was_given_before() -> None:
    """And who names it gets it."""
    import socket

    given = [free_port() for _ in range(300)]
    assert len(set(given)) == len(given)
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", given[0]))
        server.listen()
        with socket.create_connection(("127.0.0.1", given[0]), 5):
            pass
    for _ in range(2_000):
        with socket.socket() as anyone:
            anyone.bind(("127.0.0.1", 0))
            assert anyone.getsockname()[1] not in given
