"""Rules and models decide tags: hysteresis, hold, expiry, and a reason for every change.

`declare` reads the catalogue's `tags:` section, `compile_tags` makes rules of it that decide
all users of a round at once. The rule language is in docs/rules.md.
"""

from stream_app.tagging.bound import BoundTags
from stream_app.tagging.classes import RULE_CLASSES, TAG_CLASSES
from stream_app.tagging.compile import Tags, compile_tags
from stream_app.tagging.decision import NEVER, Decision, Decisions
from stream_app.tagging.declarations import (
    Flag,
    Learned,
    Listed,
    TagDeclaration,
    Valued,
    declare,
)
from stream_app.tagging.learned import Judgement, Wanted

__all__ = [
    "NEVER",
    "RULE_CLASSES",
    "TAG_CLASSES",
    "BoundTags",
    "Decision",
    "Decisions",
    "Flag",
    "Judgement",
    "Learned",
    "Listed",
    "TagDeclaration",
    "Tags",
    "Valued",
    "Wanted",
    "compile_tags",
    "declare",
]
