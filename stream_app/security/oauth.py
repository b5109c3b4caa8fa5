"""Tokens for OAUTHBEARER: from a file, or from an OAuth endpoint by client credentials."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from aiokafka import conn
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed

from stream_app.security.errors import SecurityError
from stream_app.security.secret import read_secret
from stream_app.security.tls import FollowingContext

_TIMEOUT_S: Final = 10.0
#: A token is used for this share of its life: what begins with it must also arrive with it.
_SHARE: Final = 0.8
#: The life (s) of a token that does not tell its own.
_LIFE_S: Final = 300.0
#: A life (s) that is not believed.
_FOR_EVER_S: Final = 366 * 86_400.0


class NoToken(KafkaConnectionError):
    """There is no token now; clients try again as they do when a broker is away."""

    def __str__(self) -> str:
        return str(self.args[0])


class _Login(conn.OAuthAuthenticator):
    """aiokafka's, which takes a refusal for a welcome: that comes as an answer with a text."""

    async def step(self, payload: bytes | None) -> Any:
        if payload:
            raise SaslAuthenticationFailed(payload.decode(errors="replace"))
        return await super().step(payload)


def notice_refused_tokens() -> None:
    """Have aiokafka raise SaslAuthenticationFailed for a token that a broker refuses."""
    for owner, name in ((conn, "OAuthAuthenticator"), (conn.OAuthAuthenticator, "step")):
        if not hasattr(owner, name):
            raise RuntimeError(f"this aiokafka has no {name}; use a version from the lock file")
    conn.OAuthAuthenticator = _Login


class FileToken(AbstractTokenProvider):
    """The content of a file, read at each login: who renews tokens there needs to tell nobody."""

    def __init__(self, file: str) -> None:
        self._file = file

    async def token(self) -> str:
        """Return the token; raises NoToken while the file cannot be read."""
        try:
            return read_secret(self._file).strip()
        except SecurityError as error:
            raise NoToken(f"no token to log in with: {error}") from error


class GrantedToken(AbstractTokenProvider):
    """A token that an OAuth endpoint grants a client (RFC 6749, 4.4), kept while it is young.

    `secret` is asked at each grant. `tls` says which authorities vouch for the endpoint.
    """

    def __init__(
        self,
        url: str,
        client: str,
        secret: Callable[[], str],
        scope: str | None,
        tls: FollowingContext,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._client, self._secret = url, client, secret
        self._form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._tls = tls
        self._seconds = seconds
        self._token, self._until = "", 0.0

    async def token(self) -> str:
        """Return a token that is valid for a while; raises NoToken where none is granted."""
        if not self._token or self._seconds() >= self._until:
            begun = self._seconds()
            self._token, life = await self._ask()
            self._until = begun + _SHARE * life
        return self._token

    async def _ask(self) -> tuple[str, float]:
        # Imported here: errors of this module are named where nobody asks for tokens.
        import aiohttp

        try:
            login = aiohttp.encode_basic_auth(self._client, self._secret())
        except SecurityError as error:
            raise NoToken(f"no token to log in with: {error}") from error
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S), trust_env=True
                ) as session,
                session.post(
                    self._url,
                    data=self._form,
                    headers={"Authorization": login, "Accept": "application/json"},
                    ssl=self._tls,
                    # A redirect would be sent the secret too.
                    allow_redirects=False,
                ) as answer,
            ):
                body: Any = await answer.json(content_type=None) if answer.ok else None
                status = answer.status
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise NoToken(
                f"no token to log in with: {self._url} gives no answer of use: {why}"
            ) from error
        token = body.get("access_token") if isinstance(body, dict) else None
        if not (isinstance(token, str) and token):
            raise NoToken(f"no token to log in with: {self._url} answers {_meaning(status)}")
        return token, _life(body.get("expires_in"))


def _life(told: object) -> float:
    """The life (s) of a token by `expires_in`, which some leave out, or tell as a text."""
    try:
        life = float(str(told))
    except ValueError:
        return _LIFE_S
    return life if 0 < life < _FOR_EVER_S else _LIFE_S


def _meaning(status: int) -> str:
    if status in (400, 401, 403):
        return (
            f"{status}: see STREAM_APP_SASL_USERNAME and _PASSWORD (the client's id and secret) "
            "and STREAM_APP_OAUTH_SCOPE"
        )
    return f"{status}" if status != 200 else "without an access_token"
