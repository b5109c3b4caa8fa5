"""helm, schemas of three Kubernetes versions, the Pod Security code, the operators' types."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from support.chart import (
    CASES,
    CHART,
    KUBERNETES,
    TOOLS,
    Manifest,
    container,
    helm,
    of_kind,
    one,
    pod,
    workloads,
)

Render = Callable[..., list[Manifest]]
OPERATORS = ("monitoring.coreos.com/", "keda.sh/")
cases = pytest.mark.parametrize("case", CASES, ids=lambda path: path.name.split("-")[0])


def against_schemas(manifests: list[Manifest], kubernetes: str, folder: Path) -> str:
    """What kubernetes-validate finds in what belongs to Kubernetes itself; empty: nothing."""
    paths = []
    for number, manifest in enumerate(manifests):
        if not manifest["apiVersion"].startswith(OPERATORS):
            paths.append(folder / f"manifest-{number}.yaml")
            paths[-1].write_text(yaml.safe_dump(manifest))
    done = subprocess.run(
        [TOOLS / "venv/bin/kubernetes-validate", "--strict", "--quiet", "-k", kubernetes, *paths],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr if done.returncode else ""


def by_types(manifests: list[Manifest]) -> list[str]:
    """What kubecheck finds: pods that are not restricted, fields that operators do not know."""
    done = subprocess.run(
        [TOOLS / "kubecheck"],
        input=yaml.safe_dump_all(manifests), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


@cases
def test_helm_lints(case: Path) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), "-f", str(case))


@cases
@pytest.mark.parametrize("kubernetes", KUBERNETES)
def test_manifests_are_what_kubernetes_takes(
    render: Render, case: Path, kubernetes: str, tmp_path: Path
) -> None:
    manifests = render(case, kubernetes=f"{kubernetes}.0")
    assert workloads(manifests)
    assert against_schemas(manifests, kubernetes, tmp_path) == ""


@cases
def test_pods_are_restricted_and_operators_know_their_objects(render: Render, case: Path) -> None:
    assert by_types(render(case)) == []


def test_the_schemas_find_a_field_that_is_none(render: Render, tmp_path: Path) -> None:
    manifests = copy.deepcopy(render(CASES[0]))
    pod(one(manifests, "StatefulSet"))["spec"]["terminationGraceSeconds"] = 30
    assert "terminationGraceSeconds" in against_schemas(manifests, KUBERNETES[0], tmp_path)


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("allowPrivilegeEscalation", "allowPrivilegeEscalation != false"),
        ("capabilities", "unrestricted capabilities"),
    ],
)
def test_a_pod_that_may_more_is_found(render: Render, setting: str, found: str) -> None:
    for workload in workloads(render(CASES[0])):
        spec = pod(workload)["spec"]
        del spec["containers"][0]["securityContext"][setting]
        (fault,) = by_types([workload])
        assert found in fault


def test_a_pod_of_root_or_without_seccomp_is_found(render: Render) -> None:
    worker = one(render(CASES[0]), "StatefulSet")
    context = pod(worker)["spec"]["securityContext"]
    del context["runAsNonRoot"], context["seccompProfile"]
    assert sorted(fault.split(": ")[1] for fault in by_types([worker])) == [
        "runAsNonRoot != true",
        "seccompProfile",
    ]


@pytest.mark.parametrize("kind", ["PodMonitor", "PrometheusRule", "ScaledObject"])
def test_a_field_that_an_operator_does_not_know_is_found(render: Render, kind: str) -> None:
    manifest = one(render(CHART / "ci/watched-values.yaml"), kind)
    manifest["spec"]["retries"] = 3
    (fault,) = by_types([manifest])
    assert "retries" in fault


@cases
def test_what_no_standard_asks_for(render: Render, case: Path) -> None:
    """Beyond the standard: no writable image, no token, no addresses of Services as variables."""
    for workload in workloads(render(case)):
        spec = pod(workload)["spec"]
        assert container(workload)["securityContext"]["readOnlyRootFilesystem"] is True
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False


@cases
def test_no_secret_is_made(render: Render, case: Path) -> None:
    assert of_kind(render(case), "Secret") == []
