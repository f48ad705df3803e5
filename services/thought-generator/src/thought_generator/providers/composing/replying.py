"""Replies to what a person says, out of quotes from what was recalled."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from thought_generator.models.prompts import Prompt, Recalled
from thought_generator.providers.composing.clauses import (
    content_words,
    shorten,
    words_of,
)
from thought_generator.providers.composing.places import asks, places_of, quoted
from thought_generator.providers.composing.reading import Origin, Source, read
from thought_generator.providers.composing.words import FUNCTION_WORDS

# An answer should not be cut short of what it says.
_QUOTE_CHARS = 240
# More would be a list, no reply.
_MAX_QUOTES = 2

_NOTED = ("I will remember that.", "I have taken note of that.", "Noted; I keep that.")
_GOES_WITH = ("It goes with this.", "That touches something I hold.")
_NEW = ("I recall nothing else about it.", "Nothing that I remember goes with it.")
_NO_MORE = (
    "That is all I remember about it.",
    "More than that I do not know.",
    "I remember no more about it.",
)
_UNKNOWN = ("I do not know.", "That I do not know.")
# What was recalled may answer in other words; that is not for us to tell.
_UNSURE = ("I am not sure.", "I do not know for sure.")
_NEAREST = ("What comes nearest is this.", "The nearest I remember:")
# Chinese, Japanese and Korean begin here.
_FIRST_UNSPACED = "\u2e80"
_NOTHING = ("Nothing that I remember is about it.", "Nobody has told me about it yet.")


@dataclass(frozen=True, slots=True)
class _Finding:
    """A statement that a memory makes, and how many words of the message are in it."""

    source: Source
    clause: str
    shared: int


def reply(prompt: Prompt, max_chars: int) -> str:
    """The same prompt gives the same reply; what it rests on is quoted."""
    rng = Random(prompt.context)
    findings = _findings(prompt)
    about = [finding for finding in findings if finding.shared]
    if "?" in prompt.context or "？" in prompt.context:
        sentences = _answer(about, findings, rng)
    else:
        sentences = _acknowledge(about, rng)
    return _joined(sentences, max_chars)


def _answer(about: list[_Finding], findings: list[_Finding], rng: Random) -> list[str]:
    if about:
        quotes = [_quote(finding, rng) for finding in about[:_MAX_QUOTES]]
        return quotes if len(about) > len(quotes) else [*quotes, rng.choice(_NO_MORE)]
    if findings:
        nearest = _quote(findings[0], rng)
        return [rng.choice(_UNSURE), rng.choice(_NEAREST), nearest]
    return [rng.choice(_UNKNOWN), rng.choice(_NOTHING)]


def _acknowledge(about: list[_Finding], rng: Random) -> list[str]:
    if not about:
        return [rng.choice(_NOTED), rng.choice(_NEW)]
    return [rng.choice(_NOTED), rng.choice(_GOES_WITH), _quote(about[0], rng)]


def _findings(prompt: Prompt) -> list[_Finding]:
    """What shares most with the message comes first, then what was recalled first;
    thoughts only where there are no facts."""
    words = _stems(prompt.context) or _plain_stems(prompt.context)
    made = [_finding(memory, words) for memory in prompt.recalled]
    found = [finding for finding in made if finding]
    facts = [each for each in found if each.source.origin is not Origin.THOUGHT]
    return sorted(facts or found, key=lambda finding: -finding.shared)


def _finding(memory: Recalled, words: frozenset[str]) -> _Finding | None:
    source = read(memory.content, Origin.of(memory.evidence))
    clauses = [clause for clause in source.reading.clauses if not asks(clause)]
    if not clauses:
        return None
    clause = max(clauses, key=lambda clause: len(_all_stems(clause) & words))
    # Who said it counts too: "What did Ada say?"
    said = f"{source.reading.speaker or ''} {clause}"
    return _Finding(source, clause, len(_all_stems(said) & words))


def _stems(text: str) -> frozenset[str]:
    """What a text is about."""
    return _stemmed(content_words(text))


def _plain_stems(text: str) -> frozenset[str]:
    """What a question without a topic asks by: "Where do I live?"."""
    return _stemmed(word for word in words_of(text) if word not in FUNCTION_WORDS)


def _all_stems(text: str) -> frozenset[str]:
    return _stems(text) | _plain_stems(text)


def _stemmed(words: Iterable[str]) -> frozenset[str]:
    stems: set[str] = set()
    for word in words:
        if word[0] >= _FIRST_UNSPACED:
            # Written without spaces: two signs in a row are as good as a word.
            stems |= {word[at : at + 2] for at in range(max(1, len(word) - 1))}
        else:
            stems.add(word.removesuffix("'s").removesuffix("s"))
    return frozenset(stems)


def _quote(finding: _Finding, rng: Random) -> str:
    if finding.source.origin is Origin.THOUGHT:
        return places_of("a", finding.source, rng)["a_said"]
    return quoted(finding.source, finding.clause, _QUOTE_CHARS, rng)


def _joined(sentences: list[str], max_chars: int) -> str:
    """As many sentences as there is room for; the first of all is cut if need be."""
    text = shorten(sentences[0], max_chars)
    for sentence in sentences[1:]:
        if len(text) + 1 + len(sentence) > max_chars:
            break
        text = f"{text} {sentence}"
    return text
