"""What errors say; that brokers raise them: tests/system/test_security.py."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from stream_app.cli.errors import explain as to_lines
from stream_app.kafka.client.refused import (
    Away,
    Called,
    Refused,
    Why,
    ask_all,
    explain,
    why_refused,
)
from stream_app.kafka.errors import Refusal

SASL = Called(
    "kafka",
    9093,
    {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_plain_username": "shop"},
)
TOKEN = Called("kafka", 9093, {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"})


def certificate(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, message)
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize(
    ("called", "error", "said", "lasting"),
    [
        (SASL, certificate(10, "certificate has expired"), "not valid now", False),
        (SASL, certificate(9, "certificate is not yet valid"), "this machine's clock", False),
        (SASL, certificate(62, "Hostname mismatch"), "of another host", True),
        (SASL, certificate(19, "self-signed certificate"), "STREAM_APP_SSL_CAFILE", True),
        (SASL, SaslAuthenticationFailed("Invalid."), "no user shop with this", True),
        (TOKEN, SaslAuthenticationFailed("{}"), "refuses our token", True),
        (SASL, UnsupportedSaslMechanismError("only PLAIN"), "only PLAIN: set", True),
        (SASL, IllegalSaslStateError(), "PROTOCOL to SSL", True),
        (SASL, socket.gaierror(-2, "unknown"), "no address", False),
        (SASL, ConnectionRefusedError(), "nobody listens", False),
    ],
)
def test_each_says_what_to_do_and_whether_to_wait(
    called: Called, error: BaseException, said: str, lasting: bool
) -> None:
    hidden = KafkaConnectionError("closed")
    hidden.__cause__ = error
    for one in (error, hidden):
        why = explain(called, one)
        assert why is not None
        assert said in why.text
        assert why.lasting is lasting


def test_a_closed_connection_says_nothing() -> None:
    assert explain(SASL, KafkaConnectionError("closed")) is None


async def test_nobody_at_home_is_told_by_address() -> None:
    error = KafkaConnectionError("Unable to bootstrap")
    options = {"bootstrap_servers": ["127.0.0.1:1"], "security_protocol": "PLAINTEXT"}
    told = await why_refused(options, error)
    assert isinstance(told, Away)
    assert str(told).startswith("Kafka at 127.0.0.1:1: nobody listens there")
    assert to_lines(told) == [str(told)]


def test_a_refusal_ends_the_process_for_an_operator() -> None:
    assert issubclass(Refused, Refusal)
    assert to_lines(Refused("Kafka at a:1: no")) == ["Kafka at a:1: no"]


@pytest.mark.timeout(5)
def test_errors_that_are_their_own_causes_come_to_an_end() -> None:
    itself, one, other = KafkaConnectionError("itself"), OSError("one"), OSError("other")
    itself.__cause__, one.__cause__, other.__cause__ = itself, other, one
    assert explain(SASL, itself) is None
    assert explain(SASL, one) is None


@pytest.mark.timeout(10)
async def test_one_that_hangs_holds_up_none_of_the_others() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        hangs = f"127.0.0.1:{silent.getsockname()[1]}"
        options = {
            "bootstrap_servers": [hangs, "127.0.0.1:1", hangs, f"{'a' * 64}.example:9092"],
            "security_protocol": "PLAINTEXT",
        }
        async with asyncio.timeout(4):
            answers = await ask_all(options, 1)
    said = [answer.text for _, _, answer in answers if isinstance(answer, Why)]
    assert [text.partition(":")[0] for text in said] == [
        "no answer within 1 s",
        "nobody listens there",
        "no answer within 1 s",
        "this can be no address",
    ]
