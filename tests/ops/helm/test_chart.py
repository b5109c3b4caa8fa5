"""How the objects of the chart belong together, and what the chart refuses."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.chart import (
    CASES,
    CHART,
    Manifest,
    Refused,
    component,
    container,
    helm,
    of_kind,
    one,
    pod,
    selects,
    workloads,
)

Render = Callable[..., list[Manifest]]
cases = pytest.mark.parametrize("case", CASES, ids=lambda path: path.name.split("-")[0])
SECURED, WATCHED = CHART / "ci/secured-values.yaml", CHART / "ci/watched-values.yaml"
PROMETHEUS = [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]


def labels(workload: Manifest) -> dict[str, str]:
    found: dict[str, str] = pod(workload)["metadata"]["labels"]
    return found


@cases
def test_each_selector_takes_the_pods_that_it_is_for(render: Render, case: Path) -> None:
    manifests = render(case)
    for manifest in manifests:
        if manifest["kind"] == "Service":
            selector = {"matchLabels": manifest["spec"]["selector"]}
        elif manifest["kind"] in ("StatefulSet", "Deployment", "PodDisruptionBudget"):
            selector = manifest["spec"]["selector"]
        else:
            continue
        taken = [component(w) for w in workloads(manifests) if selects(selector, labels(w))]
        assert taken == [component(manifest)]


@cases
def test_every_pod_is_under_one_network_policy(render: Render, case: Path) -> None:
    manifests = render(case)
    policies = of_kind(manifests, "NetworkPolicy")
    off = case.name.startswith("small")
    for workload in workloads(manifests):
        over = [p for p in policies if selects(p["spec"]["podSelector"], labels(workload))]
        assert len(over) == (0 if off else 1)
    assert all(p["spec"]["policyTypes"] == ["Ingress", "Egress"] for p in policies)


def test_pods_reach_kafka_and_dns_only(render: Render) -> None:
    for policy in of_kind(render(SECURED), "NetworkPolicy"):
        kafka, dns = policy["spec"]["egress"]
        assert [port["port"] for port in kafka["ports"]] == [9096, 9097]
        assert kafka["to"] == [{"ipBlock": {"cidr": "10.20.0.0/16"}}]
        assert {(port["port"], port["protocol"]) for port in dns["ports"]} == {
            (53, "UDP"), (53, "TCP"),
        }  # fmt: skip


def test_nobody_reaches_pods_unless_told(render: Render) -> None:
    assert all(p["spec"]["ingress"] == [] for p in of_kind(render(), "NetworkPolicy"))
    told = render({"networkPolicy": {"metricsFrom": PROMETHEUS}})
    (rule,) = of_kind(told, "NetworkPolicy")[0]["spec"]["ingress"]
    assert rule == {"from": PROMETHEUS, "ports": [{"port": "http", "protocol": "TCP"}]}


@pytest.mark.parametrize("kind", ["none", "ephemeral", "persistent"])
def test_workers_alone_have_room_for_profiles_beyond_memory(render: Render, kind: str) -> None:
    given = {"worker": {"store": {"kind": kind, "size": "7Gi", "storageClassName": "ssd"}}}
    if kind != "none":
        given["settings"] = {"max_resident_users": 5}
    manifests = render(given)
    for workload in workloads(manifests):
        by_name = {
            variable["name"]: variable.get("value") for variable in container(workload)["env"]
        }
        places = {m["name"]: m["mountPath"] for m in container(workload)["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in pod(workload)["spec"]["volumes"]}
        of_worker = component(workload) == "worker"
        assert ("store" in places) == (of_worker and kind != "none")
        assert ("STREAM_APP_STATE_DIR" in by_name) == (kind != "none")
        assert ("store" in volumes) == (of_worker and kind == "ephemeral")
        if "store" in places:
            assert places["store"] == by_name["STREAM_APP_STATE_DIR"]
        if "store" in volumes:
            assert volumes["store"]["emptyDir"] == {"sizeLimit": "7Gi"}
    (worker,) = of_kind(manifests, "StatefulSet")
    claims = worker["spec"].get("volumeClaimTemplates", [])
    assert [claim["metadata"]["name"] for claim in claims] == ["store"] * (kind == "persistent")
    for claim in claims:
        assert claim["spec"]["resources"] == {"requests": {"storage": "7Gi"}}
        assert claim["spec"]["storageClassName"] == "ssd"


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("http://collector:4318", 4318), ("https://spans.example/tags", 443), ("http://c", 80)],
)
def test_workers_send_spans_where_they_may(render: Render, endpoint: str, port: int) -> None:
    manifests = render({"tracing": {"endpoint": endpoint, "headersSecret": "collector"}})
    for workload in workloads(manifests):
        by_name = {variable["name"]: variable for variable in container(workload)["env"]}
        told = {"STREAM_APP_TRACES", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"}
        assert (told <= set(by_name)) == (component(workload) == "worker")
    secret = {"name": "collector", "key": "headers"}
    (worker,) = of_kind(manifests, "StatefulSet")
    by_name = {variable["name"]: variable for variable in container(worker)["env"]}
    assert by_name["OTEL_EXPORTER_OTLP_HEADERS"]["valueFrom"] == {"secretKeyRef": secret}
    assert by_name["OTEL_TRACES_SAMPLER_ARG"]["value"] == "0.01"
    policy = next(p for p in of_kind(manifests, "NetworkPolicy") if component(p) != "topics")
    assert policy["spec"]["egress"][-1] == {"ports": [{"port": port, "protocol": "TCP"}]}
    assert "OTEL" not in str(render())


def test_a_password_in_the_collectors_address_is_refused(render: Render) -> None:
    with pytest.raises(Refused, match="tracing"):
        render({"tracing": {"endpoint": "http://user:word@collector:4318"}})


@pytest.mark.parametrize("kind", ["PodMonitor", "ServiceMonitor"])
def test_monitors_find_workers_and_trainers(render: Render, kind: str) -> None:
    given = {"monitoring": {"scrape": kind}, "networkPolicy": {"metricsFrom": PROMETHEUS}}
    manifests = render(given)
    selector = one(manifests, kind)["spec"]["selector"]
    targets = (
        [(component(w), labels(w)) for w in workloads(manifests)]
        if kind == "PodMonitor"
        else [(component(s), s["metadata"]["labels"]) for s in of_kind(manifests, "Service")]
    )
    assert {name for name, of in targets if selects(selector, of)} == {"worker", "trainer"}


def test_passwords_come_from_the_secret_that_is_named(render: Render) -> None:
    for workload in workloads(render(SECURED)):
        by_name = {variable["name"]: variable for variable in container(workload)["env"]}
        user = by_name["STREAM_APP_SASL_USERNAME"]["valueFrom"]["secretKeyRef"]
        assert user == {"name": "kafka-user", "key": "username"}
        assert "STREAM_APP_SASL_PASSWORD" not in by_name
        volumes = {volume["name"]: volume for volume in pod(workload)["spec"]["volumes"]}
        assert volumes["kafka-login"]["secret"] == {
            "secretName": "kafka-user",
            "items": [{"key": "password", "path": "password"}],
        }


def test_keda_logs_in_as_the_workers_do(render: Render) -> None:
    manifests = render(CHART / "ci/oauth-values.yaml")
    for trigger in one(manifests, "ScaledObject")["spec"]["triggers"]:
        told = trigger["metadata"]
        assert (told["sasl"], told["tls"]) == ("oauthbearer", "enable")
        assert told["oauthTokenEndpointUri"] == "https://login.example/oauth2/token"
    given = one(manifests, "TriggerAuthentication")["spec"]["secretTargetRef"]
    assert {ref["parameter"]: (ref["name"], ref["key"]) for ref in given} == {
        "username": ("kafka-client", "id"),
        "password": ("kafka-client", "secret"),
        "cert": ("kafka-cert", "tls.crt"),
        "key": ("kafka-cert", "tls.key"),
        "keyPassword": ("kafka-cert", "password"),
        "ca": ("kafka-ca", "ca.crt"),
    }


def test_monitors_show_the_token(render: Render) -> None:
    secure = one(render(CHART / "ci/oauth-values.yaml"), "PodMonitor")
    (endpoint,) = secure["spec"]["podMetricsEndpoints"]
    assert endpoint["scheme"] == "https"
    assert endpoint["authorization"]["credentials"] == {"name": "metrics", "key": "token"}


@pytest.mark.parametrize(
    ("given", "most"),
    [
        ({"kind": "keda"}, 12),
        ({"kind": "keda", "maxReplicas": 5}, 5),
        ({"kind": "hpa"}, 12),
        ({"kind": "hpa", "maxReplicas": 12}, 12),
    ],
)
def test_never_more_workers_than_partitions(
    render: Render, given: dict[str, Any], most: int
) -> None:
    manifests = render({"autoscaling": given})
    scaler = one(
        manifests, {"keda": "ScaledObject", "hpa": "HorizontalPodAutoscaler"}[given["kind"]]
    )
    spec, workers = scaler["spec"], one(manifests, "StatefulSet")
    assert spec.get("maxReplicaCount", spec.get("maxReplicas")) == most
    assert spec["scaleTargetRef"]["name"] == workers["metadata"]["name"]
    assert "replicas" not in workers["spec"]


def test_keda_looks_at_the_lag_of_both_inputs(render: Render) -> None:
    triggers = one(render(WATCHED), "ScaledObject")["spec"]["triggers"]
    assert [trigger["metadata"]["topic"] for trigger in triggers] == ["shop.clicks", "purchases"]
    assert {trigger["metadata"]["consumerGroup"] for trigger in triggers} == {"stream_app"}
    assert {trigger["metadata"]["allowIdleConsumers"] for trigger in triggers} == {"false"}
    assert all(isinstance(v, str) for trigger in triggers for v in trigger["metadata"].values())


def test_the_rules_are_those_of_the_file(render: Render) -> None:
    rules = yaml.safe_load((CHART / "files/rules.yml").read_text())
    assert one(render(WATCHED), "PrometheusRule")["spec"] == rules


def test_without_a_trainer_nobody_is_told_that_it_is_away(render: Render) -> None:
    none = {"trainer": {"enabled": False}, "catalogue": {"inline": "tags: {}"}}
    groups = one(render(WATCHED, none), "PrometheusRule")["spec"]["groups"]
    assert [group["name"] for group in groups] == ["stream-app-slo", "stream-app"]


def test_dashboards_arrive_unchanged(render: Render, tmp_path: Path) -> None:
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    board = {"title": "{{ not a template }}", "panels": [{"expr": 'rate(x{a="b"}[5m]) > 0'}]}
    (chart / "files/dashboards/flow.json").write_text(json.dumps(board, indent=2))
    maps = [m for m in of_kind(render(WATCHED, chart=chart), "ConfigMap") if "dash" in str(m)]
    assert [json.loads(m["data"]["flow.json"]) for m in maps if "flow.json" in m["data"]] == [board]
    assert maps[0]["metadata"]["labels"]["grafana_dashboard"] == "1"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"autoscaling": {"kind": "keda", "maxReplicas": 13}}, "more than settings.partitions 12"),
        ({"autoscaling": {"kind": "hpa", "minReplicas": 13}}, "more than the most"),
        ({"kafka": {"securityProtocol": "SASL_SSL"}}, "needs kafka.sasl.existingSecret"),
        (
            {"kafka": {"securityProtocol": "SASL_PLAINTEXT", "sasl": {"existingSecret": "u"}}},
            "would send the login unencrypted",
        ),
        (
            {
                "kafka": {
                    "securityProtocol": "SASL_SSL",
                    "sasl": {"mechanism": "OAUTHBEARER", "existingSecret": "u"},
                }
            },
            "needs either kafka.sasl.oauth.tokenUrl or",
        ),
        ({"kafka": {"sasl": {"oauth": {"tokenKey": "t"}}}}, "has no use unless"),
        ({"kafka": {"tls": {"caSecret": "ca"}}}, "no use with kafka.securityProtocol PLAINTEXT"),
        ({"kafka": {"sasl": {"password": "x"}}}, "password"),
        ({"monitoring": {"scrape": "PodMonitor"}}, "needs networkPolicy.metricsFrom"),
        ({"catalogue": {"inline": "tags: {}"}}, "declares no learning"),
        ({"catalogue": {"inline": "tags: {"}}, "is no YAML"),
        ({"catalogue": {"inline": "learning: {}", "existingConfigMap": "x"}}, "cannot both"),
        ({"settings": {"partition": 4}}, "partition"),
        ({"settings": {"sasl_password": "x"}}, "sasl_password"),
        ({"settings": {"log_level": "LOUD"}}, "log_level"),
        ({"trainer": {"replicas": 3}}, "replicas"),
        ({"worker": {"replica": 3}}, "replica"),
        ({"pod": {"runAsUser": 0}}, "runAsUser"),
        ({"settings": {"max_resident_users": 9}}, "needs worker.store.kind"),
        ({"worker": {"store": {"kind": "persistent"}}}, "no use without settings.max_resident"),
    ],
)
def test_what_cannot_work_is_refused(render: Render, given: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        render(given)


@cases
def test_names_fit_however_long_the_release_is(case: Path, tmp_path: Path) -> None:
    text = helm(
        "template", "a" * 53, str(CHART), "--kube-version", "1.37.0", "-f", str(case),
    )  # fmt: skip
    names = [m["metadata"]["name"] for m in yaml.safe_load_all(text) if m]
    assert max(map(len, names)) <= 63
    assert "a" * 30 in names[0]


@cases
def test_notes_name_what_there_is(render: Render, case: Path, tmp_path: Path) -> None:
    # Only `helm install` shows notes, and it wants a cluster: here they are part of a manifest.
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    (chart / "templates/NOTES.txt").rename(chart / "notes")
    template = 'kind: Notes\ntext: {{ tpl (.Files.Get "notes") . | toJson }}\n'
    (chart / "templates/notes.yaml").write_text(template)
    manifests = render(case, chart=chart)
    notes = one(manifests, "Notes")["text"]
    workers = one(manifests, "StatefulSet")["metadata"]["name"]
    assert re.findall(r"statefulset/(\S+)", notes) == [workers]
    assert set(re.findall(r"(?:exec|logs) (\S+)", notes)) == {f"{workers}-0"}
    assert ("Nobody reads /metrics" in notes) == (not monitored(manifests))
    assert len(notes.splitlines()) < 20


def monitored(manifests: list[Manifest]) -> bool:
    """Whether Prometheus is told of the pods."""
    return bool(of_kind(manifests, "PodMonitor") + of_kind(manifests, "ServiceMonitor"))


def test_the_package_has_what_is_needed(tmp_path: Path) -> None:
    helm("package", str(CHART), "-d", str(tmp_path))
    (package,) = tmp_path.glob("*.tgz")
    assert "alert: StreamAppNotReady" in helm(
        "template", str(package), "--kube-version", "1.37.0", "--set",
        "monitoring.rules.enabled=true",
    )  # fmt: skip
    assert "## Values" in helm("show", "readme", str(package))
