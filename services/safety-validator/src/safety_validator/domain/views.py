"""All that a text may be read as: as written, decoded, and with disguises taken off.

A view is made only where something speaks for it, so ordinary text has one.
"""

import codecs
import re
from collections.abc import Iterable, Iterator

from safety_validator.domain.characters import look_alike
from safety_validator.domain.encodings import decoded
from safety_validator.domain.lexicon import REVERSED, ROTATED, WORDS, ascii_words
from safety_validator.domain.plain_text import (
    Edit,
    PlainText,
    Reading,
    near,
    normalised,
    plain_text,
    rewritten,
)
from safety_validator.domain.reasons import Reason, reasons
from safety_validator.domain.spelling import joined, plainly
from safety_validator.models import Span

__all__ = ["MAX_DEPTH", "MAX_VIEWS", "views"]

# Encodings within encodings; decoding never makes a text longer.
MAX_DEPTH = 4
# Of the text and of each depth: itself, letters, joined, leet, rot13, reversed.
MAX_VIEWS = (1 + MAX_DEPTH) * 6
_ANY_WORD = re.compile("[A-Za-z]++")
# Greek begins here, and after it the other scripts; Vietnamese lies further on.
_FIRST_BEYOND_LATIN = "\u0370"
_LATIN_EXTENDED = ("\u1e00", "\u1eff")


def views(content: str) -> tuple[PlainText, ...]:
    """The content's readings; the first is its plain text, and all derive from it."""
    return tuple(_views(plain_text(content)))


def _views(view: PlainText) -> Iterator[PlainText]:
    for depth in range(MAX_DEPTH + 1):
        yield view
        why = reasons(view.text)
        yield from _guesses(view, why)
        if depth == MAX_DEPTH or Reason.ENCODED not in why:
            return
        inner = _rewritten(view, decoded(view.text), Reading.DECODED)
        if inner is view:
            return
        view = normalised(inner)


def _rewritten(
    view: PlainText, edits: Iterable[Edit], reading: Reading = Reading.GUESSED
) -> PlainText:
    """What the edits change and what is near; the view itself where they are none."""
    return rewritten(view, near(edits, len(view.text)), reading)


def _guesses(view: PlainText, why: set[int]) -> Iterator[PlainText]:
    last = view
    if (letters := _in_latin(view)) is not None:
        yield (last := letters)
        why = why | reasons(letters.text)
    if Reason.SPACED in why:
        apart, last = last, _rewritten(last, joined(last.text))
        if last is not apart:
            yield last
            why = why | {Reason.LEET}
    if Reason.LEET in why:
        leet = _rewritten(last, plainly(last.text))
        if leet is not last:
            yield leet
    if Reason.ROTATED in why:
        part = _rewritten(view, _where(view.text, ROTATED))
        yield PlainText(codecs.encode(part.text, "rot13"), Reading.GUESSED, part)
    if Reason.REVERSED in why:
        yield _mirrored(_rewritten(view, _where(view.text, REVERSED)))


def _where(text: str, words: frozenset[bytes]) -> Iterator[Edit]:
    """Where the words stand, as edits that change nothing."""
    for match in _ANY_WORD.finditer(text):
        if match.group().lower().encode() in words:
            yield *match.span(), match.group()


def _mirrored(view: PlainText) -> PlainText:
    length = len(view.text)

    def way(span: Span) -> Span:
        return length - span[1], length - span[0]

    return PlainText(view.text[::-1], Reading.GUESSED, view, way)


def _in_latin(view: PlainText) -> PlainText | None:
    """The view in the letters that its own look like, where that shows a word."""
    if view.text.isascii():
        return None
    looks = {
        char: look for char in set(view.text) if (look := look_alike(char)) != char
    }
    if not looks:
        return None
    table = {ord(char): look for char, look in looks.items()}
    gained = _words(view.text.translate(table)) - _words(view.text)
    if not gained and not _mixed(view.text, looks):
        return None
    edits = (
        (*match.span(), match.group().translate(table))
        for match in re.finditer(f"[{re.escape(''.join(looks))}]+", view.text)
    )
    return _rewritten(view, edits)


def _words(text: str) -> frozenset[bytes]:
    return WORDS.intersection(ascii_words(text.encode()))


def _mixed(text: str, looks: dict[str, str]) -> bool:
    """Whether a word has letters of two scripts, or may have had before it was spaced.

    Accented letters are Latin too.
    """
    first, last = _LATIN_EXTENDED
    other = "".join(
        char
        for char in looks
        if char >= _FIRST_BEYOND_LATIN and not first <= char <= last
    )
    if not other:
        return False
    letter = f"[{re.escape(other)}]"
    apart = rf"(?<!\w)\w\W{{1,3}}{letter}\W{{1,3}}\w(?!\w)"
    return re.search(f"[A-Za-z]{letter}|{letter}[A-Za-z]|{apart}", text) is not None
