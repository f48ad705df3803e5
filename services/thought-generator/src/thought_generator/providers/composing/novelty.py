"""Whether a draft says again what was said lately."""

from collections.abc import Sequence
from functools import lru_cache

from thought_generator.providers.composing.clauses import words_of

# The stream's last thoughts that a draft is compared with.
_RECENT_COMPARED = 20
_GRAM_WORDS = 5
# Beginnings stay in a reader's ear for about so many thoughts.
_LAST_FEW = 4
_OPENING_WORDS = 4
# The last thoughts of some hundred streams: each is compared with several times.
_CACHED_GRAMS = 2_048

Grams = frozenset[tuple[str, ...]]


class Recent:
    """The last thoughts of a stream, newest first, and older ones that came up."""

    def __init__(self, last: Sequence[str], older: Sequence[str]) -> None:
        self._last = last[:_RECENT_COMPARED]
        self._grams = [_known_grams(text) for text in (*self._last, *older)]

    def hold(self, marks: tuple[str, ...], last: int) -> bool:
        """Whether one of the last thoughts has these words in this order."""
        return bool(marks) and any(_has(text, marks) for text in self._last[:last])

    def likeness(self, draft: str) -> float:
        """The highest 5-gram Jaccard index with any of them."""
        grams = grams_of(draft)
        return max((jaccard(grams, other) for other in self._grams), default=0.0)

    def open_like(self, draft: str) -> bool:
        """Whether one of the last few begins with the same words."""
        return any(_opening(text) == _opening(draft) for text in self._last[:_LAST_FEW])

    def mentions(self, word: str) -> tuple[int, int]:
        """How many of the last thoughts hold the word, and how many there are."""
        times = sum(
            any(word in gram for gram in grams)
            for grams in self._grams[: len(self._last)]
        )
        return times, len(self._last)


def grams_of(text: str) -> Grams:
    """Runs of five words; the words themselves where there are fewer."""
    words = words_of(text) or list(text)
    if len(words) < _GRAM_WORDS:
        return frozenset({tuple(words)})
    return frozenset(
        zip(*(words[start:] for start in range(_GRAM_WORDS)), strict=False)
    )


_known_grams = lru_cache(maxsize=_CACHED_GRAMS)(grams_of)


def jaccard(one: Grams, other: Grams) -> float:
    """0 for nothing in common, 1 for the same."""
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def _opening(text: str) -> list[str]:
    return text.split(maxsplit=_OPENING_WORDS)[:_OPENING_WORDS]


def _has(text: str, marks: tuple[str, ...]) -> bool:
    position = 0
    for mark in marks:
        position = text.find(mark, position)
        if position < 0:
            return False
        position += len(mark)
    return True
