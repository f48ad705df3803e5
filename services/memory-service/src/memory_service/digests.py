"""Digests of values: equal values are recognised, and the values are not kept.

They are keyed by the agent, so that equal values of two agents differ.
"""

import hmac
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from memory_service.models.forgetting import Burial

# HMAC-SHA256, truncated: two of a billion values agree with a chance of 1e-21.
DIGEST_BYTES = 16
# A phrase is looked for in a longer text by its first words, and then as a whole: a
# text has at most this many windows for each of its words, however long phrases are.
ANCHOR_WORDS = 4
# What a deleted memory said is recognised within a longer text from this length on;
# a shorter one ("Yes.") would refuse half of what is said.
MIN_PHRASE_WORDS = 4

# Words that assert nothing: a text with them says the same as without.
LIGHT_WORDS = frozenset(
    "a an the am is are m s re really very quite truly indeed actually "
    "please oh um uh hey".split()
)

# Scripts that put no space between words: each sign stands for itself.
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    r"\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|[^\w\s]")


def words_of(text: str) -> list[str]:
    """The words and signs of a text, alike for all ways of writing them.

    NFKC, casefold, without white space and punctuation; never empty.
    """
    if text.isascii() and "_" not in text:
        # The same in a quarter of the time: most texts are such.
        return text.translate(_ASCII).split() or [text.strip().lower()]
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = [w for w in _WORD.findall(folded) if len(w) > 1 or not _is_dropped(w)]
    return words or [folded.strip()]


def texts_of(content: str, metadata: Mapping[str, Any]) -> list[str]:
    """All that a memory says: its content, and the texts in its metadata."""
    return [content, *_strings(metadata)]


@dataclass(frozen=True, slots=True)
class Windows:
    """The words of a text, and where each phrase begins in it, by its anchor."""

    words: Sequence[str]
    starts: Mapping[bytes, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Digester:
    """Makes the digests of one agent's values.

    `anchor_lengths` are the lengths in words that anchors of the agent's tombstones
    have; None where it has no tombstones.
    """

    key: bytes
    anchor_lengths: Sequence[int] | None = None

    @property
    def watches(self) -> bool:
        """Whether the agent has tombstones, which its values may meet."""
        return self.anchor_lengths is not None

    def digest(self, words: Sequence[str]) -> bytes:
        """The digest of a value given by its words."""
        mac = hmac.digest(self.key, " ".join(words).encode(), "sha256")
        return mac[:DIGEST_BYTES]

    def digest_text(self, text: str) -> bytes:
        """The digest of a value: what `memories.digest` holds of a content.

        Texts that differ in words that assert nothing have the same.
        """
        words = words_of(text)
        return self.digest([w for w in words if w not in LIGHT_WORDS] or words)

    def burial(self, value: str, min_phrase_words: int) -> Burial:
        """A value to be buried; one of fewer words only counts as a whole."""
        words = words_of(value)
        if len(words) < min_phrase_words:
            return Burial(self.digest_text(value))
        return Burial(
            self.digest_text(value),
            self.digest(words),
            self.digest(words[:ANCHOR_WORDS]),
            len(words),
        )

    def windows(self, text: str) -> Windows:
        """Where the anchors of tombstones may be in a text."""
        words = words_of(text)
        starts: dict[bytes, list[int]] = defaultdict(list)
        for length in self.anchor_lengths or ():
            for start in range(len(words) - length + 1):
                starts[self.digest(words[start : start + length])].append(start)
        return Windows(words, starts)

    def phrases(
        self, windows: Windows, found: Iterable[tuple[bytes, int]]
    ) -> set[bytes]:
        """The digests of the phrases that begin at anchors, by (anchor, words)."""
        return {
            self.digest(windows.words[start : start + length])
            for anchor, length in found
            for start in windows.starts.get(anchor, ())
            if start + length <= len(windows.words)
        }


def contains_phrase(text: str, phrase: Sequence[str]) -> bool:
    """Whether the words of a phrase follow one another in a text."""
    words = words_of(text)
    length = len(phrase)
    return any(
        words[start] == phrase[0] and words[start : start + length] == phrase
        for start in range(len(words) - length + 1)
    )


@lru_cache(maxsize=4096)
def _is_dropped(sign: str) -> bool:
    # Signs that mean something are kept: currencies, sums, emoji.
    return unicodedata.category(sign)[0] in "PCZ"


def _folded(sign: str) -> str:
    """What a sign of ASCII stands for: a word by itself, part of one, or a gap."""
    if sign.isalnum():
        return sign.lower()
    return " " if sign.isspace() or _is_dropped(sign) else f" {sign} "


_ASCII = {code: _folded(chr(code)) for code in range(128)}


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        if value.strip():
            yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _strings(key)
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
