"""Declared rules decide tags: hysteresis, hold, expiry, and a reason for every change.

`declare` reads the catalogue's `tags:` section, `compile_tags` makes rules of it that decide
all users of a round at once. The rule language is in docs/rules.md.
"""

from stream_app.tagging.bound import BoundTags
from stream_app.tagging.classes import RULE_CLASSES, TAG_CLASSES
from stream_app.tagging.compile import Tags, compile_tags
from stream_app.tagging.decision import NEVER, Decision, Decisions
from stream_app.tagging.declarations import Flag, Listed, TagDeclaration, Valued, declare

__all__ = [
    "NEVER",
    "RULE_CLASSES",
    "TAG_CLASSES",
    "BoundTags",
    "Decision",
    "Decisions",
    "Flag",
    "Listed",
    "TagDeclaration",
    "Tags",
    "Valued",
    "compile_tags",
    "declare",
]
