"""Whether a stream says again what it has just said.

Two texts are alike by the Jaccard index of their sets of five words in a row (Broder
1997, "On the resemblance and containment of documents"): what both have over what
either has. Of each set only the smallest hashes are kept, a bottom-k sketch; the index
is estimated over the k smallest of both together, and exact for sets no larger than k.
"""

import re
import zlib
from array import array
from collections.abc import Sequence

WORDS_IN_A_ROW = 5
# A thought is a repeat from here on.
LIKE = 0.5
# It is compared with so many thoughts before it.
REMEMBERED_THOUGHTS = 200
# 4 bytes each: 200 thoughts of 1,000 streams are 26 MB. The estimate at 0.5 is within
# ± 0.18 for 95 of 100 long thoughts; equal ones are always found.
KEPT_HASHES = 32
# In place of hashes that a short thought does not have.
_NONE = 0
_WORD = re.compile(r"\w+")


def rows_of_words(text: str) -> set[str]:
    """All rows of five words of a text; the whole of one that is shorter."""
    words = _WORD.findall(text.casefold())
    last = max(1, len(words) - WORDS_IN_A_ROW + 1)
    return {" ".join(words[n : n + WORDS_IN_A_ROW]) for n in range(last)}


def sketch(text: str) -> list[int]:
    """The smallest hashes of its rows of words, ascending; at most `KEPT_HASHES`."""
    hashes = {zlib.crc32(row.encode()) or 1 for row in rows_of_words(text)}
    return sorted(hashes)[:KEPT_HASHES]


def likeness(one: Sequence[int], other: Sequence[int]) -> float:
    """The Jaccard index of two texts, estimated from their sketches."""
    smallest = sorted({*one, *other})[:KEPT_HASHES]
    both = set(one).intersection(other)
    return len(both.intersection(smallest)) / len(smallest)


class Memory:
    """Sketches of a stream's last thoughts, in one block that grows to its size."""

    def __init__(self) -> None:
        self._hashes = array("I")
        self._next = 0

    @property
    def size_bytes(self) -> int:
        """Of all sketches."""
        return len(self._hashes) * self._hashes.itemsize

    def add(self, content: str) -> bool:
        """Takes the thought in; whether it was like one of those before."""
        fresh = sketch(content)
        repeats = self._knows(fresh)
        row = array("I", fresh + [_NONE] * (KEPT_HASHES - len(fresh)))
        begin = self._next * KEPT_HASHES
        self._hashes[begin : begin + KEPT_HASHES] = row
        self._next = (self._next + 1) % REMEMBERED_THOUGHTS
        return repeats

    def _knows(self, fresh: list[int]) -> bool:
        wanted = set(fresh)
        # Most thoughts share nothing with any before: one pass finds those that do.
        rows = {
            place // KEPT_HASHES
            for place, found in enumerate(self._hashes)
            if found in wanted
        }
        return any(likeness(fresh, self._row(row)) >= LIKE for row in rows)

    def _row(self, row: int) -> list[int]:
        begin = row * KEPT_HASHES
        return [h for h in self._hashes[begin : begin + KEPT_HASHES] if h != _NONE]
