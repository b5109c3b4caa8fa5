"""The manifests against the program: its settings, its catalogue, its ports and deadlines."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.chart import CASES, CHART, Manifest, component, container, is_hook, pod, workloads
from support.chart_docs import schema

from stream_app.engine import load_catalogue
from stream_app.resolve import resolve
from stream_app.settings import PREFIX, Settings

Render = Callable[..., list[Manifest]]
cases = pytest.mark.parametrize("case", CASES, ids=lambda path: path.name.split("-")[0])
WATCHED = CHART / "ci/watched-values.yaml"


def settings_of(workload: Manifest, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings as the program in this pod would resolve them; raises where it would not."""
    for variable in container(workload)["env"]:
        monkeypatch.setenv(variable["name"], variable.get("value", "from-elsewhere"))
    settings = resolve()
    for variable in container(workload)["env"]:
        monkeypatch.delenv(variable["name"])
    return settings


def files_of(workload: Manifest) -> set[str]:
    """The files of Secrets that a pod has, as far as the manifest names them."""
    volumes = {volume["name"]: volume for volume in pod(workload)["spec"]["volumes"]}
    return {
        f"{mount['mountPath']}/{item['path']}"
        for mount in container(workload)["volumeMounts"]
        for item in volumes.get(mount["name"], {}).get("secret", {}).get("items", [])
    }


def config_map(workload: Manifest, manifests: list[Manifest]) -> Manifest | None:
    """The catalogue's ConfigMap that a pod mounts, if the chart makes it."""
    volumes = {volume["name"]: volume for volume in pod(workload)["spec"]["volumes"]}
    name = volumes.get("catalogue", {}).get("configMap", {}).get("name")
    found = [m for m in manifests if m["kind"] == "ConfigMap" and m["metadata"]["name"] == name]
    return found[0] if found else None


@cases
def test_the_program_takes_the_variables(
    render: Render, case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for workload in workloads(render(case)):
        settings = settings_of(workload, monkeypatch)
        for port in container(workload).get("ports", []):
            assert settings.http_host == "0.0.0.0"
            assert port["containerPort"] == settings.http_port


@cases
def test_a_file_that_the_program_is_told_of_is_mounted(
    render: Render, case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for workload in workloads(render(case)):
        settings = settings_of(workload, monkeypatch)
        told = {settings.sasl_password_file, settings.oauth_token_file, settings.http_token_file}
        assert told - {None} == files_of(workload)
        places = [mount["mountPath"] for mount in container(workload)["volumeMounts"]]
        for file in (
            settings.ssl_cafile, settings.ssl_certfile, settings.ssl_keyfile,
            settings.ssl_key_password_file, settings.http_certfile, settings.http_keyfile,
        ):  # fmt: skip
            assert file is None or file.rpartition("/")[0] in places


@cases
def test_probes_speak_as_the_port_does(
    render: Render, case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for workload in workloads(render(case)):
        secure = settings_of(workload, monkeypatch).http_certfile is not None
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe in container(workload):
                scheme = container(workload)[probe]["httpGet"]["scheme"]
                assert scheme == ("HTTPS" if secure else "HTTP")


@pytest.mark.parametrize("asked", [True, False])
def test_only_workers_have_a_name_in_the_group(render: Render, asked: bool) -> None:
    named = {
        component(workload): variable["valueFrom"]["fieldRef"]["fieldPath"]
        for workload in workloads(render({"worker": {"staticMembership": asked}}))
        for variable in container(workload)["env"]
        if variable["name"] == "STREAM_APP_INSTANCE_ID"
    }
    assert named == ({"worker": "metadata.name"} if asked else {})


def test_every_setting_arrives_as_it_was_given(
    render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "round_bytes": 2_147_483_647, "dead_letter_share": 0.25, "accept_gaps": True,
        "future_s": 300, "partitions": 10_000, "clicks_topic": "007", "clock": "event",
    }  # fmt: skip
    settings = settings_of(workloads(render({"settings": given}))[0], monkeypatch)
    assert {name: getattr(settings, name) for name in given} == given


@cases
def test_pods_get_longer_than_a_stop_takes(
    render: Render, case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for workload in workloads(render(case)):
        if component(workload) in ("worker", "trainer"):
            longest = settings_of(workload, monkeypatch).drain_timeout_s * 2
            assert pod(workload)["spec"]["terminationGracePeriodSeconds"] >= longest + 5


@pytest.mark.parametrize("name", ["small", "watched"])
def test_the_catalogue_is_where_the_program_looks_for_it(
    render: Render, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    manifests = render(CHART / f"ci/{name}-values.yaml")
    for workload in workloads(manifests):
        mounted = config_map(workload, manifests)
        assert mounted is not None
        (mount,) = [m for m in container(workload)["volumeMounts"] if m["name"] == "catalogue"]
        assert "subPath" not in mount
        ((key, text),) = mounted["data"].items()
        assert settings_of(workload, monkeypatch).catalog == f"{mount['mountPath']}/{key}"
        (tmp_path / key).write_text(text)
        learns = load_catalogue(tmp_path / key).learning is not None
        assert learns == any(component(other) == "trainer" for other in workloads(manifests))


def test_what_a_hook_needs_is_there_before_it(render: Render) -> None:
    manifests = render(WATCHED)
    (job,) = [workload for workload in workloads(manifests) if is_hook(workload)]
    mounted = config_map(job, manifests)
    assert mounted is not None
    assert is_hook(mounted)
    weights = [int(m["metadata"]["annotations"]["helm.sh/hook-weight"]) for m in (mounted, job)]
    assert weights == sorted(weights)
    assert weights[0] < weights[1]
    assert "serviceAccountName" not in pod(job)["spec"]
    assert {workload["kind"] for workload in workloads(manifests) if not is_hook(workload)} == {
        "StatefulSet", "Deployment",
    }  # fmt: skip


def test_a_new_catalogue_restarts_nobody(render: Render) -> None:
    """Workers and trainers follow the file."""
    before, after = (
        render(WATCHED, *more)
        for more in ([], [{"catalogue": {"inline": "learning: {}\ntags: {}\n"}}])
    )
    pods = [[pod(w) for w in workloads(manifests)] for manifests in (before, after)]
    assert pods[0] == pods[1]
    assert before != after


def test_a_new_chart_of_the_same_program_restarts_nobody(render: Render, tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(CHART, newer)
    text = (newer / "Chart.yaml").read_text()
    (newer / "Chart.yaml").write_text(text.replace("\nversion: 0.1.0", "\nversion: 9.9.9"))
    assert "9.9.9" in (newer / "Chart.yaml").read_text()
    pods = [[pod(w) for w in workloads(render(WATCHED, chart=c))] for c in (CHART, newer)]
    assert pods[0] == pods[1]


def test_settings_change_every_pod(render: Render) -> None:
    before, after = (
        {component(w): pod(w) for w in workloads(render(WATCHED, *more))}
        for more in ([], [{"settings": {"log_level": "DEBUG"}}])
    )
    assert all(before[name] != after[name] for name in ("worker", "trainer", "topics"))


def test_each_setting_can_be_given(render: Render) -> None:
    """The schema's names become the program's variables, one by one."""
    names = schema()["properties"]["settings"]["properties"]
    assert {PREFIX + name.upper() for name in names} <= {
        PREFIX + name.upper() for name in Settings.model_fields
    }
