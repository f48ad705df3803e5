"""C24, coherence over twenty-four hours; docs/coherence.md defines its scores.

Scores are shares from 0 to 1, counted in hour blocks, so that a bootstrap over the
hours tells how far they can be trusted.
"""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from thought_generator.domain.loops import LIKE, rows_of_words

HOURS = 24
CELL_S = 300.0
# Of the same statistic against other hours' contexts: linked by chance are 5 %.
CHANCE_PERCENTILE = 95.0
# Of a thought and one of the stream's last 200.
LIKE_BY_COSINE = 0.97
COMPARED_THOUGHTS = 200
RESAMPLES = 2_000
# The lower end of a 95 % interval.
LOWER_SHARE = 0.025
SEED = 24

Vectors = NDArray[np.float32]


@dataclass(slots=True)
class Share:
    """So many of so many."""

    good: int = 0
    all: int = 0

    def add(self, good: bool) -> None:
        """Counts one more."""
        self.good += good
        self.all += 1


def ratio(shares: Iterable[Share]) -> float:
    """All of them together; 1 where there is nothing to judge."""
    good = everything = 0
    for share in shares:
        good, everything = good + share.good, everything + share.all
    return good / everything if everything else 1.0


@dataclass(slots=True)
class Hour:
    """What one hour showed."""

    kept: Share = field(default_factory=Share)
    """What recall must have."""
    clean: Share = field(default_factory=Share)
    """What must not show, and does not."""
    chained: Share = field(default_factory=Share)
    alive: Share = field(default_factory=Share)


def recall_score(hours: Sequence[Hour]) -> float:
    """The lower of: it has what it must, it shows nothing it must not."""
    return min(ratio(hour.kept for hour in hours), ratio(hour.clean for hour in hours))


def continuity_score(hours: Sequence[Hour]) -> float:
    """1 - (lost + doubled + out of order) / expected, not below 0."""
    return max(0.0, ratio(hour.chained for hour in hours))


def alive_score(hours: Sequence[Hour]) -> float:
    """The share of cells with a thought."""
    return ratio(hour.alive for hour in hours)


def system_score(hours: Sequence[Hour]) -> float:
    """C24-system: the lowest of recall, continuity and alive."""
    return min(recall_score(hours), continuity_score(hours), alive_score(hours))


def lower_bound(hours: Sequence[Hour]) -> float:
    """Of C24-system, by a bootstrap over the hours."""
    chance = random.Random(SEED)
    scores = sorted(
        system_score(chance.choices(hours, k=len(hours))) for _ in range(RESAMPLES)
    )
    return scores[int(LOWER_SHARE * RESAMPLES)]


@dataclass(frozen=True, slots=True)
class Link:
    """A thought's place as somebody saw it."""

    id: str
    stream: str
    seq: int
    previous_id: str | None
    at_s: float
    engine: str = ""


def count_chains(
    seen: Iterable[Link], standing: Iterable[Link], hours: Sequence[Hour], seqs: float
) -> None:
    """Counts each seq of each stream, by hours of so many `seqs`.

    `seen` is what was shown at any time, `standing` what there is in the end. Wrong are
    seqs that are missing, that were shown with another thought than the one that
    stands, and those whose thought does not name the one before.
    """
    stands = {(link.stream, link.seq): link for link in standing}
    shown: dict[tuple[str, int], set[str]] = {}
    for link in [*seen, *stands.values()]:
        shown.setdefault((link.stream, link.seq), set()).add(link.id)
    last: dict[str, int] = {}
    for stream, seq in shown:
        last[stream] = max(seq, last.get(stream, 0))
    for stream, count in last.items():
        for seq in range(1, count + 1):
            found, before = stands.get((stream, seq)), stands.get((stream, seq - 1))
            whole = (
                found is not None
                and len(shown[stream, seq]) == 1
                and (seq == 1 or before is None or found.previous_id == before.id)
            )
            hours[min(int((seq - 1) / seqs), len(hours) - 1)].chained.add(whole)


@dataclass(frozen=True, slots=True)
class Pace:
    """How a real time becomes a simulated one.

    A beat stands for `beat_s`. What is longer than a beat took is a silence: it is as
    long as it was, for a restart is no quicker because beats are; but from `longest_s`
    on it is `speed` times as long, as what everybody else thought meanwhile. `outage`
    is the time in which the model was out, which stands for `outage_s`.
    """

    beat_s: float
    real_beat_s: float
    longest_s: float
    speed: float
    outage: tuple[float, float] | None = None
    outage_s: float = 0.0

    def between(self, before_s: float, after_s: float) -> float:
        """Simulated seconds from one thought of a stream to its next."""
        silent_s = max(0.0, after_s - before_s - self.real_beat_s)
        if self.outage is not None:
            begin_s, end_s = self.outage
            out_s = max(0.0, min(after_s, end_s) - max(before_s, begin_s))
            if out_s:
                share = out_s / (end_s - begin_s)
                return self.beat_s + share * self.outage_s + max(0.0, silent_s - out_s)
        factor = 1.0 if silent_s < self.longest_s else self.speed
        return self.beat_s + factor * silent_s


def count_cells(
    times: Mapping[str, Sequence[float]], ends_s: float, pace: Pace, hours: list[Hour]
) -> None:
    """Counts each stream's cells, from its first thought to the end of the run; those
    that the simulated clock has beyond the last hour count into it."""
    cells_an_hour = 3600 / CELL_S
    for thought_s in times.values():
        clock_s = 0.0
        alive = {0}
        for before_s, after_s in pairwise(thought_s):
            clock_s += pace.between(before_s, after_s)
            alive.add(int(clock_s / CELL_S))
        clock_s += pace.between(thought_s[-1], ends_s) - pace.beat_s
        for cell in range(max(int(clock_s / CELL_S), 1)):
            hour = min(int(cell / cells_an_hour), len(hours) - 1)
            hours[hour].alive.add(cell in alive)


def strongest_links(thoughts: Vectors, contexts: Sequence[Vectors]) -> Vectors:
    """Of each thought (rows of unit length) the largest cosine to an item of its
    context; contexts in the order of the thoughts, items × dimensions each."""
    pairs = zip(thoughts, contexts, strict=True)
    return np.array([np.max(items @ one) for one, items in pairs], dtype=np.float32)


def chance_threshold(
    thoughts: Vectors, contexts: Sequence[Vectors], hours: Sequence[int]
) -> float:
    """τ: the 95th percentile of thoughts' links to contexts of other hours."""
    found = [
        float(np.max(items @ one))
        for one, hour in zip(thoughts, hours, strict=True)
        for items, other in zip(contexts, hours, strict=True)
        if other != hour
    ]
    return float(np.percentile(found, CHANCE_PERCENTILE))


def loops(texts: Sequence[str], vectors: Vectors) -> list[bool]:
    """Of one stream's thoughts, in order: which are like one of the 200 before."""
    rows = [rows_of_words(text) for text in texts]
    found = []
    for place, row in enumerate(rows):
        begin = max(0, place - COMPARED_THOUGHTS)
        near = vectors[begin:place] @ vectors[place]
        found.append(
            bool(np.any(near >= LIKE_BY_COSINE))
            or any(len(row & old) >= LIKE * len(row | old) for old in rows[begin:place])
        )
    return found


def contradicts(text: str, facts: Mapping[str, tuple[str, frozenset[str]]]) -> bool:
    """Whether a thought gives a seeded fact another value.

    `facts`: subject → (its value, all values of its slot). A sentence that names the
    subject and another value, and not its own, contradicts; a question does not.
    """
    for sentence in re.split(r"(?<=[.!?])\s+", text.casefold()):
        words = set(re.findall(r"\w+", sentence))
        if sentence.endswith("?"):
            continue
        for subject, (value, values) in facts.items():
            if subject.casefold() not in sentence or value.casefold() in words:
                continue
            if words & {other.casefold() for other in values}:
                return True
    return False


def thread_score(
    linked: Sequence[bool],
    looping: Sequence[bool],
    contradicting: Sequence[bool],
    hours: Sequence[int],
) -> float:
    """The mean over the hours of the share of thoughts that are linked, do not loop and
    contradict nothing. With a model that is none it means nothing."""
    shares: dict[int, Share] = {}
    for link, loop, wrong, hour in zip(
        linked, looping, contradicting, hours, strict=True
    ):
        shares.setdefault(hour, Share()).add(link and not loop and not wrong)
    return sum(share.good / share.all for share in shares.values()) / len(shares)
