"""What lets a process in and keeps others out: TLS, secrets, tokens. Knows no settings."""

from stream_app.security.errors import SecurityError
from stream_app.security.secret import read_secret
from stream_app.security.tls import FollowingContext, client_context, server_context

__all__ = [
    "FollowingContext",
    "SecurityError",
    "client_context",
    "read_secret",
    "server_context",
]
