"""How much a memory matters, where nobody says."""

import re

# What a plain short sentence weighs.
BASE = 0.4
# Longer memories hold more, up to this many words.
FULL_WORDS = 60
LENGTH_WEIGHT = 0.15
NUMBER_WEIGHT = 0.1
NAME_WEIGHT = 0.1
FEELING_WEIGHT = 0.2
# A question tells nothing by itself.
QUESTION_WEIGHT = -0.15

_NUMBER = re.compile(r"\d")
# A capital within a sentence: a name, as a rule.
_NAME = re.compile(r"[a-z,;] [A-Z][a-z]")
_SELF = re.compile(r"\b(?:i|i'm|my|we|our)\b", re.IGNORECASE)
_FEELING = re.compile(
    r"\b(?:love|hate|fear|afraid|hope|wish|want|need|happy|sad|angry|proud|sorry|"
    r"worried|excited|grateful|miss|dream|promise|prefer|always|never)",
    re.IGNORECASE,
)


def estimate_importance(content: str) -> float:
    """From 0 to 1: length, numbers, names and feelings raise it, questions lower it."""
    words = len(content.split())
    estimate = (
        BASE
        + LENGTH_WEIGHT * min(words, FULL_WORDS) / FULL_WORDS
        + NUMBER_WEIGHT * bool(_NUMBER.search(content))
        + NAME_WEIGHT * bool(_NAME.search(content))
        + FEELING_WEIGHT * _tells_feeling(content)
        + QUESTION_WEIGHT * content.rstrip().endswith("?")
    )
    return round(min(max(estimate, 0.0), 1.0), 3)


def _tells_feeling(content: str) -> bool:
    """Whether a word of feeling follows one of the speaker."""
    self = _SELF.search(content)
    return self is not None and _FEELING.search(content, self.end()) is not None
