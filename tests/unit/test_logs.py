from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from stream_app.logs import FIELDS, JsonFormatter, set_up_logging
from stream_app.settings import Settings


@pytest.fixture
def loggers() -> Iterator[None]:
    """Leaves the loggers as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in ("aiokafka", "faust", "mode")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, former in quiet.items():
        logging.getLogger(name).setLevel(former)


def line(message: str, *args: object, extra: dict[str, Any] | None = None, **more: Any) -> Any:
    """What a machine reads of a record."""
    record = logging.getLogger("shop.test").makeRecord(
        "shop.test", logging.WARNING, __file__, 1, message, args, more.get("exc_info"), extra=extra
    )
    written = JsonFormatter().format(record)
    assert "\n" not in written
    return json.loads(written)


def test_a_line_has_time_level_logger_and_message() -> None:
    found = line("Partition %d: it\nwaits", 3)
    assert found.keys() == {"timestamp", "level", "logger", "message"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["timestamp"])
    assert found["level"] == "WARNING"
    assert found["logger"] == "shop.test"
    assert found["message"] == "Partition 3: it\nwaits"


def test_what_a_line_is_about_is_a_field() -> None:
    found = line("Read", extra={"topic": "clicks", "partition": 3, "secret": "x"})
    assert (found["topic"], found["partition"]) == ("clicks", 3)
    assert "secret" not in found


def test_no_field_hides_what_every_record_has() -> None:
    record = logging.makeLogRecord({})
    assert not any(hasattr(record, name) for name in FIELDS)


def test_an_error_has_its_traceback() -> None:
    try:
        raise RuntimeError("gone")
    except RuntimeError as error:
        found = line("Ending", exc_info=(type(error), error, error.__traceback__))
    assert "RuntimeError: gone" in found["error"]


@pytest.mark.usefixtures("loggers")
@pytest.mark.parametrize("form", ["text", "json"])
def test_lines_go_to_stderr_in_the_form_that_is_set(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(Settings(log_format=form))
    logging.getLogger("stream_app").info("Here")
    logging.getLogger("aiokafka").info("A request")
    logging.getLogger("stream_app").debug("A detail")
    (written,) = capsys.readouterr().err.splitlines()
    assert written.startswith("{") == (form == "json")
    assert "Here" in written
