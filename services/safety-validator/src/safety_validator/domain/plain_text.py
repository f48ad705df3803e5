"""A text as the rules read it, and the way back to the text as it was written."""

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from html import unescape
from unicodedata import normalize

from safety_validator.domain.characters import MARKS, plain
from safety_validator.domain.encodings import text_of
from safety_validator.models import Span

__all__ = [
    "GAP",
    "NEAR_CHARS",
    "Edit",
    "PlainText",
    "Reading",
    "near",
    "normalised",
    "plain_text",
    "rewritten",
]

# [start, end) of a text, and what stands there instead.
Edit = tuple[int, int, str]

# Rules and models look so far around what they find.
NEAR_CHARS = 300
# Stands for what is left out between; no sentence begins behind it.
GAP = " | "
# Up to so many different characters are replaced one after the other.
_FEW = 8
_CONTROLS = "".join(char for char in map(chr, range(128)) if plain(char) != char)
_MARKS = re.escape("".join(sorted(MARKS)))
_ENTITY = re.compile(r"&(?:#\d{2,7}|#[xX][0-9A-Fa-f]{2,6}|[A-Za-z]{2,31});")
# The first marks may belong to the letter; what is stacked upon them is decoration.
_CLUSTER = re.compile(f"([^{_MARKS}]?)([{_MARKS}]{{1,4}})[{_MARKS}]*")
_ANY_MARK = re.compile(f"[{_MARKS}]")
_TAGS = "".join(map(chr, range(0xE0020, 0xE007F)))
_SELECTORS = "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
# Letters and bytes in characters that nobody sees.
_HIDDEN = re.compile(f"([{_TAGS}]{{4,}})|([{_SELECTORS}]{{8,}})")
_HIDING = frozenset(_TAGS + _SELECTORS)


class Reading(Enum):
    """How a view came about."""

    WRITTEN = auto()  # what a person sees
    DECODED = auto()  # encodings undone: what a program would read
    GUESSED = auto()  # a disguise taken off, which may be none


class Alignment:
    """Which stretches of a source became which stretches of a text, in order."""

    __slots__ = ("_ends", "_places", "_sizes", "_starts")

    def __init__(self) -> None:
        # Unsigned 32 bits each: there may be as many as characters.
        self._starts = array("I")
        self._ends = array("I")
        self._places = array("I")
        self._sizes = array("I")

    def add(self, start: int, end: int, place: int, size: int) -> None:
        """[start, end) of the source became `size` characters at `place`."""
        self._starts.append(start)
        self._ends.append(end)
        self._places.append(place)
        self._sizes.append(size)

    def source(self, span: Span) -> Span:
        """A span of the text as a span of the source; a changed stretch is whole."""
        start = self._at(span[0])[0]
        return start, (self._at(span[1] - 1)[1] if span[1] > span[0] else start)

    def _at(self, position: int) -> Span:
        edit = bisect_right(self._places, position) - 1
        if edit < 0:
            return position, position + 1
        beyond = position - self._places[edit] - self._sizes[edit]
        if beyond < 0:
            return self._starts[edit], self._ends[edit]
        return self._ends[edit] + beyond, self._ends[edit] + beyond + 1


@dataclass(frozen=True, slots=True, eq=False)
class PlainText:
    """A text, what it was made `of`, and the way of a span back to there."""

    text: str
    reading: Reading = Reading.WRITTEN
    of: "PlainText | None" = None
    way: Callable[[Span], Span] | None = None

    def original(self, span: Span) -> Span:
        """A span of `text` as a span of the original."""
        view: PlainText | None = self
        while view is not None:
            span = span if view.way is None else view.way(span)
            view = view.of
        return span


def plain_text(content: str) -> PlainText:
    """The content as a person reads it."""
    view = PlainText(content)
    if "&" in content:
        view = rewritten(view, _signs(content), view.reading)
    return normalised(view)


def normalised(view: PlainText) -> PlainText:
    """The view in plain characters; the same one where it has no others."""
    if view.text.isascii():
        folded = {char: "" for char in _CONTROLS if char in view.text}
        return _folded(view, folded) if folded else view
    chars = set(view.text)
    if not _HIDING.isdisjoint(chars):
        view = rewritten(view, _revealed(view.text), view.reading)
        chars = set(view.text)
    folded = {char: form for char in chars if (form := plain(char)) != char}
    if folded:
        view = _folded(view, folded)
    if _ANY_MARK.search("".join((*chars, *folded.values()))):
        view = rewritten(view, _composed(view.text), view.reading)
    return view


def rewritten(view: PlainText, edits: Iterable[Edit], reading: Reading) -> PlainText:
    """The view with its edits made; they come in order and do not overlap."""
    pieces: list[str] = []
    alignment = Alignment()
    done = length = 0
    for start, end, text in edits:
        length += start - done
        pieces += (view.text[done:start], text)
        alignment.add(start, end, length, len(text))
        length += len(text)
        done = end
    if not pieces:
        return view
    pieces.append(view.text[done:])
    return PlainText("".join(pieces), reading, view, alignment.source)


def near(edits: Iterable[Edit], length: int) -> Iterator[Edit]:
    """The edits, and others that leave out what is far from all of them."""
    reached = 0
    for start, end, text in edits:
        if start - NEAR_CHARS - reached > len(GAP):
            yield reached, start - NEAR_CHARS, GAP
        yield start, end, text
        reached = end + NEAR_CHARS
    if reached and length - reached > len(GAP):
        yield reached, length, GAP


def _folded(view: PlainText, folded: dict[str, str]) -> PlainText:
    text = view.text
    if len(folded) <= _FEW:
        for char, form in folded.items():
            text = text.replace(char, form)
    else:
        text = text.translate({ord(char): form for char, form in folded.items()})
    return PlainText(text, view.reading, view, _way_of_folds(view.text, folded))


def _way_of_folds(source: str, folded: dict[str, str]) -> Callable[[Span], Span] | None:
    """The way back, looked up once something is found: most texts hold nothing."""
    sized = {char: len(form) for char, form in folded.items() if len(form) != 1}
    if not sized:
        return None
    known: list[Alignment] = []

    def way(span: Span) -> Span:
        if not known:
            known.append(_aligned(source, sized))
        return known[0].source(span)

    return way


def _aligned(source: str, sized: dict[str, int]) -> Alignment:
    alignment = Alignment()
    grown = 0
    for match in re.finditer(f"[{re.escape(''.join(sized))}]", source):
        start, size = match.start(), sized[match.group()]
        alignment.add(start, start + 1, start + grown, size)
        grown += size - 1
    return alignment


def _signs(text: str) -> Iterator[Edit]:
    """What web pages write for signs and accented letters: ordinary text has it too.

    ASCII letters and digits need no entity: they are a disguise.
    """
    for match in _ENTITY.finditer(text):
        char = unescape(match.group())
        if len(char) == 1 and not (char.isascii() and char.isalnum()):
            yield *match.span(), char


def _revealed(text: str) -> Iterator[Edit]:
    """Tags are ASCII moved up; a row of variation selectors is a row of bytes."""
    for match in _HIDDEN.finditer(text):
        if match[1]:
            shown: str | None = "".join(chr(ord(char) - 0xE0000) for char in match[1])
        else:
            shown = text_of(bytes(map(_SELECTORS.index, match[2])))
        if shown:
            yield *match.span(), f"\n{shown}\n"


def _composed(text: str) -> Iterator[Edit]:
    """Letters with their marks; a mark that makes no letter is taken off."""
    for match in _CLUSTER.finditer(text):
        letter = normalize("NFC", match[1] + match[2])
        yield *match.span(), _ANY_MARK.sub("", letter)
