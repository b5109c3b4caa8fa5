"""TLS contexts that follow their files: a new connection uses the certificates as they are now."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

from stream_app.security.errors import SecurityError, unreadable

log = logging.getLogger(__name__)

Make = Callable[[], ssl.SSLContext]
Password = Callable[[], str | None]


class _Parting(ssl.SSLObject):
    """One side of a connection that says goodbye and does not wait to hear it.

    Kafka does not say it while it holds back the answer to a fetch, and event loops wait for it for
    half a minute. TLS lets either side close without waiting (RFC 8446, 6.1).
    """

    def unwrap(self) -> None:
        try:
            super().unwrap()
        except ssl.SSLWantReadError:
            return


class FollowingContext(ssl.SSLContext):
    """Hands every handshake to a context that `make` made, anew whenever one of `files` changed.

    A context that is in use can be given more authorities but not fewer, so it is replaced. Files
    that cannot be used, such as half of a pair, are logged once, and what was read before stays.
    Connections that are open stay as they are.
    """

    def __new__(
        cls, make: Make, files: Sequence[str], *, server: bool = False, shows: bool = False
    ) -> Self:
        side = ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT
        return super().__new__(cls, side)

    def __init__(
        self, make: Make, files: Sequence[str], *, server: bool = False, shows: bool = False
    ) -> None:
        super().__init__()
        self._shows = shows
        self._make, self._files = make, tuple(files)
        # Looked at before reading: what changes meanwhile is read once more.
        self._seen = self._look()
        self._current = make()

    @property
    def shows_certificate(self) -> bool:
        """Whether a client with this context has a certificate to show."""
        return self._shows

    @property
    def current(self) -> ssl.SSLContext:
        """The context of the next handshake."""
        seen = self._look()
        if seen != self._seen:
            self._seen = seen
            self._reload()
        return self._current

    # What asyncio, uvloop and plain sockets begin a handshake with.
    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begin a handshake with the files as they are now."""
        return self.current.wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """Begin a handshake with the files as they are now."""
        return self.current.wrap_socket(*args, **kwargs)

    def _reload(self) -> None:
        try:
            self._current = self._make()
        except SecurityError as error:
            log.error("New certificates are refused, those from before stay: %s", error)
        else:
            log.info("Certificates were read anew: %s", ", ".join(self._files))

    def _look(self) -> tuple[tuple[int, ...], ...]:
        return tuple(map(_state, self._files))


def client_context(
    cafile: str | None,
    certfile: str | None = None,
    keyfile: str | None = None,
    password: Password = lambda: None,
    *,
    check_hostname: bool = True,
) -> FollowingContext:
    """A client's: trusts `cafile` (without it the system's authorities), TLS 1.2 at least.

    With `certfile` it shows that certificate; its key is there too, or in `keyfile`. Raises
    SecurityError where a file cannot be used.
    """

    def make() -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=cafile)
        except OSError as error:
            raise _unusable(error, str(cafile), "holds no certificate in PEM form") from error
        context.sslobject_class = _Parting
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = check_hostname
        if certfile is not None:
            _show(context, certfile, keyfile, password)
        return context

    files = [file for file in (cafile, certfile, keyfile) if file]
    return FollowingContext(make, files, shows=certfile is not None)


def server_context(certfile: str, keyfile: str | None) -> FollowingContext:
    """A server's, TLS 1.2 at least; files as above."""

    def make() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sslobject_class = _Parting
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _show(context, certfile, keyfile, lambda: None)
        return context

    return FollowingContext(make, [file for file in (certfile, keyfile) if file], server=True)


def _show(context: ssl.SSLContext, certfile: str, keyfile: str | None, password: Password) -> None:
    pair = f"{certfile} and {keyfile}" if keyfile else certfile
    for file in filter(None, (certfile, keyfile)):
        try:
            Path(file).read_bytes()
        except OSError as error:
            raise unreadable(file, error) from error
    told = password()
    try:
        # Without a password of ours OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certfile, keyfile, told if told is not None else _none_told)
    except OSError as error:
        raise _unusable(
            error,
            pair,
            "are no certificate with its key: both in PEM form, the key belonging to the "
            "certificate, its password (if it has one) the right one",
        ) from error


def _none_told() -> NoReturn:
    raise SecurityError("the private key is encrypted, and no password is set for it")


def _unusable(error: OSError, file: str, otherwise: str) -> SecurityError:
    if isinstance(error, ssl.SSLError):
        return SecurityError(f"{file} {otherwise} ({error.reason or error})")
    return unreadable(file, error)


def _state(file: str) -> tuple[int, ...]:
    """What differs after a change: also where a link was moved, as Kubernetes does."""
    try:
        found = Path(file).stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_size)
