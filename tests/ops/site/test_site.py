"""The documents as a site: mkdocs in its strict way, and mike for versions."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.image import ROOT

TOOLS = ROOT / ".cache/ops/venv/bin"
SOURCE = "https://forge.example/shop/tags/blob/main"
WRITTEN = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "mkdocs.yml", "docs"]
LINKED = ["LICENSE", "deploy", "helm", "schemas", "stream_app", "tests"]


def run(folder: Path, *command: str | Path, source: str = "") -> subprocess.CompletedProcess[str]:
    tools = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"SITE_SOURCE": source, "PATH": tools, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=100
    )


def build(folder: Path, site: Path, source: str = "") -> subprocess.CompletedProcess[str]:
    command = [TOOLS / "mkdocs", "build", "--strict", "--site-dir", site]
    return run(folder, *command, source=source)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the site is made from, to change it."""
    folder = tmp_path / "checkout"
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts/documents.py", folder / "scripts")
    for name in WRITTEN:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name)
        else:
            shutil.copy(ROOT / name, folder / name)
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    return folder


def test_it_is_built_without_a_warning(tmp_path: Path) -> None:
    done = build(ROOT, tmp_path / "site", SOURCE)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    documents = [path.relative_to(ROOT / "docs") for path in ROOT.glob("docs/**/*.md")]
    for document in [*documents, Path("changelog.md"), Path("contributing.md")]:
        assert (tmp_path / "site" / document.with_suffix("") / "index.html").exists(), document
    settings = (tmp_path / "site/settings/index.html").read_text()
    assert "STREAM_APP_BOOTSTRAP_SERVERS" in settings


@pytest.mark.parametrize("source", [SOURCE, ""], ids=["shown", "not-shown"])
def test_files_of_the_repository_are_linked_where_they_are_shown(
    tmp_path: Path, source: str
) -> None:
    assert build(ROOT, tmp_path / "site", source).returncode == 0
    start = (tmp_path / "site/index.html").read_text()
    assert (f'href="{SOURCE}/stream_app/catalogs/retail.yaml"' in start) == bool(source)
    assert 'src="flow.svg"' in start
    assert 'href="messages/#dead-letters"' in start
    for page in (tmp_path / "site").rglob("*.html"):
        links = re.findall(r'href="(?!https?:)([^"#]*)', page.read_text())
        assert not [link for link in links if link.endswith((".md", ".yaml", ".py"))] or source


@pytest.mark.parametrize(
    "wrong", ["[gone](nowhere.md)", "[gone](settings.md#nowhere)", "[gone](../docs/nowhere.md)"]
)
def test_a_link_to_nowhere_fails(checkout: Path, tmp_path: Path, wrong: str) -> None:
    with (checkout / "docs/meaning.md").open("a") as document:
        document.write(f"\n{wrong}\n")
    done = build(checkout, tmp_path / "site")
    assert done.returncode == 1
    assert "nowhere" in done.stderr


def test_a_document_that_nothing_leads_to_fails(checkout: Path, tmp_path: Path) -> None:
    (checkout / "docs/forgotten.md").write_text("# Forgotten\n")
    done = build(checkout, tmp_path / "site")
    assert done.returncode == 1
    assert "forgotten.md" in done.stderr


def test_versions_stand_beside_one_another(checkout: Path) -> None:
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    run(checkout, "git", "init", "--quiet")
    run(checkout, *git, "add", "--all")
    assert run(checkout, *git, "commit", "--quiet", "-m", "all").returncode == 0
    for name in ("user.name", "user.email"):
        run(checkout, "git", "config", name, "t@example.org")
    for version in ("0.1", "0.2"):
        with (checkout / "docs/meaning.md").open("a") as document:
            document.write(f"\nOf version {version}.\n")
        done = run(checkout, TOOLS / "mike", "deploy", "--update-aliases", version, "latest")
        assert done.returncode == 0, done.stderr
    listed = run(checkout, "git", "ls-tree", "--name-only", "gh-pages").stdout.split()
    assert {"0.1", "0.2", "latest", "versions.json"} <= set(listed)
    shown = json.loads(run(checkout, "git", "show", "gh-pages:versions.json").stdout)
    assert [(one["version"], one["aliases"]) for one in shown] == [("0.2", ["latest"]), ("0.1", [])]
    # Each as it was, and with the choice of the others.
    for version, has in {"0.1": (True, False), "0.2": (True, True)}.items():
        page = run(checkout, "git", "show", f"gh-pages:{version}/meaning/index.html").stdout
        assert tuple(f"Of version {one}." in page for one in ("0.1", "0.2")) == has
        assert '"version": {' in page
