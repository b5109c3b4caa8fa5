"""The one error of this package."""

from __future__ import annotations

import os


class SecurityError(Exception):
    """A certificate, key, password or token that cannot be used; says which and what to do."""


def unreadable(file: str, error: OSError) -> SecurityError:
    """The error for a file that cannot be read."""
    reason = error.strerror or os.strerror(error.errno or 0)
    return SecurityError(f"{file} cannot be read: {reason}")
