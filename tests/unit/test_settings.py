from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from stream_app.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


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
        ({"partitions": 0}, "greater than or equal to 1"),
        ({"http_port": 65_536}, "less than or equal to 65535"),
        ({"stall_timeout_s": float("nan")}, "less than or equal to 86400"),
        ({"dead_letter_share": 1.1}, "less than or equal to 1"),
        ({"clicks_topic": "a b"}, "match pattern"),
        ({"bootstrap_servers": "kafka://a:9092"}, "match pattern"),
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
