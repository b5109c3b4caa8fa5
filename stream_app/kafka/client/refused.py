"""Why no broker lets a client in: aiokafka logs that and raises something else, so it is asked."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from stream_app.kafka.errors import Refusal, causes
from stream_app.security.oauth import NoToken

#: How long (s) a broker is waited for.
_WAIT_S: Final = 10.0
Addresses = list[tuple[str, int]]
#: OpenSSL's codes of what is wrong with a certificate.
_EXPIRED: Final = frozenset({9, 10})
_OTHER_HOST: Final = frozenset({62, 64})

_NAME: Final = (
    "call it by a name that is in its certificate (STREAM_APP_BOOTSTRAP_SERVERS, and what the "
    "broker calls itself in advertised.listeners), or have that name put into it"
)
_TRUST: Final = (
    "its certificate is vouched for by nobody who is trusted here ({why}): set "
    "STREAM_APP_SSL_CAFILE to the PEM file of the brokers' authority"
)
_SHOW: Final = (
    "it asks for a certificate: set STREAM_APP_SSL_CERTFILE and STREAM_APP_SSL_KEYFILE to one "
    "that the brokers' authority has signed"
)


class Refused(Refusal):
    """No broker will let this client in before somebody changes something."""


class Away(KafkaConnectionError):
    """No broker lets this client in now, which may end by itself."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Why:
    """What is wrong, and whether trying again is of no use."""

    text: str
    lasting: bool = True


@dataclass(frozen=True)
class Called:
    """A broker's address, and how it was called."""

    host: str
    port: int
    options: Mapping[str, Any]
    wait_s: float = _WAIT_S

    @property
    def wait_ms(self) -> int:
        return int(self.wait_s * 1000)

    @property
    def tls(self) -> bool:
        return self.options["security_protocol"] in ("SSL", "SASL_SSL")

    @property
    def login(self) -> bool:
        return bool(self.options["security_protocol"].startswith("SASL"))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    async def open(self) -> AIOKafkaConnection:
        """A connection that is logged in. Raises what prevents it."""
        wait_ms = self.wait_ms
        return await create_conn(self.host, self.port, request_timeout_ms=wait_ms, **self.options)


async def why_refused(options: Mapping[str, Any], error: Exception) -> Exception:
    """Return what to raise instead of `error`, which a client with these options met.

    Refused where somebody has to change something, Away where time may help; `error` itself where
    every broker lets us in by now.
    """
    answers = await ask_all(options)
    found = [(called, said) for called, _, said in answers if isinstance(said, Why)]
    if not found:
        return error
    called, why = next((one for one in found if one[1].lasting), found[0])
    text = f"Kafka at {called}: {why.text}"
    return Refused(text) if why.lasting else Away(text)


async def ask_all(
    options: Mapping[str, Any], wait_s: float = _WAIT_S
) -> list[tuple[Called, bool, Addresses | Why]]:
    """What each address of the settings answers, then those by which brokers call themselves.

    With each, whether the settings name it. Takes about twice `wait_s` where some hang.
    """
    rest = dict(options)
    servers = [server.rpartition(":") for server in rest.pop("bootstrap_servers")]
    named = [Called(host, int(port), rest, wait_s) for host, _, port in servers]
    answers = [(c, True, said) for c, said in zip(named, await _ask_each(named), strict=True)]
    told = {address: None for *_, said in answers if not isinstance(said, Why) for address in said}
    # What a broker calls the others, and itself, is what clients call next.
    others = [Called(host, port, rest, wait_s) for host, port in told]
    others = [called for called in others if str(called) not in map(str, named)]
    more = zip(others, await _ask_each(others), strict=True)
    return answers + [(called, False, said) for called, said in more]


async def _ask_each(several: Sequence[Called]) -> list[Addresses | Why]:
    # At once: of many that hang, each takes as long as it is waited for.
    return await asyncio.gather(*map(ask, several))


async def ask(called: Called) -> Addresses | Why:
    """The addresses of all brokers by this one, or why it does not tell."""
    try:
        async with asyncio.timeout(called.wait_s):
            connection = await called.open()
            try:
                answer = await connection.send(MetadataRequest([]))
            finally:
                connection.close()
    except (OSError, KafkaError) as error:
        return explain(called, error) or await _closed(called, error)
    except (UnicodeError, OverflowError):
        # A broker may call itself so.
        return Why("this can be no address: see advertised.listeners of the brokers")
    return [(host, port) for _, host, port, *_ in answer.brokers]


def explain(called: Called, error: BaseException) -> Why | None:
    """What the error, or what caused it, says; None where it only says that nothing came of it."""
    for cause in causes(error):
        for kind, say in _SAYINGS.items():
            if isinstance(cause, kind):
                why: Why | None = say(called, cause)
                if why is not None:
                    return why
    return None


def _certificate(called: Called, error: Any) -> Why:
    why = str(error.verify_message).rstrip(".")
    if error.verify_code in _EXPIRED:
        return Why(
            f"its certificate is not valid now ({why}): have it renewed, or set this machine's "
            "clock",
            lasting=False,
        )
    if error.verify_code in _OTHER_HOST:
        return Why(f"its certificate is of another host ({why}): {_NAME}")
    return Why(_TRUST.format(why=why))


def _tls(called: Called, error: Any) -> Why | None:
    reason = str(error.reason or "")
    if "ALERT" not in reason:
        return None
    said = reason.partition("ALERT_")[2].replace("_", " ").lower()
    context: Any = called.options.get("ssl_context")
    if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason or "HANDSHAKE_FAILURE" in reason:
        if context is not None and context.shows_certificate:
            return Why(
                f"it refuses our certificate ({said}): STREAM_APP_SSL_CERTFILE has to be valid "
                "and signed by an authority that the brokers trust"
            )
        return Why(_SHOW)
    return Why(f"it refuses to speak TLS with us ({said})")


def _password(called: Called, error: Any) -> Why:
    mechanism = called.options["sasl_mechanism"]
    if mechanism == "OAUTHBEARER":
        return Why(f"it refuses our token ({_said(error)}): has it expired, is it meant for Kafka?")
    user = called.options.get("sasl_plain_username")
    return Why(
        f"it knows no user {user} with this password for {mechanism} ({_said(error)}): see "
        "STREAM_APP_SASL_USERNAME, STREAM_APP_SASL_PASSWORD_FILE (or STREAM_APP_SASL_PASSWORD) "
        "and STREAM_APP_SASL_MECHANISM"
    )


def _mechanism(called: Called, error: Any) -> Why:
    return Why(f"{_said(error)}: set STREAM_APP_SASL_MECHANISM to one of these")


def _no_login(called: Called, error: Any) -> Why:
    protocol = "SSL" if called.tls else "PLAINTEXT"
    return Why(
        f"nobody logs in on this port: call another one, or set STREAM_APP_SECURITY_PROTOCOL to "
        f"{protocol}"
    )


def _no_token(called: Called, error: Any) -> Why:
    return Why(str(error), lasting=False)


def _no_address(called: Called, error: Any) -> Why:
    return Why(
        f"its name has no address ({error.strerror}): see STREAM_APP_BOOTSTRAP_SERVERS, or what "
        "the broker calls itself in advertised.listeners",
        lasting=False,
    )


def _nobody(called: Called, error: Any) -> Why:
    return Why(
        "nobody listens there: start one with `stream-app broker`, or set "
        "STREAM_APP_BOOTSTRAP_SERVERS",
        lasting=False,
    )


def _said(error: Any) -> str:
    return str(error.args[0]).rstrip(".") if error.args else type(error).__name__


_SAYINGS: Final[Mapping[type[BaseException], Any]] = {
    ssl.SSLCertVerificationError: _certificate,
    ssl.SSLError: _tls,
    SaslAuthenticationFailed: _password,
    AuthenticationFailedError: _password,
    UnsupportedSaslMechanismError: _mechanism,
    IllegalSaslStateError: _no_login,
    NoToken: _no_token,
    socket.gaierror: _no_address,
    ConnectionRefusedError: _nobody,
}


async def _closed(called: Called, error: Exception) -> Why:
    """Why a broker hangs up without a word, or says what is no answer."""
    if any(isinstance(cause, TimeoutError) for cause in causes(error)):
        # Who takes the wrong protocol for nonsense hangs up; who says nothing hangs.
        return Why(f"no answer within {called.wait_s:.0f} s", lasting=False)
    if called.tls and await _speaks_plainly(called):
        return Why(
            "no TLS is spoken on this port: call the one that speaks it, or set "
            f"STREAM_APP_SECURITY_PROTOCOL to {'SASL_PLAINTEXT' if called.login else 'PLAINTEXT'}"
        )
    if not called.tls and await _speaks_tls(called):
        return Why(
            "TLS is spoken on this port: set STREAM_APP_SECURITY_PROTOCOL to "
            f"{'SASL_SSL' if called.login else 'SSL or SASL_SSL'}, and STREAM_APP_SSL_CAFILE "
            "where the brokers' authority is not one that the system knows"
        )
    if not called.login and isinstance(error, KafkaConnectionError):
        protocol = "SASL_SSL" if called.tls else "SASL_PLAINTEXT"
        return Why(
            "it hung up on us: it is starting or ending, or one has to log in on this port: then "
            f"set STREAM_APP_SECURITY_PROTOCOL to {protocol}",
            lasting=False,
        )
    return Why(f"it hung up on us ({error})", lasting=False)


async def _speaks_plainly(called: Called) -> bool:
    try:
        # Which versions it speaks is told to everybody, before any login.
        open_ = create_conn(called.host, called.port, request_timeout_ms=called.wait_ms)
        (await open_).close()
    except (OSError, KafkaError):
        return False
    return True


async def _speaks_tls(called: Called) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Only whether it does: nothing is sent or believed.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(called.wait_s):
            _, writer = await asyncio.open_connection(called.host, called.port, ssl=context)
    except OSError:
        return False
    writer.close()
    return True
