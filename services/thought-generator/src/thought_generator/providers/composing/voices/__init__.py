"""How each stream speaks; a stream of another name thinks like the primary one."""

from thought_generator.providers.composing.frames import Voice
from thought_generator.providers.composing.voices.creative import CREATIVE
from thought_generator.providers.composing.voices.emotional import EMOTIONAL
from thought_generator.providers.composing.voices.metacognitive import METACOGNITIVE
from thought_generator.providers.composing.voices.primary import PRIMARY
from thought_generator.providers.composing.voices.subconscious import SUBCONSCIOUS

_VOICES = {
    "primary": PRIMARY,
    "subconscious": SUBCONSCIOUS,
    "emotional": EMOTIONAL,
    "creative": CREATIVE,
    "metacognitive": METACOGNITIVE,
}


def voice_of(stream: str) -> Voice:
    """The voice of a stream."""
    return _VOICES.get(stream, PRIMARY)
