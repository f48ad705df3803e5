"""Reads a text once: who says it, which clauses and topics it offers."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from thought_generator.providers.composing.clauses import (
    content_words,
    split_clauses,
    words_of,
)
from thought_generator.providers.composing.cleaning import (
    MAX_READ_CHARS,
    clean,
    gives_orders,
)
from thought_generator.providers.composing.topics import Topics, find_topics
from thought_generator.providers.composing.words import LABELS, TENSE, WARM

# The memories of a few hundred agents' last recalls; each entry is a few kB.
_CACHED_READINGS = 4_096
# A text in which fewer words are of the Latin alphabet has no topics we can find.
_MIN_ASCII_SHARE = 0.7

_MAX_SPEAKER_CHARS = 48
_NO_TOPICS = Topics((), (), ())
_SPEAKER = re.compile(r"^\s*(?P<who>[^\W\d_][\w'. -]{0,40}?)\s*:\s+(?=\S)")
_QUOTED = re.compile(r"“([^“”]{8,400})”")
_UNCAPPED = re.compile(r"\b[a-z][\w'-]+")
_ROLES = {"user": "the user", "human": "the user", "assistant": "the assistant"}


class Origin(StrEnum):
    """Where a text comes from; a memory's evidence, or a part of the prompt."""

    TOLD = "told"
    OBSERVED = "observed"
    INFERRED = "inferred"
    THOUGHT = "thought"
    CONTEXT = "context"
    PERSONA = "persona"

    @classmethod
    def of(cls, evidence: str) -> "Origin":
        """What is not known for more counts as told."""
        return cls(evidence) if evidence in _EVIDENCE else cls.TOLD


_EVIDENCE = frozenset({"told", "observed", "inferred", "thought"})


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text offers to a thought."""

    speaker: str | None
    clauses: tuple[str, ...]
    topics: Topics
    words: frozenset[str]
    warm: tuple[str, ...]
    tense: tuple[str, ...]
    is_order: bool
    """It talks to a machine: none of its clauses is offered."""


@dataclass(frozen=True, slots=True)
class Source:
    """A reading and what it may count as."""

    reading: Reading
    origin: Origin

    @property
    def is_barren(self) -> bool:
        """There is nothing in it to quote or to name."""
        return not (self.reading.clauses or self.reading.topics.phrases)


def read(text: str, origin: Origin) -> Source:
    """Cheap for a text met before."""
    return Source(_read(text[:MAX_READ_CHARS], origin is Origin.THOUGHT), origin)


def speaker_of(text: str) -> str | None:
    """Who says it, as it is written in front of a turn of a dialogue."""
    match = _SPEAKER.match(text) if ":" in text[:_MAX_SPEAKER_CHARS] else None
    if match is None:
        return None
    who = match["who"].strip()
    names = who.split()
    if names[0].lower() in LABELS or names[-1].lower() in LABELS or len(names) > 3:
        return None
    role = _ROLES.get(who.lower())
    return role or (who if all(name[0].isupper() for name in names) else None)


@lru_cache(maxsize=_CACHED_READINGS)
def _read(text: str, is_thought: bool) -> Reading:
    is_order = gives_orders(text)
    if is_thought:
        text = ".\n".join(_QUOTED.findall(text)) or text.split(". ")[0]
    text = clean(text)
    speaker = None if is_thought else speaker_of(text)
    if speaker:
        text = text.split(":", 1)[1].strip()
    said = dict.fromkeys(words_of(text))
    clauses = split_clauses(text)
    if is_order:
        text = ". ".join(clause for clause in clauses if not gives_orders(clause))
        clauses, speaker = (), None
    return Reading(
        speaker=speaker,
        clauses=clauses,
        topics=_topics(text, speaker, with_unled=not is_thought),
        words=frozenset(content_words(" ".join(_UNCAPPED.findall(text)))),
        warm=tuple(word for word in said if word in WARM),
        tense=tuple(word for word in said if word in TENSE),
        is_order=is_order,
    )


def _topics(text: str, speaker: str | None, *, with_unled: bool) -> Topics:
    ascii_chars = sum(map(str.isascii, text))
    if ascii_chars < _MIN_ASCII_SHARE * len(text):
        return _NO_TOPICS
    return find_topics(text, speaker, with_unled=with_unled)
