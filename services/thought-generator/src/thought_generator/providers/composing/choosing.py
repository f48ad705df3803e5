"""Which of the recalled memories a thought grows from."""

from dataclasses import dataclass
from random import Random

from thought_generator.models.prompts import Recalled
from thought_generator.providers.composing.frames import Kinship
from thought_generator.providers.composing.reading import Origin, Source, read

# Candidates that are looked at: each may have to be read for the first time.
_MAX_CANDIDATES = 2
# Lower ranks stay likely, or a stream would never leave its best match.
_RANK_DAMPING = 3.0
# Facts are thought about more often than thoughts, or a stream feeds on itself.
_THOUGHT_WEIGHT = 0.2
# A memory that names nothing ("Wow, thanks!") is seldom worth a thought.
_THIN_CHANCE = 0.15


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a thought grows from, and what it may be set beside."""

    main: Source
    others: list[Source]


def choose(recalled: tuple[Recalled, ...], kinship: Kinship, rng: Random) -> Chosen:
    """At least one memory must be given; the better its score, the likelier."""
    order = _draw_order(recalled, rng)
    main = _first_worthy(order, rng)
    source = _source(main)
    rest = [memory for memory in order if memory is not main][:_MAX_CANDIDATES]
    return Chosen(source, _rank(source, rest, kinship))


def _draw_order(recalled: tuple[Recalled, ...], rng: Random) -> list[Recalled]:
    ranked = sorted(recalled, key=lambda memory: -memory.score)
    keys = {
        id(memory): rng.random() ** ((rank + _RANK_DAMPING) / _weight(memory))
        for rank, memory in enumerate(ranked)
    }
    return sorted(ranked, key=lambda memory: -keys[id(memory)])


def _weight(memory: Recalled) -> float:
    return _THOUGHT_WEIGHT if memory.evidence == Origin.THOUGHT else 1.0


def _first_worthy(order: list[Recalled], rng: Random) -> Recalled:
    readable: Recalled | None = None
    for memory in order:
        source = _source(memory)
        if source.is_barren:
            continue
        if source.reading.topics.phrases or rng.random() < _THIN_CHANCE:
            return memory
        readable = readable or memory
    return readable or order[0]


def _rank(main: Source, memories: list[Recalled], kinship: Kinship) -> list[Source]:
    sources = [
        source
        for source in map(_source, memories)
        if source.reading != main.reading and not source.is_barren
    ]
    named = [source for source in sources if source.reading.topics.phrases]
    return sorted(
        named or sources,
        key=lambda source: len(source.reading.words & main.reading.words),
        reverse=kinship is Kinship.CLOSEST,
    )


def _source(memory: Recalled) -> Source:
    return read(memory.content, Origin.of(memory.evidence))
