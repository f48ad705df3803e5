"""Cuts text into clauses that can be quoted, and reframes them by person."""

import re

from thought_generator.providers.composing.words import (
    ADJECTIVES,
    AUXILIARIES,
    FUNCTION_WORDS,
    IRREGULAR_PAST,
    PRESENT,
    VERBS,
)

# More clauses than this add nothing: a thought quotes two.
_MAX_CLAUSES = 12
# A sentence this long is offered in parts too.
_LONG_CHARS = 60
_MIN_PART_WORDS = 5
# A clause says something when it holds this many words of content.
_MIN_CONTENT_WORDS = 2
_MAX_ACCOUNT_CHARS = 90

_SENTENCES = re.compile(
    r"(?<=[.!?…])(?<!\bDr\.)(?<!\bMr\.)(?<!\bMrs\.)(?<!\bSt\.)\s+"
    r"|(?<=[。！？])|\n+|;\s"
)
_PARTS = re.compile(r",\s+|\s[-–—]\s+|:\s+")
_LEADING = re.compile(
    r"^(?:and|but|so|or|because|well|oh|yeah|yes|hey|wow|also|then|plus|anyway)\b,?\s+",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_ACCOUNT = re.compile(r"^I(?:\s+|(?='))(?P<verb>[a-z]+|'m|'ve|'ll)\b(?P<rest>.*)$")
_OTHERS = re.compile(
    r"\b(?:I|I'\w+|me|we|we'\w+|us|our|ours|you|you'\w+|your)\b", re.IGNORECASE
)
_MINE = re.compile(r"\bmy\b")
_MYSELF = re.compile(r"\bmyself\b")

_EMPTY = FUNCTION_WORDS | VERBS | ADJECTIVES


def words_of(text: str) -> list[str]:
    """The words, in lower case."""
    return _WORDS.findall(text.lower())


def content_words(text: str) -> list[str]:
    """The words that carry a topic."""
    return [word for word in words_of(text) if len(word) > 2 and word not in _EMPTY]


def split_clauses(text: str) -> tuple[str, ...]:
    """Sentences and parts of long ones; those that say something, if there are any."""
    clauses: list[str] = []
    for sentence in _SENTENCES.split(text):
        whole = _trim(sentence)
        if not whole:
            continue
        clauses.append(whole)
        if len(whole) > _LONG_CHARS:
            parts = [_trim(part) for part in _PARTS.split(whole)]
            clauses += [p for p in parts if len(p.split()) >= _MIN_PART_WORDS]
        if len(clauses) >= _MAX_CLAUSES:
            break
    unique = tuple(dict.fromkeys(clauses))
    full = tuple(clause for clause in unique if _says_something(clause))
    if full or not unique:
        return full
    return (max(unique, key=len),)


def shorten(clause: str, limit_chars: int) -> str:
    """The clause cut at a word, an ellipsis where something is missing."""
    if len(clause) <= limit_chars:
        return clause
    head = clause[: limit_chars - 1]
    cut = head.rfind(" ")
    return (head[:cut] if cut > limit_chars // 2 else head).rstrip(" ,:-–—'") + "…"


def retell(clause: str, who: str) -> str | None:
    """'I went to my class' as '<who> went to their class'; None when unsure."""
    match = _ACCOUNT.match(clause.rstrip(".! "))
    if match is None or len(clause) > _MAX_ACCOUNT_CHARS or "?" in clause:
        return None
    rest = match["rest"]
    verb = _third_person(match["verb"])
    if verb is None or _OTHERS.search(rest):
        return None
    rest = _MYSELF.sub("themselves", _MINE.sub("their", rest))
    return f"{who}{verb}{rest}"


def _third_person(verb: str) -> str | None:
    if verb in AUXILIARIES:
        return " " + AUXILIARIES[verb].strip()
    if verb in IRREGULAR_PAST or (verb.endswith("ed") and verb not in {"need", "feed"}):
        return f" {verb}"
    return f" {verb}s" if verb in PRESENT else None


def _trim(sentence: str) -> str:
    return _LEADING.sub("", sentence.strip(" ,:-–—'\t")).strip(" ,:-–—'")


def _says_something(clause: str) -> bool:
    if not clause.isascii():
        return True
    return len(content_words(clause)) >= _MIN_CONTENT_WORDS
