"""Why a text may say more than it shows: one pass that ordinary text does not feel."""

import threading
from enum import IntEnum

import hyperscan

from safety_validator.domain.lexicon import REVERSED, ROTATED, ascii_words

__all__ = ["Reason", "reasons"]


class Reason(IntEnum):
    """What a text has that some disguise leaves."""

    ENCODED = 0
    SPACED = 1
    LEET = 2
    ROTATED = 3
    REVERSED = 4


_EXPRESSIONS = (
    (Reason.ENCODED, r"%[0-9a-f]{2}|&#?[a-z0-9]+;|&#[0-9x]|\\[ux][0-9a-f{]"),
    (Reason.ENCODED, r"[a-z0-9+/]{16}|\w\+[a-z']+\+\w"),
    (Reason.ENCODED, r"\b(?:(?:0x)?[0-9a-f]{2}[ :,-] ?){4}|\b[01]{8} ?[01]{8}"),
    (Reason.SPACED, r"(?:^|[^a-z0-9'])(?:[a-z@$][^a-z0-9]{1,3}){2}[a-z0-9@$]\b"),
    (Reason.LEET, r"[a-z][0134578@$!|+]{1,3}[a-z]|\b[a-z]{3,}[013457$]\b"),
    (Reason.LEET, r"(?:^|[^a-z0-9.,:])[013457@$|!]{1,2}[a-z]{3}"),
)
_DISGUISED = ((Reason.ROTATED, ROTATED), (Reason.REVERSED, REVERSED))
# One word may be a name, or of another language; a long one rarely is.
MIN_SURE_CHARS = 7
MIN_HITS = 2


def _compile() -> hyperscan.Database:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    flags = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH
    database.compile(
        expressions=[expression.encode() for _, expression in _EXPRESSIONS],
        ids=[reason for reason, _ in _EXPRESSIONS],
        flags=[flags] * len(_EXPRESSIONS),
    )
    return database


_DATABASE = _compile()
_LOCAL = threading.local()


def reasons(text: str) -> set[int]:
    """What speaks for a disguise in a text without lone surrogates."""
    found: set[int] = set()

    def note(reason: int, _from: int, _to: int, _flags: int, _: object) -> None:
        found.add(reason)

    data = text.encode("utf-8", "replace")
    _DATABASE.scan(data, match_event_handler=note, scratch=_scratch())
    words = ascii_words(data)
    for reason, disguised in _DISGUISED:
        if not disguised.isdisjoint(words) and _sure(disguised.intersection(words)):
            found.add(reason)
    return found


def _sure(words: frozenset[bytes]) -> bool:
    return len(words) >= MIN_HITS or any(len(w) >= MIN_SURE_CHARS for w in words)


def _scratch() -> hyperscan.Scratch:
    scratch: hyperscan.Scratch | None = getattr(_LOCAL, "scratch", None)
    if scratch is None:
        scratch = _LOCAL.scratch = hyperscan.Scratch(_DATABASE)
    return scratch
