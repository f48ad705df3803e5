"""Writes one draft: an opening of some angle, and a closing that goes with it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from thought_generator.providers.composing.clauses import shorten
from thought_generator.providers.composing.frames import Angle, Frame, Voice
from thought_generator.providers.composing.novelty import Recent
from thought_generator.providers.composing.places import Places

# A thought is read in a feed: one to three short sentences.
_MAX_WORDS = 60

# For a reader who leaves room for a few words only.
_BRIEF = ("Back to {}.", "Still on {}.", "Again {}.", "Once more {}.", "Next to {}…")

# A question that is quoted at the end of a sentence ends the sentence.
_DOUBLE_END = re.compile(r"([?!…]”)[.?](?=\s|$)")


@dataclass(slots=True)
class Draw:
    """What one draft is written from."""

    voice: Voice
    places: Places
    recent: Recent
    rng: Random
    drawn: set[str] = field(default_factory=set)
    """Entries of pools that the draft holds already."""


def write(draw: Draw, max_chars: int) -> str:
    """A thought of at most `max_chars`, which ends where a sentence ends."""
    opening, closing = _frames(draw)
    variants = [_fill(opening, draw)]
    if closing:
        variants.append(f"{variants[0]} {_fill(closing, draw)}")
        variants.append(_with_coda(variants[1], draw))
    for text in reversed(variants):
        if len(text) <= max_chars and len(text.split()) <= _MAX_WORDS:
            return text
    brief = draw.rng.choice(_BRIEF).format(draw.places["a_topic"])
    return shorten(brief, max_chars)


def _with_coda(text: str, draw: Draw) -> str:
    coda = _fresh(draw.voice.codas, draw)
    if coda is None:
        return text
    joint = " –" if ";" in text.rpartition(". ")[2] else ";"
    return f"{text.removesuffix('.')}{joint} {_fill(coda, draw)}."


def _frames(draw: Draw) -> tuple[Frame, Frame | None]:
    angles = list(draw.voice.angles)
    draw.rng.shuffle(angles)
    if "c_topic" in draw.places:
        angles.insert(0, draw.voice.focus)
    for angle in angles:
        opening = _fresh(angle.openings, draw)
        if opening:
            return opening, _fresh(angle.closings, draw)
    return _any(angles, draw)


def _fresh(frames: Sequence[Frame], draw: Draw) -> Frame | None:
    fitting = [frame for frame in frames if frame.needs <= draw.places.keys()]
    draw.rng.shuffle(fitting)
    for frame in fitting:
        if not draw.recent.hold(frame.marks):
            return frame
    return None


def _any(angles: Sequence[Angle], draw: Draw) -> tuple[Frame, Frame | None]:
    """When every frame that fits was used lately."""
    openings = [
        frame
        for angle in angles
        for frame in angle.openings
        if frame.needs <= draw.places.keys()
    ]
    return draw.rng.choice(openings), None


def _fill(frame: Frame, draw: Draw) -> str:
    text: list[str] = []
    for fixed, place in frame.pieces:
        text.append(fixed)
        if place:
            filler = _filler(place.lower(), draw)
            text.append(_capitalised(filler) if place[0].isupper() else filler)
    return _DOUBLE_END.sub(r"\1", "".join(text))


def _filler(place: str, draw: Draw) -> str:
    if place in draw.places:
        return draw.places[place]
    entries = [e for e in draw.voice.pools[place] if e not in draw.drawn]
    entry = draw.rng.choice(entries)
    draw.drawn.add(entry)
    return entry


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
