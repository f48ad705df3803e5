"""Words spelled oddly: in letters apart, or with digits and signs for letters."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise, product

from safety_validator.domain.lexicon import cost, segmented
from safety_validator.domain.plain_text import NEAR_CHARS

__all__ = ["joined", "plainly"]

_SIGN = "[A-Za-z0-9@$]"
# Letters apart; three characters between them may also part two words.
_APART = re.compile(
    rf"(?<![A-Za-z0-9@$']){_SIGN}(?:[^A-Za-z0-9@$]{{1,3}}{_SIGN}(?!{_SIGN})){{2,}}+"
)
_LETTER = re.compile(_SIGN)
# Where so many gaps are alike, the others stand between words.
MIN_ALIKE_SHARE = 0.5
# Letters that fall into words cost less each, lists and formulas more.
MAX_LETTER_COST = 4.0
MIN_WORD_CHARS = 3

_SIGNS = "013456789@$!|+"
_LEET = str.maketrans(_SIGNS, "oieasgtbgasiit")
# These stand for "i" or for "l".
_AMBIGUOUS = "1!|"
# Each doubles the spellings that are tried.
MAX_AMBIGUOUS = 4
# A longer piece is a key or a code.
MAX_LEET_CHARS = 32
_PIECE = re.compile(r"(?:[A-Za-z0-9@$|+]|!(?=[A-Za-z0-9@$]))++")
# "2nd", "50s", "7am", "10km".
_COUNTED = re.compile(
    r"[0-9]*(?:1st|2nd|3rd|[0-9]th|[0-9](?:s|am|pm|[ckm]?[bgmx]))", re.IGNORECASE
)
_ANY_SIGN = re.compile("[013456789@$!|+]")
_INSIDE = re.compile(r"[A-Za-z][013457@$!|]+[A-Za-z]")


def joined(text: str) -> Iterator[tuple[int, int, str]]:
    """Edits that join letters apart into words; only what is between them changes."""
    for match in _APART.finditer(text):
        gaps = _LETTER.split(match.group())[1:-1]
        ends = _word_ends("".join(_LETTER.findall(match.group())), gaps)
        if ends is None:
            continue
        place = match.start() + 1
        for number, gap in enumerate(gaps, 1):
            yield place, place + len(gap), " " if number in ends else ""
            place += len(gap) + 1


def _word_ends(letters: str, gaps: list[str]) -> set[int] | None:
    """How many letters there are before each end of a word, or None without words."""
    usual, times = Counter(gaps).most_common(1)[0]
    alike = times >= MIN_ALIKE_SHARE * len(gaps)
    parted = [n for n, gap in enumerate(gaps, 1) if gap != usual] if alike else []
    ends: set[int] = set()
    words = False
    for start, end in pairwise((0, *parted, len(letters))):
        inner, found = _segmented(letters[start:end])
        words = words or found
        ends.update(start + number for number in inner)
    return ends if words else None


def _segmented(letters: str) -> tuple[list[int], bool]:
    """Where words end in letters, the last end too, and whether they are words."""
    lower = letters.lower()
    readings = {lower.translate(_LEET), lower.replace("1", "l").translate(_LEET)}
    price, ends = min(map(segmented, sorted(readings)))
    known = any(b - a >= MIN_WORD_CHARS for a, b in pairwise((0, *ends)))
    if price > MAX_LETTER_COST or not known or not _has_letter(lower):
        return [len(letters)], False
    return ends, True


def _has_letter(piece: str) -> bool:
    return any(char.isalpha() for char in piece)


def plainly(text: str) -> Iterator[tuple[int, int, str]]:
    """Edits that write letters for digits and signs, where that makes a word.

    Numbers, quantities and what makes no word follow where another piece near them
    made one.
    """
    sure: list[int] = []
    edits: list[tuple[int, int, str]] = []
    for match in _pieces(text):
        piece = match.group()
        if len(piece) > MAX_LEET_CHARS:
            continue
        word = _known_word(piece)
        if word is not None and _tells(piece):
            sure.append(match.start())
        if word is None and _INSIDE.search(piece):
            word = piece.lower().translate(_LEET)
        if word is not None:
            edits.append((*match.span(), word))
    for edit in edits:
        after = bisect_left(sure, edit[0])
        beside = sure[max(after - 1, 0) : after + 1]
        if any(abs(place - edit[0]) <= NEAR_CHARS for place in beside):
            yield edit


def _tells(piece: str) -> bool:
    """Whether a piece that makes a word was hardly meant as it stands."""
    long = len(piece) >= MIN_WORD_CHARS and _has_letter(piece)
    return long and not _COUNTED.fullmatch(piece)


def _pieces(text: str) -> Iterator[re.Match[str]]:
    """Pieces in which a digit or a sign may stand for a letter."""
    done = 0
    for sign in _ANY_SIGN.finditer(text):
        if sign.start() < done:
            continue
        start = sign.start()
        while start > max(done, sign.start() - MAX_LEET_CHARS) and _is_word(
            text[start - 1]
        ):
            start -= 1
        match = _PIECE.match(text, start)
        if match is not None:
            done = match.end()
            yield match


def _is_word(char: str) -> bool:
    return char.isascii() and char.isalpha()


def _known_word(piece: str) -> str | None:
    """The commonest word that the piece may spell."""
    lower = piece.lower()
    doubtful = [at for at, char in enumerate(lower) if char in _AMBIGUOUS]
    if len(doubtful) > MAX_AMBIGUOUS:
        doubtful = []
    spelled = list(lower.translate(_LEET))
    best: tuple[float, str] | None = None
    for letters in product("il", repeat=len(doubtful)):
        for at, letter in zip(doubtful, letters, strict=True):
            spelled[at] = letter
        word = "".join(spelled)
        price = cost(word)
        if price is not None and (best is None or price < best[0]):
            best = price, word
    return None if best is None else best[1]
