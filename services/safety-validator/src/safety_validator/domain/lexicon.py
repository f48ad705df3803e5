"""English words, the commonest first, and how letters without gaps fall into them.

`words.txt` has the first six thousand words of BERT's vocabulary, which is ordered by
frequency, and after them the rarer words that the shipped rules look for.
"""

import codecs
from importlib import resources
from math import log

__all__ = ["REVERSED", "ROTATED", "WORDS", "ascii_words", "cost", "segmented"]

_WORDS = (
    (resources.files("safety_validator") / "domain" / "words.txt").read_text().split()
)
# -log of a word's probability where that falls as one over its rank (Zipf's law).
_COSTS = {word: log((rank + 2) * log(len(_WORDS))) for rank, word in enumerate(_WORDS)}
_STARTS = frozenset(word[:end] for word in _WORDS for end in range(1, len(word) + 1))
# A letter in no word: more than the rarest word, so that words win.
STRAY_COST = 14.0
# A shorter word is too often another one when its letters are changed.
MIN_CHARS = 4
MIN_REVERSED_CHARS = 4
MIN_ROTATED_CHARS = 3

# Letters in lower case, all else as gaps; but what stands in codes parts no words.
_LETTERS = bytes(
    ord(char.lower())
    if char.isascii() and char.isalpha()
    else ord("0" if char in "0123456789+/_=" else " ")
    for char in map(chr, range(256))
)
# As lower-case ASCII, like the two sets below.
WORDS = frozenset(word.encode() for word in _WORDS if len(word) >= MIN_CHARS)

# What words look like to who reads them without a key.
ROTATED = frozenset(
    rotated.encode()
    for word in _WORDS
    if len(word) >= MIN_ROTATED_CHARS
    and (rotated := codecs.encode(word, "rot13")) not in _COSTS
)
REVERSED = frozenset(
    word[::-1].encode()
    for word in _WORDS
    if len(word) >= MIN_REVERSED_CHARS and word[::-1] not in _COSTS
)


def ascii_words(data: bytes) -> list[bytes]:
    """The words of a text in UTF-8, in lower case; other letters part them."""
    return data.translate(_LETTERS).split()


def cost(word: str) -> float | None:
    """How unlikely a lower-case word is, or None where it is not known."""
    return _COSTS.get(word)


def segmented(letters: str) -> tuple[float, list[int]]:
    """The likeliest words that lower-case letters without gaps are made of.

    Returns what a letter costs on average, and where words end. Time is linear: from
    each place only beginnings of words are followed.
    """
    count = len(letters)
    best = [0.0] + [float("inf")] * count
    start_of = [0] * (count + 1)
    for start in range(count):
        reached = best[start]
        if reached + STRAY_COST < best[start + 1]:
            best[start + 1], start_of[start + 1] = reached + STRAY_COST, start
        for end in range(start + 1, count + 1):
            piece = letters[start:end]
            if piece not in _STARTS:
                break
            price = _COSTS.get(piece)
            if price is not None and reached + price < best[end]:
                best[end], start_of[end] = reached + price, start
    ends = [count]
    while ends[-1] > 0:
        ends.append(start_of[ends[-1]])
    return best[count] / max(1, count), ends[-2::-1]
