from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from stream_app.logs import FIELDS, SAME_S, JsonFormatter, Repeats, set_up_logging
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


def said(name: str, *args: object) -> logging.LogRecord:
    """A line of a logger, about a node."""
    return logging.LogRecord(name, logging.ERROR, __file__, 1, "no node %d", args or (1,), None)


def test_kafkas_client_says_the_same_once_in_a_while_and_how_often() -> None:
    now = 100.0
    repeats = Repeats(lambda: now)
    assert repeats.filter(said("aiokafka"))
    assert not any(repeats.filter(said("aiokafka")) for _ in range(250))
    now += SAME_S
    again = said("aiokafka")
    assert repeats.filter(again)
    assert again.getMessage() == "no node 1 (and 250 times since this was said last)"
    now += SAME_S
    again = said("aiokafka")
    assert repeats.filter(again)
    assert again.getMessage() == "no node 1"


def test_other_lines_and_other_loggers_are_not_held_back() -> None:
    repeats = Repeats(lambda: 0.0)
    assert repeats.filter(said("aiokafka.conn"))
    assert repeats.filter(said("aiokafka.conn", 2))
    assert repeats.filter(said("aiokafka.client"))
    assert all(repeats.filter(said("stream_app.kafka")) for _ in range(3))


def test_it_does_not_remember_for_ever() -> None:
    repeats = Repeats(lambda: 0.0)
    for number in range(5_000):
        repeats.filter(said("aiokafka", number))
    assert len(repeats._passed) <= 1_000


def test_debugging_holds_nothing_back(loggers: None) -> None:
    for level, held in (("DEBUG", 0), ("INFO", 1)):
        set_up_logging(Settings(log_level=level))
        assert len(logging.getLogger().handlers[0].filters) == held
