"""When two texts say the same, so that one of them is enough.

Vectors alone cannot tell: "The flight from Paris to Rome is late" and "... from Rome to
Paris ..." have a cosine of 0.998, "left" and "right" 0.90, while a true paraphrase
often has less. So equal digests are asked for first (equal words in the same order, but
for those that assert nothing), and the vectors only confirm.
"""

import re
import unicodedata

# Texts that agree in the words that count and mean the same lie above it ("You are
# late", "You're late": 0.925), those that do not below ("Vitamin A helps", "A vitamin
# helps": 0.916; "Am I late", "I am late": 0.835).
NEAR_COSINE = 0.92
# With one of them in front it is a question, with or without its mark.
_ASKING = ("is ", "are ", "am ")

_SPACES = re.compile(r"\s+")
# With signs and separators, which `words_of` drops: -5 is not 5, 3.5 is not 3-5.
_NUMBER = re.compile(r"[-\u2212+]?\d[\w.,:/-]*")
_MARKS = (
    " .,;:!?\u2026'\"()[]{}\u00ab\u00bb\u2018\u2019\u201c\u201d\u3001\u3002\uff01\uff1f"
)


def says_the_same(one: str, other: str, cosine: float) -> bool:
    """Whether two texts of equal digests may be merged.

    `cosine` is that of the vectors of the texts alone, without their context.
    """
    one, other = _plain(one), _plain(other)
    if _asks(one) != _asks(other) or _numbers(one) != _numbers(other):
        return False
    return one.strip(_MARKS) == other.strip(_MARKS) or cosine >= NEAR_COSINE


def _plain(text: str) -> str:
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def _asks(text: str) -> bool:
    return text.rstrip(_MARKS.replace("?", "")).endswith("?") or text.startswith(
        _ASKING
    )


def _numbers(text: str) -> list[str]:
    return [number.rstrip(".,:/-") for number in _NUMBER.findall(text)]
