from __future__ import annotations

import os

import pytest

from stream_app.resolve import SettingsError, resolve, show, unknown_variables


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("STREAM_APP_"):
            monkeypatch.delenv(name)


def problems(**overrides: object) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        resolve(**overrides)
    return raised.value.problems


def test_command_line_wins_over_environment_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_APP_PARTITIONS", "8")
    monkeypatch.setenv("STREAM_APP_HTTP_PORT", "7000")
    settings = resolve(http_port=0, catalog=None)
    assert (settings.partitions, settings.http_port, settings.catalog) == (8, 0, "retail")
    shown = dict(line.split(maxsplit=1) for line in show(settings).splitlines())
    assert shown["partitions"] == "8  (STREAM_APP_PARTITIONS)"
    assert shown["http_port"] == "0  (command line)"
    assert shown["catalog"] == "retail  (default)"
    assert shown["clock"] == "-  (default)"


def test_an_empty_variable_is_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_APP_PARTITIONS", "")
    assert resolve().partitions == 4


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_APP_SASL_PASSWORD", "hunter2")
    assert "hunter2" not in show(resolve())
    assert "********  (STREAM_APP_SASL_PASSWORD)" in show(resolve())


def test_a_wrong_secret_is_not_shown_either() -> None:
    assert problems(sasl_password=12345) == ["sasl_password=********: expected a valid string"]


@pytest.mark.parametrize("name", ["sasl_password", "ssl_key_password", "http_token"])
def test_no_secret_is_shown_in_any_way(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"STREAM_APP_{name.upper()}", "hunter2")
    assert "hunter2" not in show(resolve()) + repr(resolve()) + str(resolve())
    assert problems(partitions=0) == ["partitions=0: expected greater than or equal to 1"]
    with pytest.raises(SettingsError) as raised:
        resolve(security_protocol="SASL_SSL", sasl_mechanism="OAUTHBEARER")
    chain = f"{raised.value!r} {raised.value.__cause__!r} {raised.value.__context__!r}"
    assert "hunter2" not in chain


def test_a_password_in_an_address_is_not_shown() -> None:
    assert problems(bootstrap_servers="u:hunter2@a:1") == [
        "bootstrap_servers=********: expected host:port,host:port"
    ]
    assert problems(oauth_token_url="https://u:hunter2@a") == [
        "oauth_token_url=********: expected https://host/path, without user and password"
    ]


def test_every_problem_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_APP_HTTP_PORT", "tcp://10.0.0.1:80")
    monkeypatch.setenv("STREAM_APP_CLOCK", "sun")
    monkeypatch.setenv("STREAM_APP_APP_ID", "a b")
    monkeypatch.setenv("STREAM_APP_BOOTSTRAP_SERVERS", "kafka")
    monkeypatch.setenv("STREAM_APP_PARTITONS", "3")
    assert problems(round_records=0) == [
        "STREAM_APP_PARTITONS is no setting; did you mean STREAM_APP_PARTITIONS?",
        "STREAM_APP_BOOTSTRAP_SERVERS=kafka: expected host:port,host:port",
        "STREAM_APP_APP_ID=a b: expected letters, digits, dots, dashes and underscores",
        "STREAM_APP_CLOCK=sun: expected 'wall' or 'event'",
        "round_records=0: expected greater than or equal to 1",
        "STREAM_APP_HTTP_PORT=tcp://10.0.0.1:80: expected a valid integer, "
        "unable to parse string as an integer",
    ]


def test_settings_that_contradict_one_another() -> None:
    assert problems(min_insync_replicas=2) == [
        "min_insync_replicas must not be more than replication"
    ]


def test_an_override_that_is_no_setting() -> None:
    assert problems(colour="red") == ["colour is no setting"]


def test_the_error_reads_as_a_list() -> None:
    with pytest.raises(SettingsError, match=r"cannot be used:\n  partitions=0: expected") as raised:
        resolve(partitions=0)
    assert "\n" in str(raised.value)


def test_variables_of_kubernetes_services_are_left_alone() -> None:
    environ = {
        "STREAM_APP_SERVICE_HOST": "10.0.0.1",
        "STREAM_APP_SERVICE_PORT_HTTP": "6066",
        "STREAM_APP_PORT": "tcp://10.0.0.1:6066",
        "STREAM_APP_PORT_6066_TCP_ADDR": "10.0.0.1",
        "STREAM_APP_TRAINER_SERVICE_HOST": "10.0.0.2",
        "STREAM_APP_TRAINER_PORT": "tcp://10.0.0.2:6066",
    }
    assert unknown_variables(environ) == []
    assert len(unknown_variables({"STREAM_APP_HTP_PORT": "1", **environ})) == 1
    assert unknown_variables({"PATH": "/bin", "stream_app_partitions": "3"}) == []
