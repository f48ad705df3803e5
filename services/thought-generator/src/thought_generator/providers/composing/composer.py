"""Draws drafts until one is new enough."""

from hashlib import blake2b
from random import Random

from thought_generator.models.prompts import Prompt
from thought_generator.providers.composing.clauses import shorten
from thought_generator.providers.composing.drafting import Draw, write
from thought_generator.providers.composing.gathering import gather
from thought_generator.providers.composing.novelty import Recent
from thought_generator.providers.composing.reading import Origin
from thought_generator.providers.composing.voices import voice_of

# Two thoughts with this 5-gram Jaccard index read as the same one.
_SAME_THOUGHT = 0.5
# A store of a few memories runs out of new words; then the newest draft must do.
_MAX_DRAFTS = 8

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
        places = gather(prompt, voice.kinship, recent, rng)
        if not places:
            return shorten(rng.choice(_NOTHING_KNOWN), max_chars)
        draft = write(Draw(voice, places, recent, rng), max_chars)
        likeness = recent.likeness(draft)
        likeness += _SAME_THOUGHT if recent.open_like(draft) else 0.0
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
