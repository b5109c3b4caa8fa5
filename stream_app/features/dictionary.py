"""A partition's bounded dictionary of strings: categories, cities, devices as two-byte codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, overload

import numpy as np
from numpy.typing import NDArray

#: Code of a string that is absent.
NO_TEXT: Final = 0
#: Code of every string that came when the dictionary was full.
OTHER: Final = 65_535
OTHER_TEXT: Final = "(other)"
CAPACITY: Final = 65_000


class Texts(Sequence[str]):
    """The strings by code; `OTHER` is always there."""

    def __init__(self) -> None:
        self.known: list[str] = [""]

    @overload
    def __getitem__(self, code: int) -> str: ...
    @overload
    def __getitem__(self, code: slice) -> list[str]: ...
    def __getitem__(self, code: int | slice) -> str | list[str]:
        if isinstance(code, slice):
            return self.known[code]
        return OTHER_TEXT if code == OTHER else self.known[code]

    def __len__(self) -> int:
        return len(self.known)

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)


class Dictionary:
    """Strings to codes 1 to 65,000 in order of their first appearance.

    Codes never change or go away; what is new since `take_added` is to be made durable together
    with the rows that use it.
    """

    def __init__(self) -> None:
        self.values = Texts()
        self.added: list[tuple[int, str]] = []
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        """How many strings are known."""
        return len(self._codes)

    def codes(self, values: Sequence[str]) -> NDArray[np.uint16]:
        """A code for each string; unknown ones are added while there is room."""
        known = self._codes.get
        codes = [known(value) or self._add(value) for value in values]
        return np.array(codes, np.uint16)

    def take_added(self) -> list[tuple[int, str]]:
        """What was added since the last call."""
        added, self.added = self.added, []
        return added

    def load(self, code: int, text: str) -> None:
        """Restore one entry, in any order; ValueError for a code or text that is taken."""
        if not NO_TEXT < code <= CAPACITY:
            raise ValueError(f"{code} is no code of a dictionary")
        texts = self.values.known
        texts.extend("" for _ in range(len(texts), code + 1))
        if self._codes.setdefault(text, code) != code or texts[code] not in ("", text):
            raise ValueError(f"dictionary code {code} is used for two strings")
        texts[code] = text

    def _add(self, text: str) -> int:
        if len(self.values.known) > CAPACITY:
            return OTHER
        code = len(self.values.known)
        self.values.known.append(text)
        self._codes[text] = code
        self.added.append((code, text))
        return code
