from __future__ import annotations

import logging
from pathlib import Path

import pytest
from aiokafka.protocol.admin import SaslAuthenticateRequest
from aiokafka.protocol.metadata import MetadataRequest

from stream_app.security import SecurityError, read_secret
from stream_app.security.secret import keep_logins_out_of_logs


def test_only_the_line_break_at_the_end_is_no_part_of_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    for text in ("pass word ", "pass word \n", "pass word \r\n"):
        file.write_bytes(text.encode())
        assert read_secret(str(file)) == "pass word "


def test_a_file_without_a_secret_is_named(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    with pytest.raises(SecurityError, match=r"secret cannot be read: No such file"):
        read_secret(str(file))
    file.write_text("\n")
    with pytest.raises(SecurityError, match=r"secret is empty"):
        read_secret(str(file))
    file.write_bytes(b"hunter\xff")
    with pytest.raises(SecurityError, match=r"holds no text") as raised:
        read_secret(str(file))
    assert "hunter" not in repr(raised.value.__cause__)


def test_aiokafka_logs_no_login(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("aiokafka.conn")
    before = list(logger.filters)
    keep_logins_out_of_logs()
    keep_logins_out_of_logs()
    versions = {36: (0, 1), 3: (0, 5)}
    try:
        assert len(logger.filters) <= len(before) + 1
        with caplog.at_level("DEBUG"):
            for request in (SaslAuthenticateRequest(b"\0u\0hunter2"), MetadataRequest(["clicks"])):
                logger.debug("Request to %s:%d %d: %s", "a", 1, 2, request.prepare(versions))
    finally:
        logger.filters[:] = before
    assert "hunter2" not in caplog.text
    assert "clicks" in caplog.text
