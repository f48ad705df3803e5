"""BERT's uncased WordPiece tokenizer, in the standard library alone."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice

UNKNOWN = "[UNK]"
FIRST = "[CLS]"
LAST = "[SEP]"

# The model was trained on at most 256 tokens, the two special ones among them.
MAX_TOKENS = 256

# Longer words are unknown to the reference tokenizer too; it bounds the search.
MAX_WORD_CHARS = 100

# What has no place where words part is cut here: it bounds what is held at once.
MAX_PIECE_CHARS = 4_096

# Of the scripts one process meets.
CACHED_CHARACTERS = 4_096

# 254 tokens seldom reach past 2,000 characters; it bounds the work on one text.
MAX_TEXT_CHARS = 65_536

# Ordinary English repeats some thousands of words; full, the cache takes about 4 MB.
CACHED_WORDS = 16_384

# Other white space is rare and parts words later; other controls part nothing.
_STRETCH = re.compile(r"[^ \t\n\r]+")
_ASCII_WORD = re.compile(r"[0-9a-z]+|[!-/:-@\[-`{-~]")
_ASCII_CONTROLS = dict.fromkeys([*range(32), 127])
_ASCII_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs"})
_IDEOGRAPH = re.compile(
    "([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f"
    "\U0002b920-\U0002ceaf\U0002f800-\U0002fa1f])"
)


class WordPiece:
    """Turns text into token ids. Special tokens written in a text are plain text."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._ids = {token: number for number, token in enumerate(vocabulary)}
        self._unknown = (self._ids[UNKNOWN],)
        self._first = self._ids[FIRST]
        self._last = self._ids[LAST]
        self._cached = lru_cache(CACHED_WORDS)(self._encode_stretch)

    def encode(self, text: str) -> list[int]:
        """The ids of a text between those of [CLS] and [SEP], at most 256 in all."""
        ids = islice(self._encode(text), MAX_TOKENS - 2)
        return [self._first, *ids, self._last]

    def encode_pieces(self, text: str) -> Iterator[tuple[int, int, Sequence[int]]]:
        """All of a text, however long: pieces [start, end), each with its ids.

        They are those of `encode` without [CLS] and [SEP], but that a word without an
        end is unknown once for each so many characters. Between white space a piece
        has about 100 characters at most.
        """
        for match in _STRETCH.finditer(text):
            start, end = match.span()
            if end - start <= MAX_WORD_CHARS:
                yield start, end, self._cached(match.group())
                continue
            while start < end:
                cut = _cut(text, start, end)
                yield start, cut, self._encode_stretch(text[start:cut])
                start = cut

    def _encode(self, text: str) -> Iterator[int]:
        for match in _STRETCH.finditer(text, 0, MAX_TEXT_CHARS):
            stretch = match.group()
            if len(stretch) > MAX_WORD_CHARS:
                yield from self._encode_long(stretch)
            else:
                yield from self._cached(stretch)

    def _encode_stretch(self, stretch: str) -> tuple[int, ...]:
        return tuple(self._encode_long(stretch))

    def _encode_long(self, stretch: str) -> Iterator[int]:
        for word in _split(stretch):
            yield from self._encode_word(word)

    def _encode_word(self, word: str) -> Sequence[int]:
        """The longest known pieces from the left, or one unknown for the word."""
        if len(word) > MAX_WORD_CHARS:
            return self._unknown
        pieces: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                piece = self._ids.get(prefix + word[start:end])
                if piece is not None:
                    break
            else:
                return self._unknown
            pieces.append(piece)
            start = end
        return pieces


def _cut(text: str, start: int, end: int) -> int:
    """Where a piece of a long stretch ends: behind what no word goes on across."""
    for reach in range(start + MAX_WORD_CHARS, start + MAX_PIECE_CHARS, MAX_WORD_CHARS):
        if reach >= end:
            return end
        for place in range(reach, reach - MAX_WORD_CHARS, -1):
            if _parts_words(text[place - 1]):
                return place
    return min(end, start + MAX_PIECE_CHARS)


@lru_cache(CACHED_CHARACTERS)
def _parts_words(character: str) -> bool:
    return len(_split(f"a{character}a")) > 1


def _split(stretch: str) -> list[str]:
    """Words and single punctuation marks, cleaned, lower case, without accents."""
    if stretch.isascii():
        return _ASCII_WORD.findall(stretch.translate(_ASCII_CONTROLS).lower())
    cleaned = "".join(filter(_is_kept, stretch))
    spaced = _IDEOGRAPH.sub(r" \1 ", cleaned)
    bare = "".join(filter(_is_base, unicodedata.normalize("NFD", spaced)))
    # str.lower() makes a final sigma of a capital one, the reference does not.
    lowered = bare.replace("Σ", "σ").lower()
    return "".join(map(_space_punctuation, lowered)).split()


def _is_kept(character: str) -> bool:
    category = unicodedata.category(character)
    return category not in _DROPPED_CATEGORIES and character != "\ufffd"


def _is_base(character: str) -> bool:
    return unicodedata.category(character) != "Mn"


def _space_punctuation(character: str) -> str:
    is_mark = (
        character in _ASCII_PUNCTUATION or unicodedata.category(character)[0] == "P"
    )
    return f" {character} " if is_mark else character
