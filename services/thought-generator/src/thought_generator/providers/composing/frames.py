"""Sentences with places in them, and the voices made of such sentences.

A place in braces is filled from a memory (`{a_topic}`, `{b_quote}`, `{d_topic}`), from
the context (`{c_topic}`) or from the voice's pools (`{lens}`, each time another entry).
A capital (`{A_topic}`) starts a sentence. A topic may be singular or plural: it stands
where the verb does not tell.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from string import Formatter


class Kinship(StrEnum):
    """Which second memory a voice looks for."""

    CLOSEST = "closest"
    FARTHEST = "farthest"


@dataclass(frozen=True, slots=True)
class Frame:
    """One or two sentences with places."""

    pieces: tuple[tuple[str, str | None], ...]
    needs: frozenset[str]
    """Places that pools cannot fill."""
    marks: tuple[str, ...]
    """Its fixed words in order: a text that holds them was made with this frame."""


@dataclass(frozen=True, slots=True)
class Angle:
    """Openings, each of which names a source, and the closings that follow them."""

    openings: tuple[Frame, ...]
    closings: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Voice:
    """How one stream speaks."""

    kinship: Kinship
    pools: Mapping[str, tuple[str, ...]]
    angles: tuple[Angle, ...]
    focus: Angle
    """Taken when there is a context to think on."""
    codas: tuple[Frame, ...]
    """Clauses that a closing may end in, joined by a semicolon."""


_WORD = re.compile(r"[a-z]{3}")

Script = tuple[tuple[str, ...], tuple[str, ...]]


def make_voice(
    kinship: Kinship,
    pools: Mapping[str, str],
    scripts: tuple[Script, ...],
    focus: Script,
    codas: tuple[str, ...],
) -> Voice:
    """A voice from its sentences; a pool is written one entry a line."""
    filled = {
        name: tuple(line.strip() for line in text.strip().splitlines())
        for name, text in pools.items()
    }
    angles = tuple(_angle(script, filled) for script in scripts)
    endings = tuple(_frame(text, filled) for text in codas)
    return Voice(kinship, filled, angles, _angle(focus, filled), endings)


def _angle(script: Script, pools: Mapping[str, tuple[str, ...]]) -> Angle:
    openings, closings = script
    return Angle(
        tuple(_frame(text, pools) for text in openings),
        tuple(_frame(text, pools) for text in closings),
    )


def _frame(text: str, pools: Mapping[str, tuple[str, ...]]) -> Frame:
    pieces = tuple((fixed, place) for fixed, place, _, _ in Formatter().parse(text))
    places = {place.lower() for _, place in pieces if place}
    return Frame(
        pieces=pieces,
        needs=frozenset(places - pools.keys()),
        marks=tuple(fixed.strip() for fixed, _ in pieces if _WORD.search(fixed)),
    )
