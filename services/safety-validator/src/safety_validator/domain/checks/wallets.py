"""Keys of wallets that are written in words."""

import hashlib
import re
from functools import cache
from importlib.resources import files

from safety_validator.models import Span

__all__ = ["seed_phrase"]

_WORD = re.compile(r"[a-z]{3,8}")
# Words of a phrase by BIP-39; each stands for 11 bits, of which one in 33 are checksum.
_LENGTHS = (24, 21, 18, 15, 12)
_WORD_BITS = 11


@cache
def _numbers() -> dict[str, int]:
    """The English list of BIP-39 (MIT), each word with its number."""
    listed = files(__package__).joinpath("bip39.txt").read_text().split()
    return {word: number for number, word in enumerate(listed)}


def seed_phrase(text: str, start: int, end: int) -> Span | None:
    """The longest run of a wallet's words whose checksum holds."""
    words = [match.span() for match in _WORD.finditer(text, start, end)]
    numbers = [_numbers().get(text[first:last]) for first, last in words]
    for length in _LENGTHS:
        for at in range(len(words) - length + 1):
            run = [number for number in numbers[at : at + length] if number is not None]
            if len(run) == length and _holds(run):
                return words[at][0], words[at + length - 1][1]
    return None


def _holds(numbers: list[int]) -> bool:
    bits = "".join(f"{number:0{_WORD_BITS}b}" for number in numbers)
    size = len(bits) // 33
    entropy = int(bits[:-size], 2).to_bytes((len(bits) - size) // 8, "big")
    digest = hashlib.sha256(entropy).digest()
    return bits[-size:] == f"{digest[0]:08b}"[:size]
