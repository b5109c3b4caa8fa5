"""How settings come about: read, checked, named in errors, and shown."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from stream_app.settings import PREFIX, Settings

SERVICE_HOST: Final = "_SERVICE_HOST"
MASK: Final = "********"
SERVERS: Final = "bootstrap_servers"
_FORMS: Final = {
    SERVERS: "host:port,host:port",
    "oauth_token_url": "https://host/path, without user and password",
}
NAME: Final = "letters, digits, dots, dashes and underscores"


class SettingsError(Exception):
    """Settings that cannot be used; `problems` has a line each: name, value, what was expected."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(["The settings cannot be used:", *(f"  {p}" for p in problems)]))
        self.problems = problems


def resolve(**overrides: Any) -> Settings:
    """Settings from `overrides` (the command line), else the environment, else the defaults.

    An override of None stands for none given. Raises SettingsError, which names every problem,
    also STREAM_APP_* variables that are no setting.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    problems = unknown_variables(os.environ)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        problems += [_problem(details, given) for details in error.errors()]
    if problems:
        raise SettingsError(problems)
    settings._origins.update(_origins(settings, given))
    return settings


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """A line for each STREAM_APP_* variable that is no setting, with the nearest that is one."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    lines = []
    for name in sorted(environ):
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in known or _is_service_link(name, environ):
            continue
        nearest = difflib.get_close_matches(upper, known, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        lines.append(f"{name} is no setting{hint}")
    return lines


def _is_service_link(name: str, environ: Mapping[str, str]) -> bool:
    """Kubernetes puts such variables into every container beside a Service `stream-app...`."""
    services = (n.removesuffix(SERVICE_HOST) for n in environ if n.endswith(SERVICE_HOST))
    suffix = r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)"
    return any(re.fullmatch(re.escape(service) + suffix, name) for service in services)


def show(settings: Settings) -> str:
    """One line a setting: name, value, where it came from. Secrets are masked."""
    rows = [
        (name, _shown(getattr(settings, name)), settings._origins.get(name, "default"))
        for name in type(settings).model_fields
    ]
    wide = max(len(name) for name, _, _ in rows)
    return "\n".join(f"{name:<{wide}}  {value}  ({origin})" for name, value, origin in rows)


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return MASK
    return "-" if value is None else str(value)


def _origins(settings: Settings, given: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: "command line" if name in given else PREFIX + name.upper()
        for name in settings.model_fields_set
    }


def _problem(details: ErrorDetails, given: Mapping[str, Any]) -> str:
    if not details["loc"]:
        return details["msg"].removeprefix("Value error, ")
    name = str(details["loc"][0])
    where = name if name in given else PREFIX + name.upper()
    if details["type"] == "extra_forbidden":
        return f"{where} is no setting"
    value = MASK if _is_secret(name) or "@" in str(details["input"]) else details["input"]
    return f"{where}={value}: {_expected(details)}"


def _is_secret(name: str) -> bool:
    field = Settings.model_fields.get(name)
    return field is not None and "SecretStr" in str(field.annotation)


def _expected(details: ErrorDetails) -> str:
    if details["type"] == "string_pattern_mismatch":
        return f"expected {_FORMS.get(str(details['loc'][0]), NAME)}"
    return (
        details["msg"]
        .removeprefix("Value error, ")
        .replace("Input should be", "expected")
        .replace("String should", "expected to")
    )
