"""Reading what declarations say of features: lists of them, their families, words for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from stream_app.domain.errors import nearest
from stream_app.domain.source import Node

#: Longest word for a feature: names of segments, made of several, have to fit into 256 characters.
LONGEST: Final = 40
_FAMILY: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


def read_feature(node: Node, kinds: Mapping[str, str]) -> str:
    """The name of a feature that is a number."""
    name = node.text()
    if name not in kinds:
        raise node.error(f"unknown feature {name!r}", nearest(name, kinds))
    if kinds[name] != "number":
        raise node.error(f"{name!r} is a {kinds[name]}", "features that are numbers")
    return name


def read_features(node: Node, kinds: Mapping[str, str]) -> tuple[str, ...]:
    """The names of features that are numbers: at least one, none twice."""
    names: list[str] = []
    for child in node.elements():
        name = read_feature(child, kinds)
        if name in names:
            raise child.error(f"{name!r} is named twice", "each feature once")
        names.append(name)
    if not names:
        raise node.error("is empty", "features that are numbers")
    return tuple(names)


def read_families(node: Node, kinds: Mapping[str, str]) -> dict[str, str]:
    """Features → their family, from families → their features."""
    found: dict[str, str] = {}
    for family, child in node.items():
        if not _FAMILY.fullmatch(family):
            expected = "small letters, digits and _, at most 63, a letter first"
            raise child.error(f"{family!r} is not a name for a family", expected)
        for feature in read_features(child, kinds):
            if feature in found:
                problem = f"{feature!r} belongs to {found[feature]!r} already"
                raise child.error(problem, "each feature in one family")
            found[feature] = family
    return found


def read_words(node: Node, kinds: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Features → the words for a low and for a high value."""
    found: dict[str, tuple[str, str]] = {}
    for feature, child in node.items():
        if kinds.get(feature) != "number":
            numbers = [name for name, kind in kinds.items() if kind == "number"]
            raise child.error(
                f"{feature!r} is no feature that is a number", nearest(feature, numbers)
            )
        words = [" ".join(word.text().split()) for word in child.elements()]
        if len(words) != 2 or words[0] == words[1]:
            raise child.error(
                "is not a pair of words", "[low, high], such as [few visits, many visits]"
            )
        if max(map(len, words)) > LONGEST:
            raise child.error("a word is too long", f"at most {LONGEST} characters")
        found[feature] = (words[0], words[1])
    return found
