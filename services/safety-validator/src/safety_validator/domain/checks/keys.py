"""Keys look random; words and placeholders do not."""

import math
from collections import Counter

from safety_validator.models import Span

__all__ = ["key_block", "key_text", "random_text"]

# Bits a character. Sixteen random letters and digits have 3.0 or more nearly always,
# "xxxxxxxxxxxxxxxx" has none, a repeated "your-key" about 2.7.
MIN_ENTROPY_BITS = 3.0
# Where a vendor's prefix says that it is a key, only blanks to be filled in are spared.
MIN_KEY_ENTROPY_BITS = 2.0
# The longest key that is cut out whole; an RSA key of 8,192 bits has 6,400.
MAX_KEY_BLOCK_CHARS = 16_384
_KEY_BLOCK_END = "-----END"
_PLACEHOLDERS = ("example", "placeholder", "your_", "your-", "xxxx", "1234567890abc")


def random_text(text: str, start: int, end: int) -> Span | None:
    """A piece without meaning: letters with digits or mixed case, high entropy."""
    return (start, end) if _bits(text[start:end]) >= MIN_ENTROPY_BITS else None


def key_text(text: str, start: int, end: int) -> Span | None:
    """A key by its form, unless it is a placeholder for one."""
    return (start, end) if _bits(text[start:end]) >= MIN_KEY_ENTROPY_BITS else None


def _bits(piece: str) -> float:
    """Entropy of a piece, none for words and placeholders."""
    if any(word in piece.lower() for word in _PLACEHOLDERS):
        return 0.0
    mixed = any(c.isdigit() for c in piece) or not (piece.islower() or piece.isupper())
    return _entropy_bits(piece) if mixed else 0.0


def _entropy_bits(piece: str) -> float:
    shares = (count / len(piece) for count in Counter(piece).values())
    return -sum(share * math.log2(share) for share in shares)


def key_block(text: str, start: int, end: int) -> Span:
    """A PEM block from its first line to its last, or as far as it was pasted."""
    limit = end + MAX_KEY_BLOCK_CHARS
    last = text.find(_KEY_BLOCK_END, end, limit)
    if last < 0:
        return start, min(len(text), limit)
    closing = text.find("-----", last + len(_KEY_BLOCK_END), limit)
    return start, last + len(_KEY_BLOCK_END) if closing < 0 else closing + 5
