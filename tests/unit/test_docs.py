from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream_app.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SOURCES = sorted(ROOT.glob("stream_app/**/*.py"))
LINK = re.compile(r"\]\(([^)#\s]+)")
VARIABLE = re.compile(rf"\b{PREFIX}[A-Z_]*[A-Z]\b")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    links = [link for link in LINK.findall(document.read_text()) if "://" not in link]
    missing = [link for link in links if not (document.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("path", [*DOCUMENTS, *SOURCES], ids=name)
def test_variables_that_are_named_exist(path: Path) -> None:
    settings = {PREFIX + field.upper() for field in Settings.model_fields}
    assert set(VARIABLE.findall(path.read_text())) <= settings


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for document in DOCUMENTS
        for line in re.findall(r"(?:`|^    )make ([a-z -]+)", document.read_text(), re.MULTILINE)
        for target in line.split("  ")[0].split()
    }
    assert named
    assert named <= targets


def test_the_site_leads_to_every_document_and_architecture_to_every_decision() -> None:
    places = {str(path.relative_to(ROOT / "docs")) for path in ROOT.glob("docs/**/*.md")}
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    assert places <= set(re.findall(r": (\S+\.md)$", nav, re.MULTILINE))
    decisions = {place for place in places if place.startswith("adr/")}
    assert decisions <= set(LINK.findall((ROOT / "docs/architecture.md").read_text()))
