"""Users by tag, all of them counted."""

from __future__ import annotations

from stream_app.engine.having import TagUsers
from stream_app.engine.profiles import Profiles


def tag_users(profiles: Profiles) -> dict[str, int]:
    """How many users of a partition have each tag."""
    users = TagUsers(profiles)
    while users.counts is None:
        users.count_some(profiles)
    return users.counts
