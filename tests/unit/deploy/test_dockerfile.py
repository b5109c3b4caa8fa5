"""What the Dockerfile promises, as far as reading it can tell; tests/ops/image carries it out."""

from __future__ import annotations

import re

import pytest
from support.image import DOCKERFILE, ROOT, TARGET, allowed, of_stage, steps

STEPS = steps(DOCKERFILE.read_text())
LOCKS = ["requirements.lock", "requirements-demo.lock", "deploy/image/build.lock"]


def test_each_image_from_elsewhere_has_an_exact_version() -> None:
    stages = {step.stage for step in STEPS}
    taken = {step.rest.partition(" AS ")[0] for step in STEPS if step.word == "FROM"} - stages
    assert len(taken) == 1
    (base,) = taken
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", base)
    (labels,) = of_stage("base", "LABEL")
    assert f'image.base.name="docker.io/library/{base.partition("@")[0]}"' in labels


def test_a_build_without_a_target_makes_the_program() -> None:
    assert STEPS[-1].stage == "program"


@pytest.mark.parametrize("stage", ["build", "build-demo"])
def test_what_is_copied_is_there_and_nothing_else_is_sent(stage: str) -> None:
    sources = {name.rstrip("/") for rest in of_stage(stage, "COPY") for name in rest.split()[:-1]}
    assert all((ROOT / name).exists() for name in sources)
    assert sources <= set(allowed())
    everything = [r for s in ("build", "build-demo", "base") for r in of_stage(s, "COPY")]
    named = {name.rstrip("/") for rest in everything for name in rest.split()[:-1]}
    assert set(allowed()) == {name for name in named if not name.startswith("deploy/image/")}


@pytest.mark.parametrize("stage", ["build", "build-demo"])
def test_all_that_is_installed_goes_by_the_same_script(stage: str) -> None:
    script = f"sh deploy/image/install.sh {{}} {TARGET}"
    lock = "requirements-demo.lock" if "demo" in stage else "requirements.lock"
    assert of_stage(stage, "RUN") == [
        f"{script.format('dependencies')} {lock}", script.format("program"),
    ]  # fmt: skip


@pytest.mark.parametrize("lock", LOCKS)
def test_each_locked_package_has_a_version_and_hashes(lock: str) -> None:
    entries = re.sub(r"\\\n\s*", " ", (ROOT / lock).read_text()).splitlines()
    wrong = [
        entry
        for entry in entries
        if entry and not re.match(r"[a-z0-9._\[\],-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry)
    ]
    assert len(entries) > 10
    assert not wrong


@pytest.mark.parametrize("stage", ["program", "demo"])
def test_final_stages_only_copy_what_was_built(stage: str) -> None:
    """No compiler, no installer and no source comes into them."""
    own = [step for step in STEPS if step.stage == stage]
    build = {"program": "build", "demo": "build-demo"}[stage]
    assert [step.word for step in own] == ["FROM", "COPY"]
    assert own[0].rest == f"base AS {stage}"
    assert own[1].rest == f"--from={build} {TARGET} {TARGET}"
    assert of_stage("base", "RUN") == ["python -m pip uninstall --yes pip"]


def test_it_runs_as_a_number_that_is_not_root() -> None:
    (user,) = of_stage("base", "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    chart = (ROOT / "helm/stream-app/values.yaml").read_text()
    assert f"runAsUser: {user.split(':')[0]}\n" in chart
    assert [step.word for step in STEPS if step.stage == "base"].index("USER") > [
        step.word for step in STEPS if step.stage == "base"
    ].index("RUN")


def test_signals_reach_the_program() -> None:
    """In the form of a list no shell stands between."""
    assert of_stage("base", "ENTRYPOINT") == ['["stream-app"]']
    (check,) = of_stage("base", "HEALTHCHECK")
    assert check.endswith('CMD ["python", "/opt/healthcheck.py"]')


def test_labels_say_what_it_is() -> None:
    (labels,) = of_stage("base", "LABEL")
    named = set(re.findall(r"org\.opencontainers\.image\.([a-z.]+)=", labels))
    assert named >= {"title", "description", "licenses", "version", "revision", "base.name"}
    assert 'licenses="Apache-2.0"' in labels
