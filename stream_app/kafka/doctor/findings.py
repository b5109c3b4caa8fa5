"""What the doctor says: a line each, with what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad it is: a problem needs somebody now, a warning should be looked at."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `remedy` is empty where `text` says it, or all is well."""

    subject: str
    state: State
    text: str
    remedy: str = ""


def ok(subject: str, text: str) -> Finding:
    """All is well."""
    return Finding(subject, State.OK, text)


def warning(subject: str, text: str, remedy: str = "") -> Finding:
    """Should be looked at."""
    return Finding(subject, State.WARNING, text, remedy)


def problem(subject: str, text: str, remedy: str = "") -> Finding:
    """Needs somebody."""
    return Finding(subject, State.PROBLEM, text, remedy)


def healthy(findings: Iterable[Finding]) -> bool:
    """Whether none is a problem."""
    return all(finding.state is not State.PROBLEM for finding in findings)
