"""Whether a draft says again what was said lately."""

from collections.abc import Sequence

from thought_generator.providers.composing.clauses import words_of

# The stream's last thoughts that a draft is compared with.
RECENT_COMPARED = 12
_GRAM_WORDS = 5

Grams = frozenset[tuple[str, ...]]


class Recent:
    """The last thoughts of a stream, newest first."""

    def __init__(self, thoughts: Sequence[str]) -> None:
        self._thoughts = thoughts
        self._grams = [grams_of(text) for text in self._thoughts]

    def hold(self, marks: tuple[str, ...]) -> bool:
        """Whether one of them has these words in this order."""
        return bool(marks) and any(_has(text, marks) for text in self._thoughts)

    def likeness(self, draft: str) -> float:
        """The highest 5-gram Jaccard index with any of them."""
        grams = grams_of(draft)
        return max((jaccard(grams, other) for other in self._grams), default=0.0)


def _has(text: str, marks: tuple[str, ...]) -> bool:
    position = 0
    for mark in marks:
        position = text.find(mark, position)
        if position < 0:
            return False
        position += len(mark)
    return True


def grams_of(text: str) -> Grams:
    """Runs of five words; the words themselves where there are fewer."""
    words = words_of(text) or list(text)
    if len(words) < _GRAM_WORDS:
        return frozenset({tuple(words)})
    return frozenset(
        tuple(words[start : start + _GRAM_WORDS])
        for start in range(len(words) - _GRAM_WORDS + 1)
    )


def jaccard(one: Grams, other: Grams) -> float:
    """0 for nothing in common, 1 for the same."""
    common = len(one & other)
    return common / (len(one) + len(other) - common)
