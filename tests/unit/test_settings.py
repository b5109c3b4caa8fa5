from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from stream_app.security import SecurityError
from stream_app.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"

_LOGIN: dict[str, object] = {"sasl_username": "u", "sasl_password": "p"}
_TOKENS: dict[str, object] = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"STREAM_APP_{name.upper()}", raising=False)


def test_defaults_fit_together() -> None:
    settings = Settings()
    assert settings.topics == ("clicks", "purchases", "tags", "tag-state", "dead-letters")
    assert settings.changelog_topic == "stream_app-profiles-changelog"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().partitions = 8  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"min_insync_replicas": 2}, "min_insync_replicas must not be more than replication"),
        ({"drain_timeout_s": 30}, "drain_timeout_s must be less than session_timeout_s"),
        ({"tags_topic": "clicks"}, "the topics must have different names"),
        ({"training_topic": "tags"}, "the topics must have different names"),
        ({"models_topic": "clicks"}, "the topics must have different names"),
        ({"models_topic": "training"}, "the topics must have different names"),
        ({"security_protocol": "SASL_SSL"}, "needs sasl_username and sasl_password"),
        (_LOGIN | {"security_protocol": "SASL_PLAINTEXT"}, "would send the login unencrypted"),
        (_LOGIN | {"sasl_password_file": "p"}, "must not be given both"),
        ({"http_token": "a", "http_token_file": "b"}, "must not be given both"),
        ({"ssl_key_password": "a", "ssl_key_password_file": "b"}, "must not be given both"),
        ({"ssl_keyfile": "a"}, "ssl_keyfile needs ssl_certfile"),
        ({"http_keyfile": "a"}, "http_keyfile needs http_certfile"),
        ({"ssl_cafile": "a"}, "no use with PLAINTEXT: set security_protocol to SSL"),
        ({"ssl_certfile": "a"}, "ssl_certfile has no use"),
        (_TOKENS, "either oauth_token_file or oauth_token_url"),
        (_TOKENS | {"oauth_token_file": "a", "oauth_token_url": "https://a"}, "either"),
        (_TOKENS | {"oauth_token_url": "https://a"}, "the client's id and secret"),
        (_TOKENS | _LOGIN | {"oauth_token_url": "http://a"}, "must begin with https"),
        (_TOKENS | {"oauth_token_url": "https://u:p@a"}, "match pattern"),
        ({"partitions": 0}, "greater than or equal to 1"),
        ({"http_port": 65_536}, "less than or equal to 65535"),
        ({"stall_timeout_s": float("nan")}, "less than or equal to 86400"),
        ({"dead_letter_share": 1.1}, "less than or equal to 1"),
        ({"clicks_topic": "a b"}, "match pattern"),
        ({"bootstrap_servers": "kafka://a:9092"}, "match pattern"),
        ({"bootstrap_servers": "a:1,b:99999"}, "99999 is no port"),
        ({"bootstrap_servers": f"{'a' * 64}.example:1"}, "can be no name of a host"),
        ({"no_such": 1}, "Extra inputs"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings(**given)


def test_plain_client_options_name_each_broker() -> None:
    options = Settings(bootstrap_servers="a:1,b:2").client_options()
    assert options == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "PLAINTEXT",
    }


def test_no_compression_is_none_to_the_client() -> None:
    assert Settings(compression="none").codec is None
    assert Settings().codec == "zstd"


def test_client_options_log_in_over_tls() -> None:
    options = Settings(
        security_protocol="SASL_SSL", sasl_username="shop", sasl_password=SecretStr("hidden")
    ).client_options()
    assert isinstance(options["ssl_context"], ssl.SSLContext)
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["sasl_plain_username"] == "shop"
    assert options["sasl_plain_password"] == "hidden"


def test_a_password_is_read_from_its_file_for_each_client(tmp_path: Path) -> None:
    file = tmp_path / "password"
    settings = Settings(
        security_protocol="SASL_SSL", sasl_username="shop", sasl_password_file=str(file)
    )
    with pytest.raises(SecurityError, match=r"SASL_PASSWORD_FILE: .*password cannot be read"):
        settings.client_options()
    for password in ("one", "two"):
        file.write_text(password)
        assert settings.client_options()["sasl_plain_password"] == password


def test_all_clients_share_what_follows_the_files(tmp_path: Path) -> None:
    given = {"oauth_token_file": str(tmp_path / "token")}
    settings = Settings(**_TOKENS, **given)  # type: ignore[arg-type]
    first, second = settings.client_options(), settings.client_options()
    assert "sasl_plain_password" not in first
    for name in ("ssl_context", "sasl_oauth_token_provider"):
        assert first[name] is second[name]


def test_an_endpoint_grants_tokens_where_one_is_named() -> None:
    settings = Settings(**_TOKENS, **_LOGIN, oauth_token_url="https://a/b")  # type: ignore[arg-type]
    assert type(settings.client_options()["sasl_oauth_token_provider"]).__name__ == "GrantedToken"


def test_a_plain_login_has_to_be_asked_for() -> None:
    settings = Settings(
        **_LOGIN,  # type: ignore[arg-type]
        security_protocol="SASL_PLAINTEXT",
        allow_sasl_plaintext=True,
    )
    assert "ssl_context" not in settings.client_options()


def test_errors_do_not_show_what_was_given() -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(http_token={"a": "hunter2"})
    assert "hunter2" not in str(raised.value)


def test_the_port_has_neither_token_nor_tls_unless_told() -> None:
    assert Settings().http_tls() is None
    assert Settings().http_secret() is None
    assert Settings(http_token=SecretStr("t")).http_secret() == "t"
    with pytest.raises(SecurityError, match="cannot be read"):
        Settings(http_certfile="no-such").http_tls()


def test_each_setting_is_documented_as_it_is() -> None:
    rows = {
        cells[1].strip(" `"): (cells[2].strip(" `"), cells[3].strip())
        for cells in (line.split("|") for line in DOCUMENT.read_text().splitlines())
        if len(cells) == 5 and cells[1].strip().startswith("`STREAM_APP_")
    }
    described = {
        f"STREAM_APP_{name.upper()}": (
            "" if field.default is None else str(field.default),
            field.description,
        )
        for name, field in Settings.model_fields.items()
    }
    assert rows == described
