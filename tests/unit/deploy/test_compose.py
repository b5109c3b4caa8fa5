"""docker-compose.yml against the specification's schema, the program's settings and the files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from support.compose import COMPOSE, SERVICES, demo, environment
from support.image import DOCKERFILE, ROOT, steps

import stream_app
from stream_app.cli import main
from stream_app.kafka.embedded.runtime import KAFKA_VERSION
from stream_app.resolve import resolve
from stream_app.settings import PREFIX, Settings

SCHEMA = ROOT / "tests/data/compose-spec/compose-spec.json"
OURS = {name: has for name, has in SERVICES.items() if has["image"].startswith("stream-app")}
PROMETHEUS = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text())

every = pytest.mark.parametrize("name", SERVICES)
ours = pytest.mark.parametrize("name", OURS)


def sources(service: dict[str, Any]) -> list[tuple[str, str]]:
    """Source and place of what a service mounts."""
    parts = [volume.split(":") for volume in service.get("volumes", [])]
    return [(part[0], part[1]) for part in parts]


def test_it_is_a_compose_file() -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(COMPOSE)


def test_a_misspelt_word_is_not_one() -> None:
    wrong = {"services": {"kafka": SERVICES["kafka"] | {"health_check": {}}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).validate(wrong)


@ours
@pytest.mark.parametrize("given", [{}, demo()], ids=["own", "demo"])
def test_the_program_takes_the_variables(
    name: str, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in environment(name, given).items():
        assert variable.removeprefix(PREFIX).lower() in Settings.model_fields
        monkeypatch.setenv(variable, value)
    settings = resolve()
    assert settings.clock == given.get(f"{PREFIX}CLOCK")
    assert settings.bootstrap_servers == "kafka:19092"


@ours
def test_the_program_has_these_commands(name: str) -> None:
    command = OURS[name]["command"]
    lines = [command] if name != "demo" else [p.split()[1:] for p in command[0].split(" | ")]
    for line in lines:
        # Its help is only shown where all other options are known.
        shown = CliRunner().invoke(main, [*line, "--help"])
        assert shown.exit_code == 0, shown.output
        known = set(re.findall(r"--[a-z-]+", shown.output))
        assert {word for word in line if word.startswith("--")} <= known


def test_the_demo_only_changes_what_is_read() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    read = set(re.findall(r"\$\{(\w+)", text)) | {"COMPOSE_PROFILES"}
    assert set(demo()) <= read
    assert demo()["COMPOSE_PROFILES"] in SERVICES["demo"]["profiles"]


@every
def test_each_image_has_a_version(name: str) -> None:
    assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])


def test_versions_are_those_of_the_program() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
    for service in OURS.values():
        assert service["image"].endswith(f":{stream_app.__version__}")
        assert service["build"]["args"] == {"VERSION": stream_app.__version__}
        assert service["build"]["target"] in {s.stage for s in steps(DOCKERFILE.read_text())}
        assert service["pull_policy"] == "build"


@every
def test_each_mounted_file_is_there(name: str) -> None:
    for source, _ in sources(SERVICES[name]):
        if source.startswith("."):
            assert (ROOT / source).exists(), source
        else:
            assert source in COMPOSE["volumes"]


@every
def test_nothing_is_reachable_from_elsewhere(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")
    assert "network_mode" not in SERVICES[name]


@every
def test_rights_and_resources_are_bounded(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only") == (None if name == "kafka" else True)
    assert not service.keys() & {"privileged", "cap_add", "user", "pid", "devices"}
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["logging"]["options"]["max-size"]


@every
def test_what_is_waited_for_is_there(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        healthy = how["condition"] == "service_healthy"
        assert healthy == ("test" in SERVICES[other].get("healthcheck", {}))
        if how["condition"] == "service_completed_successfully":
            assert SERVICES[other]["restart"] != "unless-stopped"


def test_docker_waits_longer_than_a_stop_takes() -> None:
    longest = Settings.model_fields["drain_timeout_s"].default * 2
    for name in ("worker", "trainer"):
        assert int(OURS[name]["stop_grace_period"].rstrip("s")) >= longest + 5


def test_prometheus_reads_what_the_services_are_named() -> None:
    (job,) = PROMETHEUS["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    assert set(found["names"]) == {"worker", "trainer"}
    assert found["port"] == Settings.model_fields["http_port"].default
    for name in found["names"]:
        assert set(OURS[name]["networks"]) & set(SERVICES["prometheus"]["networks"])
        assert OURS[name]["environment"][f"{PREFIX}HTTP_HOST"] == "0.0.0.0"


def test_prometheus_finds_its_rules() -> None:
    places = {place for _, place in sources(SERVICES["prometheus"])}
    assert set(PROMETHEUS["rule_files"]) <= places
    assert "--config.file=/etc/prometheus/prometheus.yml" in SERVICES["prometheus"]["command"]


def test_grafana_finds_prometheus_and_its_dashboards() -> None:
    folder = ROOT / "deploy/compose/grafana"
    (source,) = yaml.safe_load((folder / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((folder / "dashboards/files.yml").read_text())["providers"]
    mounted = {place: source for source, place in sources(SERVICES["grafana"])}
    dashboards = sorted((ROOT / mounted[provider["options"]["path"]]).glob("*.json"))
    assert dashboards
    for dashboard in dashboards:
        wanted = set(data_sources(json.loads(dashboard.read_text())))
        # A variable takes the default; those with dashes are Grafana's own.
        assert {uid for uid in wanted if uid[0] not in "$-"} <= {source["uid"]}


def data_sources(part: Any) -> Iterator[str]:
    """The ids of the data sources that a part of a dashboard names."""
    if isinstance(part, list):
        for inner in part:
            yield from data_sources(inner)
    if isinstance(part, dict):
        if isinstance(part.get("datasource"), dict):
            yield part["datasource"]["uid"]
        yield from data_sources(list(part.values()))
