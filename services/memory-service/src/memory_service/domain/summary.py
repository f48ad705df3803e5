"""What several memories say together, in sentences of their own.

Extractive, after the centroid method (Radev et al., Centroid-based summarization of
multiple documents, 2004): of the most central memories the sentences that tell most,
none of them twice, in the order of their times. Nothing is worded anew, so nothing is
said that no source says; equal memories give equal texts.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from memory_service.domain.importance import estimate_importance
from memory_service.models.jobs import Member

MAX_SENTENCES = 5
# Within what the encoder reads, so that the text is found by all it says.
MAX_SUMMARY_CHARS = 700
# Of the worth of the best; what tells less is left out.
MIN_WORTH_SHARE = 0.5
# A longer sentence is cut off at a word.
MAX_SENTENCE_CHARS = 240
# Of the words of two sentences; from here on they say the same.
MAX_SHARED_WORDS = 0.6
# A sentence of fewer words greets or agrees; one as long as this says all it can.
FULL_WORDS = 10
# A question tells nothing by itself.
QUESTION_SHARE = 0.3
# Cosines are rounded to this, so that the last bits of a sum decide nothing.
DIGITS = 3

_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")
# Who speaks, at the head of a turn: it belongs to each of its sentences.
_SPEAKER = re.compile(r"([^\W\d_][\w .'-]{0,39}):\s+(?=\S)")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence, where it stands and what it is worth."""

    text: str
    words: frozenset[str]
    place: tuple[int, int]
    worth: float


def summarise(members: Sequence[Member]) -> str:
    """The text of a consolidation: its dates, then its sentences.

    `members` come in the order of their numbers, at least one of them.
    """
    by_time = sorted(members, key=lambda member: (member.timestamp, member.seq))
    dates = _dates(by_time)
    chosen = _choose(_sentences(by_time), MAX_SUMMARY_CHARS - len(dates))
    chosen.sort(key=lambda sentence: sentence.place)
    return dates + " ".join(sentence.text for sentence in chosen)


def _dates(by_time: Sequence[Member]) -> str:
    first, last = (m.timestamp.date().isoformat() for m in (by_time[0], by_time[-1]))
    return f"{first}: " if first == last else f"{first} – {last}: "


def _sentences(by_time: Sequence[Member]) -> Iterator[_Sentence]:
    for number, (member, centrality) in enumerate(
        zip(by_time, _centralities(by_time), strict=True)
    ):
        for position, text in enumerate(split_sentences(member.content)):
            words = frozenset(_WORD.findall(text.casefold()) or [text])
            worth = centrality * estimate_importance(text) * _weight(text, words)
            yield _Sentence(text, words, (number, position), worth)


def _weight(text: str, words: frozenset[str]) -> float:
    asks = text.endswith(("?", "？"))
    return min(len(words) / FULL_WORDS, 1.0) * (QUESTION_SHARE if asks else 1.0)


def _centralities(members: Sequence[Member]) -> list[float]:
    """The cosine of each with the mean of all."""
    vectors = np.stack([member.vector for member in members])
    centroid = vectors.mean(axis=0)
    cosines = vectors @ (centroid / np.linalg.norm(centroid))
    return [round(cosine, DIGITS) for cosine in cosines.tolist()]


def _choose(sentences: Iterator[_Sentence], room_chars: int) -> list[_Sentence]:
    """The best that fit and do not repeat one another; one at least."""
    chosen: list[_Sentence] = []
    for sentence in sorted(sentences, key=lambda s: (-s.worth, s.place)):
        if chosen and sentence.worth < MIN_WORTH_SHARE * chosen[0].worth:
            break
        if any(_shared(sentence.words, other.words) for other in chosen):
            continue
        if chosen and len(sentence.text) + 1 > room_chars:
            continue
        chosen.append(sentence)
        room_chars -= len(sentence.text) + 1
        if len(chosen) == MAX_SENTENCES:
            break
    return chosen


def _shared(words: frozenset[str], others: frozenset[str]) -> bool:
    return len(words & others) > MAX_SHARED_WORDS * min(len(words), len(others))


def split_sentences(content: str) -> list[str]:
    """The sentences of a text, each with the speaker's name where it has one."""
    speaker = _SPEAKER.match(content)
    said = content[speaker.end() :] if speaker else content
    name = f"{speaker[1]}: " if speaker else ""
    parts = (" ".join(part.split()) for part in _SENTENCE_END.split(said))
    return [name + _cut(part) for part in parts if part]


def _cut(sentence: str) -> str:
    if len(sentence) <= MAX_SENTENCE_CHARS:
        return sentence
    head, _, _ = sentence[:MAX_SENTENCE_CHARS].rpartition(" ")
    return (head or sentence[: MAX_SENTENCE_CHARS - 1]) + "…"
