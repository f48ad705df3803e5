"""Keys look random; words and placeholders do not."""

import base64
import json
import math
import re
import string
import zlib
from collections import Counter
from itertools import pairwise

from safety_validator.models import Span

__all__ = [
    "basic_login",
    "checked_token",
    "json_token",
    "key_block",
    "key_text",
    "login_address",
    "mixed_text",
    "password_text",
    "random_text",
]

# Bits a character. Sixteen random letters and digits have 3.0 or more nearly always,
# "xxxxxxxxxxxxxxxx" has none, a repeated "your-key" about 2.7.
MIN_ENTROPY_BITS = 3.0
# Where a vendor's prefix says that it is a key, only blanks to be filled in are spared.
MIN_KEY_ENTROPY_BITS = 2.0
# Nothing but its form speaks for it; a hash in hexadecimal has at most 4.
MIN_MIXED_ENTROPY_BITS = 3.6
# The longest key that is cut out whole; an RSA key of 8,192 bits has 6,400.
MAX_KEY_BLOCK_CHARS = 16_384
_KEY_BLOCK_END = "-----END"
# A blank to be filled in; long keys spell such words by chance further on.
_PLACEHOLDERS = re.compile(
    r".{0,48}?(?:example|placeholder|xxxx|replace|change.?me|redacted|abcdefg"
    r"|(?<![a-z0-9])(?:your|insert|fake|todo|dummy|sample)|1234567890[a-z]|(.)\1{5})",
    re.IGNORECASE,
)
# Passwords that stand in manuals for one that is to be filled in.
_NO_PASSWORDS = frozenset(
    "pass passwd password pwd secret token user username none null true false"
    " admin string hunter2".split()
)
# Where a value would stand, a variable's name or a template does.
_VARIABLE = re.compile(
    r"[<{\[(]|\$[({\w]|%\w+%|\*{3}|(?:process|os|self|env|config|settings)\.|getenv"
)
# The hundred commonest pairs of letters in English: most of a word, a sixth of a key.
_PAIRS = frozenset(
    "th he in an er re at ou on ha ar or is en es nd to it ng nt st ea te ve le me se"
    " ti ed al ll as yo ch ne hi li co ma fo ca ho be ke ic el ra ro ri de om la et of"
    " ur il ee wa no oo ta wh ow so lo wi ce ot ay pl us ul ac un ut do mo io av pe am"
    " fi wo rt ld ts ck ir ly si ge ad bo tr ec sh ie di rs pr".split()
)
# Letters that may be a word; those of a number in hexadecimal are not.
_LETTERS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_BEYOND_HEX = re.compile(r"[g-z]", re.IGNORECASE)
# Fewer pairs say nothing.
_MIN_PAIRS = 10
_MAX_WORDLIKE = 0.5
# Small, large, digit and sign take turns in a key; in a name each stays a while.
_MIN_TURNS = 0.3
# Of a number in hexadecimal three in eight are letters, of a key two thirds.
_MIN_LETTERS = 0.45
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHECKSUM_CHARS = 6


def random_text(text: str, start: int, end: int) -> Span | None:
    """A piece without meaning: letters with digits or mixed case, high entropy."""
    piece = text[start:end]
    bits = 0.0 if _VARIABLE.match(piece) else _bits(piece, piece)
    return (start, end) if bits >= MIN_ENTROPY_BITS else None


def mixed_text(text: str, start: int, end: int) -> Span | None:
    """A random piece with more letters than a hash or a number with signs has."""
    piece = text[start:end]
    letters = sum(map(str.isalpha, piece)) >= _MIN_LETTERS * len(piece)
    beyond_hex = _BEYOND_HEX.search(piece) and any(map(str.isdigit, piece))
    mixed = letters and beyond_hex and _turns(piece) >= _MIN_TURNS
    if not mixed:
        return None
    bits = _bits(piece, _behind_prefix(piece))
    return (start, end) if bits >= MIN_MIXED_ENTROPY_BITS else None


def key_text(text: str, start: int, end: int) -> Span | None:
    """A key by its form, unless it is a placeholder for one."""
    piece = text[start:end]
    bits = _bits(piece, _behind_prefix(piece))
    return (start, end) if bits >= MIN_KEY_ENTROPY_BITS else None


def checked_token(text: str, start: int, end: int) -> Span | None:
    """A token that ends in a CRC-32 of the rest in base 62, as GitHub's and npm's.

    One whose checksum is wrong may be mistyped and is judged by its form.
    """
    body = text[start:end].rpartition("_")[2]
    rest, checksum = body[:-_CHECKSUM_CHARS], body[-_CHECKSUM_CHARS:]
    if checksum == _base62(zlib.crc32(rest.encode())):
        return start, end
    return key_text(text, start, end)


def _base62(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits.rjust(_CHECKSUM_CHARS, "0")


def password_text(text: str, start: int, end: int) -> Span | None:
    """What somebody would type: no placeholder, variable or call."""
    piece = text[start:end]
    blank = piece.lower() in _NO_PASSWORDS or _PLACEHOLDERS.match(piece)
    return None if blank or _VARIABLE.match(piece) else (start, end)


def login_address(text: str, start: int, end: int) -> Span | None:
    """An address whose password is one."""
    at = text.rindex("@", start, end)
    colon = text.index(":", text.index("://", start) + 3)
    return (start, end) if password_text(text, colon + 1, at) else None


def json_token(text: str, start: int, end: int) -> Span | None:
    """A JSON web token: its first part says how it is signed."""
    head = text[start:end].partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        return None
    return (start, end) if "alg" in header else None


def basic_login(text: str, start: int, end: int) -> Span | None:
    """A name and a password in base 64, as HTTP's basic authentication has them."""
    piece = text[start:end].rstrip("=")
    try:
        login = base64.b64decode(piece + "=" * (-len(piece) % 4)).decode()
    except ValueError:
        return None
    name, colon, _ = login.partition(":")
    return (start, end) if name and colon and login.isprintable() else None


def _behind_prefix(piece: str) -> str:
    """The piece without a path or, in its first quarter, a vendor's prefix."""
    return piece[max(len(piece) // 4, piece.rfind("/", 0, -16) + 1) :]


def _bits(piece: str, judged: str) -> float:
    """Entropy of a piece, none for placeholders and where `judged` is words."""
    if _PLACEHOLDERS.match(piece) or _wordlike(judged):
        return 0.0
    mixed = any(c.isdigit() for c in piece) or not (piece.islower() or piece.isupper())
    return _entropy_bits(piece) if mixed else 0.0


def _wordlike(piece: str) -> bool:
    runs = filter(_BEYOND_HEX.search, _LETTERS.findall(piece))
    pairs = [run[at : at + 2].lower() for run in runs for at in range(len(run) - 1)]
    known = sum(pair in _PAIRS for pair in pairs)
    return len(pairs) >= _MIN_PAIRS and known >= _MAX_WORDLIKE * len(pairs)


def _turns(piece: str) -> float:
    """The share of neighbours that are of different kinds."""
    kinds = [(c.islower(), c.isupper(), c.isdigit()) for c in piece]
    return sum(a != b for a, b in pairwise(kinds)) / len(piece)


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
