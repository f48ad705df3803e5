"""Whether a text still carries what another one said."""

from collections.abc import Iterable

from memory_service.digests import words_of

# A thought that has so many of a memory's words still tells of it.
CARRIED_SHARE = 0.5
# A correction and its neighbours have most words in common, so half would not tell.
OUTDATED_SHARE = 0.75
# A number this long says what it says by itself, whatever the other words are.
TELLING_DIGITS = 3

STOP_WORDS = frozenset(
    "a about after all also am an and any are as at be because been before being but "
    "by can could did do does for from had has have he her here him his how i if in "
    "into is it its just may me might more most my no not now of on once one only or "
    "other our out over own s same she should so some such t than that the their them "
    "then there these they this those through to too up us very was we were what when "
    "where which while who whom why will with would you your".split()
)


class Carried:
    """What a memory said, to be looked for in others."""

    def __init__(self, contents: Iterable[str]) -> None:
        self._values = [_telling(content) for content in contents]

    def by(self, text: str) -> bool:
        """Whether a text has half of the telling words of any, or a number of it."""
        words = set(words_of(text))
        return any(
            len(value & words) >= CARRIED_SHARE * len(value)
            or any(_is_long_number(word) for word in value & words)
            for value in self._values
        )


class Outdated:
    """What a memory said before it said something else."""

    def __init__(self, was: str, now: str) -> None:
        self._was = _telling(was)
        self._dropped = self._was - frozenset(words_of(now))

    def by(self, text: str) -> bool:
        """Whether a text says it still: most of its telling words, and all of those
        that were dropped, or a number that was."""
        words = set(words_of(text))
        if not self._dropped:
            return False
        return (
            self._dropped <= words
            and len(self._was & words) >= OUTDATED_SHARE * len(self._was)
        ) or any(_is_long_number(word) for word in self._dropped & words)


def _telling(content: str) -> frozenset[str]:
    """The words that make it what it is; all of them where there are no such."""
    words = frozenset(words_of(content))
    return words - STOP_WORDS or words


def _is_long_number(word: str) -> bool:
    return sum(sign.isdigit() for sign in word) >= TELLING_DIGITS
