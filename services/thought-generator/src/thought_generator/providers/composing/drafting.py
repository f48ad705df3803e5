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

# A long quote leaves little room: some shorter endings are looked for.
_MAX_ENDINGS = 4

# So many thoughts pass before the same frame opens, closes or ends one again.
_OPENING_PAUSE = 12
_CLOSING_PAUSE = 6
_CODA_PAUSE = 4

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
    angle = _angle(draw)
    head = _fill(_draw_frame(angle.openings, draw, _OPENING_PAUSE), draw)
    whole = head
    for _ in range(_MAX_ENDINGS):
        closing = _draw_frame(angle.closings, draw, _CLOSING_PAUSE)
        whole = f"{head} {_fill(closing, draw)}"
        full = _with_coda(whole, draw)
        if _fits(full, max_chars):
            return full
    for text in (whole, head):
        if _fits(text, max_chars):
            return text
    brief = draw.rng.choice(_BRIEF).format(draw.places["a_topic"])
    return shorten(brief, max_chars)


def _with_coda(text: str, draw: Draw) -> str:
    coda = _draw_frame(draw.voice.codas, draw, _CODA_PAUSE)
    joint = " –" if ";" in text.rpartition(". ")[2] else ";"
    return f"{text.removesuffix('.')}{joint} {_fill(coda, draw)}."


def _fits(text: str, max_chars: int) -> bool:
    return len(text) <= max_chars and len(text.split()) <= _MAX_WORDS


def _angle(draw: Draw) -> Angle:
    angles = list(draw.voice.angles)
    draw.rng.shuffle(angles)
    if "c_topic" in draw.places:
        angles.insert(0, draw.voice.focus)
    fitting = [angle for angle in angles if _fitting(angle.openings, draw)]
    return next((angle for angle in fitting if _is_fresh(angle, draw)), fitting[0])


def _is_fresh(angle: Angle, draw: Draw) -> bool:
    return any(
        not draw.recent.hold(frame.marks, _OPENING_PAUSE)
        for frame in _fitting(angle.openings, draw)
    )


def _draw_frame(frames: Sequence[Frame], draw: Draw, pause: int) -> Frame:
    """A frame not used lately, or any where all were."""
    fitting = _fitting(frames, draw)
    draw.rng.shuffle(fitting)
    fresh = (frame for frame in fitting if not draw.recent.hold(frame.marks, pause))
    return next(fresh, fitting[0])


def _fitting(frames: Sequence[Frame], draw: Draw) -> list[Frame]:
    return [frame for frame in frames if frame.needs <= draw.places.keys()]


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
