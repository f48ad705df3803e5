"""Draws drafts until one is new enough."""

import re
from hashlib import blake2b
from random import Random

from thought_generator.models import Prompt
from thought_generator.providers.composing.choosing import Chosen, choose
from thought_generator.providers.composing.clauses import shorten
from thought_generator.providers.composing.drafting import Draw, write
from thought_generator.providers.composing.frames import Kinship
from thought_generator.providers.composing.novelty import Recent
from thought_generator.providers.composing.places import (
    Places,
    bare_topic,
    ledger_places,
    places_of,
    returns_place,
    shared_place,
)
from thought_generator.providers.composing.reading import (
    Origin,
    Source,
    read,
    speaker_of,
)
from thought_generator.providers.composing.voices import voice_of

# Two thoughts with this 5-gram Jaccard index read as the same one.
_SAME_THOUGHT = 0.5
# A store of a few memories runs out of new words; then the newest draft must do.
_MAX_DRAFTS = 8
# Beside a context, this share of the thoughts is on it.
_FOCUS_SHARE = 0.35

# So much of a thought in the context tells that it is quoted there.
_ECHO_CHARS = 60
_LABEL = re.compile(r"\A\w[\w ]{0,40}: +(?=\S)")

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
    recent = Recent(prompt.recent, _recalled_thoughts(prompt))
    voice = voice_of(prompt.stream)
    best, least = "", float("inf")
    for _ in range(_MAX_DRAFTS):
        places = _places(prompt, voice.kinship, recent, rng)
        if not places:
            return shorten(rng.choice(_NOTHING_KNOWN), max_chars)
        draft = write(Draw(voice, places, recent, rng), max_chars)
        likeness = recent.likeness(draft)
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


def _recalled_thoughts(prompt: Prompt) -> list[str]:
    return [
        memory.content
        for memory in prompt.recalled
        if memory.evidence == Origin.THOUGHT
    ]


def _places(prompt: Prompt, kinship: Kinship, recent: Recent, rng: Random) -> Places:
    context = _part(_focus_of(prompt), Origin.CONTEXT)
    if prompt.recalled:
        chosen = choose(prompt.recalled, kinship, rng)
    else:
        persona = _part(prompt.persona, Origin.PERSONA)
        known = [source for source in (context, persona) if source]
        if not known:
            return {}
        chosen, context = Chosen(known[0], known[1:]), None
    places = _chosen_places(chosen, rng)
    places |= ledger_places(prompt, chosen.main)
    places |= returns_place(recent, places["a_topic"])
    if context and rng.random() < _FOCUS_SHARE:
        places |= places_of("c", context, rng)
    return places


def _focus_of(prompt: Prompt) -> str:
    """The context without its labels, and without the thoughts just thought."""
    before = [thought[:_ECHO_CHARS] for thought in prompt.recent]
    lines = [
        line
        for line in prompt.context.splitlines()
        if not any(thought in line for thought in before)
    ]
    text = "\n".join(lines)
    return text if speaker_of(text) else _LABEL.sub("", text)


def _chosen_places(chosen: Chosen, rng: Random) -> Places:
    places = places_of("a", chosen.main, rng)
    named = {bare_topic(places["a_topic"])}
    for prefix, source in zip("bd", chosen.others, strict=False):
        found = places_of(prefix, source, rng)
        topic = bare_topic(found[f"{prefix}_topic"])
        if topic not in named:
            named.add(topic)
            places |= found
    if "b_topic" in places:
        places |= shared_place(chosen.main, chosen.others[0], rng)
    return places


def _part(text: str, origin: Origin) -> Source | None:
    source = read(text, origin)
    return None if source.is_barren else source
