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
_FEELING = re.compile(
    r"\b(?:i|i'm|my|we|our)\b.*\b(?:love|hate|fear|afraid|hope|wish|want|need|happy|"
    r"sad|angry|proud|sorry|worried|excited|grateful|miss|dream|promise|prefer|always|"
    r"never)\w*",
    re.IGNORECASE | re.DOTALL,
)


def estimate_importance(content: str) -> float:
    """From 0 to 1: length, numbers, names and feelings raise it, questions lower it."""
    words = len(content.split())
    estimate = (
        BASE
        + LENGTH_WEIGHT * min(words, FULL_WORDS) / FULL_WORDS
        + NUMBER_WEIGHT * bool(_NUMBER.search(content))
        + NAME_WEIGHT * bool(_NAME.search(content))
        + FEELING_WEIGHT * bool(_FEELING.search(content))
        + QUESTION_WEIGHT * content.rstrip().endswith("?")
    )
    return round(min(max(estimate, 0.0), 1.0), 3)
