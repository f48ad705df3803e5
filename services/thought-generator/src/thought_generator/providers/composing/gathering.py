"""Gathers what a draft may speak of, from all parts of a prompt."""

import re
from random import Random

from thought_generator.models.prompts import Prompt
from thought_generator.providers.composing.choosing import Chosen, choose
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

# Beside a context, this share of the thoughts is on it.
_FOCUS_SHARE = 0.3
# So much of a thought in the context tells that it is quoted there.
_ECHO_CHARS = 60

_LABEL = re.compile(r"\A\w[\w ]{0,40}: +(?=\S)")


def gather(prompt: Prompt, kinship: Kinship, recent: Recent, rng: Random) -> Places:
    """The places of one draft; none when nothing at all is known."""
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
        focus = places_of("c", context, rng)
        places |= focus if _is_new(focus["c_topic"], places) else {}
    return places


def _chosen_places(chosen: Chosen, rng: Random) -> Places:
    places = places_of("a", chosen.main, rng)
    for source in chosen.others:
        prefix = "d" if "b_topic" in places else "b"
        found = places_of(prefix, source, rng)
        if not _is_new(found[f"{prefix}_topic"], places):
            continue
        places |= found
        if prefix == "b":
            places |= shared_place(chosen.main, source, rng)
    return places


def _part(text: str, origin: Origin) -> Source | None:
    source = read(text, origin)
    return None if source.is_barren else source


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


def _is_new(topic: str, places: Places) -> bool:
    bare = bare_topic(topic)
    return all(
        bare != bare_topic(text)
        for place, text in places.items()
        if place.endswith("_topic")
    )
