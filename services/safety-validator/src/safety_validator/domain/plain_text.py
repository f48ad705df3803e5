"""A text as the rules read it, and the way back to the text as it was written.

Compatibility forms (full width, ligatures, mathematical letters) are written
plainly, invisible characters are taken out, typographic quotes become plain ones.
"""

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from safety_validator.models import Span

__all__ = ["PlainText", "plain_text", "views"]

_QUOTES = {"‘": "'", "’": "'", "‚": "'", "‛": "'", "“": '"', "”": '"', "„": '"'}
# Invisible, though Unicode files them under marks and letters.
_BLANK = frozenset("\u034f\u115f\u1160\u3164\uffa0\u17b4\u17b5") | frozenset(
    map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
# Distinct characters of the scripts one process meets.
_FOLDS_KEPT = 16_384


@lru_cache(maxsize=_FOLDS_KEPT)
def _fold(char: str) -> str:
    if char in _BLANK or unicodedata.category(char) == "Cf":
        return ""
    return _QUOTES.get(char) or unicodedata.normalize("NFKC", char)


@dataclass(frozen=True, slots=True)
class PlainText:
    """`text`, and where it differs from the original.

    Each difference stands for one original character: `starts` says where its
    replacement begins in `text`, `origins` where the character was, `sizes` how
    long the replacement is.
    """

    text: str
    starts: tuple[int, ...] = ()
    origins: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()

    def original(self, span: Span) -> Span:
        """A span of `text` as a span of the original."""
        if not self.starts:
            return span
        return self._origin(span[0]), self._origin(span[1] - 1) + 1

    def _origin(self, position: int) -> int:
        edit = bisect_right(self.starts, position) - 1
        if edit < 0:
            return position
        beyond = position - self.starts[edit] - self.sizes[edit]
        return self.origins[edit] + (1 + beyond if beyond >= 0 else 0)


def views(content: str) -> tuple[PlainText, ...]:
    """All that the content may be read as; the first is its plain text."""
    return (plain_text(content),)


def plain_text(content: str) -> PlainText:
    """The content as the rules read it."""
    if content.isascii():
        return PlainText(content)
    folded = {char: plain for char in set(content) if (plain := _fold(char)) != char}
    if not folded:
        return PlainText(content)
    return _rewrite(content, folded)


def _rewrite(content: str, folded: dict[str, str]) -> PlainText:
    pieces: list[str] = []
    starts: list[int] = []
    origins: list[int] = []
    sizes: list[int] = []
    done = length = 0
    for match in re.finditer(f"[{re.escape(''.join(folded))}]", content):
        origin = match.start()
        plain = folded[match.group()]
        length += origin - done
        pieces += (content[done:origin], plain)
        starts.append(length)
        origins.append(origin)
        sizes.append(len(plain))
        length += len(plain)
        done = origin + 1
    pieces.append(content[done:])
    return PlainText("".join(pieces), tuple(starts), tuple(origins), tuple(sizes))
