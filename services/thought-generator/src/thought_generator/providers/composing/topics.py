"""Finds what a text is about: noun phrases, by the words that stand around them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from thought_generator.providers.composing.words import (
    ACTIVITIES,
    ADJECTIVES,
    DETERMINERS,
    FUNCTION_WORDS,
    MONTHS,
    PREPOSITIONS,
    THIN_NOUNS,
    VERBS,
    WEEKDAYS,
)

# Enough for many different thoughts on one memory.
_MAX_TOPICS = 10
# Longer runs of words are seldom one noun phrase.
_MAX_PHRASE_WORDS = 4
_MIN_HEAD_CHARS = 3
# Shorter words in -ed and -ly are seldom verbs or adverbs: red, bed, fly.
_MIN_PAST_CHARS = 5

_TOKENS = re.compile(
    r"\b(?:Mrs|Mr|Ms|Dr|St|Prof)\.|[^\W\d_](?:[\w'-]*\w)?|\d[\d.,:%]*|[^\w\s]"
)
_MONTH = "|".join(MONTHS)
_TIMES = re.compile(
    r"\b(?:last|next|this) (?:week|weekend|month|year|night|summer|winter|spring|fall|"
    rf"autumn|{'|'.join(WEEKDAYS)})\b"
    rf"|\b\d{{1,2}} (?:{_MONTH})(?:,? \d{{4}})?|\b(?:{_MONTH}) \d{{1,2}}\b"
    r"|\b(?:\d+|two|three|four|five|six|seven|eight|nine|ten|a few|a couple of) "
    r"(?:minutes|hours|days|weeks|months|years)(?: ago)?\b"
    r"|\b\d{1,2}(?::\d\d)? ?[ap]m\b|\b(?:yesterday|tomorrow|tonight)\b"
    rf"|\b(?:{'|'.join(WEEKDAYS)})\b|\b(?:19|20)\d\d\b"
)
_DATES = frozenset(MONTHS) | frozenset(WEEKDAYS)


@dataclass(frozen=True, slots=True)
class Topics:
    """What a text is about, the surest first."""

    phrases: tuple[str, ...]
    """Fit where a noun phrase fits: `the pottery workshop`."""
    names: tuple[str, ...]
    times: tuple[str, ...]


def find_topics(text: str, speaker: str | None, *, with_unled: bool) -> Topics:
    """Of a text, the noun phrases, names and times.

    Phrases that no article or preposition leads are less sure, and optional.
    """
    tokens = _TOKENS.findall(text)
    led: list[str] = []
    bare: list[str] = []
    position = 0
    while position < len(tokens) and len(led) < _MAX_TOPICS:
        lead = tokens[position].lower()
        is_led = lead in DETERMINERS or lead in PREPOSITIONS
        start = position + is_led
        run = _run_after(tokens, start)
        phrase = _as_phrase(run)
        if phrase and is_led and phrase != speaker:
            led.append(_with_lead(lead, phrase, speaker))
        elif phrase and " " in phrase and not _is_address(tokens, start):
            bare += _unled(phrase)
        position = start + max(1, len(run)) if run or not is_led else start
    return Topics(
        _distinct(led) or _distinct(bare if with_unled else ()),
        _distinct(name for name in _names(tokens) if name != speaker),
        _distinct(_TIMES.findall(text)),
    )


def _run_after(tokens: list[str], start: int) -> list[str]:
    run: list[str] = []
    for token in tokens[start : start + _MAX_PHRASE_WORDS + 1]:
        if not token[0].isalpha() or _ends_phrase(token.lower(), first=not run):
            break
        run.append(token)
        if token.endswith("'s") and len(run) > 1:
            break
    return run


def _ends_phrase(word: str, *, first: bool) -> bool:
    if word in FUNCTION_WORDS or word in DETERMINERS or word in VERBS:
        return True
    return not first and (
        (word.endswith(("ed", "ly")) and len(word) >= _MIN_PAST_CHARS)
        or word.split("'")[-1] in {"ve", "re", "ll", "d"}
    )


def _as_phrase(run: list[str]) -> str | None:
    words = run[:]
    if words and words[-1].endswith("'s"):
        words[-1] = words[-1][:-2]
    while words and _describes(words[-1].lower()):
        words.pop()
    if not words or len(words) > _MAX_PHRASE_WORDS:
        return None
    head = words[-1].lower()
    if head in THIN_NOUNS or len(head) < _MIN_HEAD_CHARS or words[-1] in _DATES:
        return None
    return " ".join(words)


def _describes(word: str) -> bool:
    return (
        word in ADJECTIVES
        or word.endswith(("ly", "'s"))
        or (word.endswith("ing") and word not in ACTIVITIES)
    )


def _unled(phrase: str) -> list[str]:
    """Quoted, for it may be no noun; a name or verb in front is left out."""
    words = phrase.split()
    if words[-1][0].isupper():
        return []
    while words and (words[0][0].isupper() or _is_inflected(words[0])):
        words.pop(0)
    return [f"“{' '.join(words)}”"] if len(words) > 1 else []


def _is_inflected(word: str) -> bool:
    return word.endswith("s") and not word.endswith(("ss", "'s"))


def _with_lead(lead: str, phrase: str, speaker: str | None) -> str:
    if lead == "my" and speaker:
        return f"{speaker}'s {phrase}"
    if lead in PREPOSITIONS or phrase[0].isupper():
        return phrase
    return f"the {phrase}"


def _names(tokens: list[str]) -> list[str]:
    return [
        token.removesuffix("'s")
        for position, token in enumerate(tokens)
        if token[0].isupper() and _is_name(tokens, position)
    ]


def _is_name(tokens: list[str], position: int) -> bool:
    if position == 0 or _is_address(tokens, position):
        return False
    token = tokens[position]
    return (
        token[1:].islower()
        and len(token) >= _MIN_HEAD_CHARS
        and tokens[position - 1] not in ".!?…:"
        and token not in _DATES
        and token.lower().split("'")[0] not in FUNCTION_WORDS
    )


def _is_address(tokens: list[str], position: int) -> bool:
    """Whether somebody is spoken to by name there: `Wow, Mel!`."""
    after = tokens[position + 1 : position + 2]
    return tokens[position][0].isupper() and (after == [] or after[0] in ",.!?")


def _distinct(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))[:_MAX_TOPICS]
