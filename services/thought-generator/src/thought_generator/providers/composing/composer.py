"""Draws sources, an angle and frames until a thought is new enough."""

from hashlib import blake2b
from random import Random

from thought_generator.models import Prompt, Recalled
from thought_generator.providers.composing.clauses import shorten
from thought_generator.providers.composing.drafting import Draw, write
from thought_generator.providers.composing.frames import Kinship
from thought_generator.providers.composing.novelty import Recent
from thought_generator.providers.composing.places import (
    Places,
    ledger_places,
    places_of,
    returns_place,
    shared_place,
)
from thought_generator.providers.composing.reading import Origin, Source, read
from thought_generator.providers.composing.voices import voice_of

# Two thoughts with this 5-gram Jaccard index read as the same one.
_SAME_THOUGHT = 0.5
# A store of a few memories runs out of new words; then the newest draft must do.
_MAX_DRAFTS = 8
# A thought is read in a feed: one to three short sentences.
_MAX_WORDS = 60
# Partners that are looked at: each may have to be read for the first time.
_MAX_PARTNERS = 3
# Lower ranks stay likely, or a stream would never leave its best match.
_RANK_DAMPING = 3.0
# Facts are thought about more often than thoughts, or a stream feeds on itself.
_THOUGHT_WEIGHT = 0.4
# A memory that names nothing ("Wow, thanks!") is seldom worth a thought.
_THIN_CHANCE = 0.15
# Beside a context, this share of the thoughts is on it.
_FOCUS_SHARE = 0.5

# Said where there is neither memory nor context nor persona.
_NOTHING_KNOWN = (
    "There is nothing to think about yet: no memory, no context, no persona.",
    "An empty store and no question; a first memory would be a start.",
    "So far there is only silence to work with.",
    "Nothing has been told, so nothing follows.",
)


def compose(prompt: Prompt, max_chars: int) -> str:
    """The same prompt gives the same thought, another `recent` another one."""
    rng = Random(_seed(prompt))
    recent = Recent(prompt.recent)
    voice = voice_of(prompt.stream)
    best, least = "", float("inf")
    for _ in range(_MAX_DRAFTS):
        places = _places(prompt, voice.kinship, rng)
        if not places:
            return shorten(rng.choice(_NOTHING_KNOWN), max_chars)
        draft = write(Draw(voice, places, recent, rng), max_chars)
        likeness = recent.likeness(draft) + (len(draft.split()) > _MAX_WORDS)
        if likeness < least:
            best, least = draft, likeness
        if least < _SAME_THOUGHT:
            break
    return best


def _seed(prompt: Prompt) -> int:
    digest = blake2b(digest_size=8)
    memories = (str(memory.memory_id) for memory in prompt.recalled)
    parts = (prompt.stream, prompt.persona, prompt.context, *memories, "")
    for part in (*parts, *prompt.recent):
        digest.update(part.encode("utf-8", "replace") + b"\0")
    return int.from_bytes(digest.digest())


def _places(prompt: Prompt, kinship: Kinship, rng: Random) -> Places:
    context = _part(prompt.context, Origin.CONTEXT)
    if prompt.recalled:
        main, others = _main(prompt.recalled, rng)
        partner = _partner(main, others, kinship, rng)
    else:
        persona = _part(prompt.persona, Origin.PERSONA)
        known = [source for source in (context, persona) if source]
        if not known:
            return {}
        main, partner, context = known[0], next(iter(known[1:]), None), None
    places = places_of("a", main, rng) | ledger_places(prompt, main)
    places |= returns_place(prompt, places["a_topic"])
    if partner:
        places |= places_of("b", partner, rng) | shared_place(main, partner, rng)
    if context and rng.random() < _FOCUS_SHARE:
        places |= places_of("c", context, rng)
    return places


def _part(text: str, origin: Origin) -> Source | None:
    source = read(text, origin)
    return None if source.is_barren else source


def _main(
    recalled: tuple[Recalled, ...], rng: Random
) -> tuple[Source, list[Recalled]]:
    left = sorted(recalled, key=lambda memory: -memory.score)
    while True:
        weights = [
            (_THOUGHT_WEIGHT if memory.evidence == Origin.THOUGHT else 1.0)
            / (rank + _RANK_DAMPING)
            for rank, memory in enumerate(left)
        ]
        memory = rng.choices(left, weights)[0]
        left.remove(memory)
        source = _source(memory)
        if not left or rng.random() < _chance(source):
            return source, left


def _chance(source: Source) -> float:
    """Of being taken once drawn: what names nothing gives thin thoughts."""
    if source.is_barren:
        return 0.0
    return 1.0 if source.reading.topics.phrases else _THIN_CHANCE


def _partner(
    main: Source, others: list[Recalled], kinship: Kinship, rng: Random
) -> Source | None:
    drawn = rng.sample(others, min(_MAX_PARTNERS, len(others)))
    candidates = [
        source
        for source in map(_source, drawn)
        if source.reading != main.reading and not source.is_barren
    ]
    if not candidates:
        return None

    def common(source: Source) -> int:
        return len(source.reading.words & main.reading.words)

    named = [source for source in candidates if source.reading.topics.phrases]
    choose = max if kinship is Kinship.CLOSEST else min
    return choose(named or candidates, key=common)


def _source(memory: Recalled) -> Source:
    return read(memory.content, Origin.of(memory.evidence))
