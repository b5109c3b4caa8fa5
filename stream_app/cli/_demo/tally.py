"""What a demo has seen: tags of every user as the changes leave them, and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from msgspec.structs import replace

from stream_app.domain.changes import TagChange
from stream_app.tagging.classes import TAG_CLASSES


@dataclass(frozen=True, slots=True)
class ClassCount:
    """A class of tags: how many changes, how many users have one of its tags now, its commonest."""

    name: str
    changes: int
    users: int
    commonest: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Tally:
    """Follows changes: `tags` holds the last change of every tag that a user has now."""

    changes: int = 0
    tags: dict[str, dict[str, TagChange]] = field(default_factory=lambda: defaultdict(dict))
    _by_class: Counter[str] = field(default_factory=Counter)

    def add(self, change: TagChange) -> None:
        """Take the next change; a user's changes come in the order of their versions."""
        self.changes += 1
        self._by_class[change.cls] += 1
        if change.action == "removed":
            self.tags[change.user_id].pop(change.tag, None)
        else:
            held = self.tags[change.user_id]
            held[change.tag] = _with_all_reasons(change, held.get(change.tag))

    def of(self, user: str) -> list[TagChange]:
        """The tags that a user has, by class; an empty list for a user without any."""
        held = self.tags.get(user, {}).values()
        return sorted(held, key=lambda change: (TAG_CLASSES.index(change.cls), change.tag))

    def rarest(self, user: str, most: int) -> list[TagChange]:
        """Those of a user's tags that the fewest users have, by class: what sets him apart."""
        held = self.of(user)
        having = Counter(tag for tags in self.tags.values() for tag in tags)
        first = sorted(held, key=lambda change: having[change.tag])[:most]
        return [change for change in held if change in first]

    def classes(self, most: int = 3) -> list[ClassCount]:
        """A line for each class that has had a change."""
        return [self._count(name, most) for name in TAG_CLASSES if self._by_class[name]]

    def _count(self, name: str, most: int) -> ClassCount:
        users, tags = 0, Counter[str]()
        for held in self.tags.values():
            of_class = [change.tag for change in held.values() if change.cls == name]
            users += bool(of_class)
            tags.update(of_class)
        return ClassCount(name, self._by_class[name], users, tuple(tags.most_common(most)))


def most_active(events: Counter[str], most: int = 5) -> list[tuple[str, int]]:
    """Users with the most events, and how many; the first name decides between equals."""
    return sorted(events.items(), key=lambda pair: (-pair[1], pair[0]))[:most]


def _with_all_reasons(change: TagChange, before: TagChange | None) -> TagChange:
    """A change of a list tells what came and went; this tells why everything in it is there."""
    if not isinstance(change.value, list) or before is None:
        return change
    latest = {because.feature: because for because in (*before.because, *change.because)}
    entries = tuple(f"[{name}]" for name in change.value)
    kept = [because for feature, because in latest.items() if feature.endswith(entries)]
    return replace(change, because=kept)
