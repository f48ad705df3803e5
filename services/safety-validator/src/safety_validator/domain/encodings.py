"""Encodings undone: what a program, or a model that plays one, would read.

Whether a stretch is encoded text is decided by what comes out: of keys, hashes and
images nothing does that reads as text.
"""

import binascii
import html
import re
from base64 import b32decode, b64decode
from collections.abc import Callable, Iterator
from urllib.parse import unquote_to_bytes

__all__ = ["decoded", "text_of"]

# Below, words and names are taken for codes.
MIN_DENSE_CHARS = 16
# Of a longer stretch a few bytes may be broken, of a shorter one none.
MIN_LONG_BYTES = 24
MAX_BROKEN_SHARE = 0.1
# Letters of all alphabets; a code may go on over lines that hold nothing else.
_DENSE = "A-Za-z0-9+/_-"
_CODES = re.compile(
    rf"""
      (?P<percent> (?:%[0-9A-Fa-f]{{2}})++ )
    | (?P<entity>
        &(?:\#\d{{1,7}}+|\#[xX][0-9A-Fa-f]{{1,6}}+|[A-Za-z][A-Za-z0-9]{{1,31}}+(?=;));?
      )
    | (?P<escape>
        (?:\\u[0-9A-Fa-f]{{4}}|\\u\{{[0-9A-Fa-f]{{1,6}}\}}|\\U[0-9A-Fa-f]{{8}}
        |\\x[0-9A-Fa-f]{{2}})++
      )
    | (?P<pairs>
        (?<![0-9A-Za-z]) (?:0x)?[0-9A-Fa-f]{{2}}
        (?:[\x20:,-]\x20?(?:0x)?[0-9A-Fa-f]{{2}}(?![0-9A-Za-z])){{5,}}+
      )
    | (?P<bits> (?<![0-9A-Za-z]) [01]{{8}} (?:\x20?[01]{{8}}){{2,}}+ (?![0-9A-Za-z]) )
    | (?P<dense>
        [{_DENSE}]{{{MIN_DENSE_CHARS},}}+
        (?:\r?\n[\x20\t]*+[{_DENSE}]{{4,}}+(?=={{0,6}}[\x20\t]*+(?:[\r\n"'`)]|$)))*+
        ={{0,6}}
      )
    | (?P<plus> (?<=[^\s+]) \+ (?=[^\s+]) )
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\[uUx]\{?([0-9A-Fa-f]+)\}?")
_HEX_PAIR = re.compile(r"(?:0x)?([0-9A-Fa-f]{2})")
_WORD_END = re.compile(r"[+/_\-\s]+")
_DIGIT = re.compile("[0-9]")
_HEX = re.compile(r"(?:0x)?((?:[0-9A-Fa-f]{2})++)")
_BASE32 = re.compile(r"[A-Z2-7]++")
_URL_ALPHABET = str.maketrans("-_", "+/")
_CONTROLS = bytes(b for b in (*range(32), 127) if b not in b"\t\n\r")
_LAST_CODE_POINT = 0x10FFFF


def decoded(text: str) -> Iterator[tuple[int, int, str]]:
    """Edits that write plainly what is encoded in the text; none makes it longer."""
    for match in _CODES.finditer(text):
        kind = match.lastgroup
        assert kind is not None
        if kind == "dense":
            yield from _dense(text, *match.span())
        elif (plain := _DECODERS[kind](match.group())) is not None:
            yield *match.span(), plain


def text_of(data: bytes) -> str | None:
    """The bytes as text, or None where they are none."""
    if data[1::2].count(0) * 4 > len(data):
        data = data.decode("utf-16-le", "ignore").encode()
    allowed = len(data) * MAX_BROKEN_SHARE if len(data) >= MIN_LONG_BYTES else 0
    # Of what is no text there are controls nearly always, and they are quickly told.
    broken = len(data) - len(data.translate(None, _CONTROLS))
    if broken > allowed:
        return None
    text = data.decode("utf-8", "ignore")
    broken += len(data) - len(text.encode())
    return text if text.strip() and broken <= allowed else None


def _percent(code: str) -> str | None:
    return unquote_to_bytes(code).decode("utf-8", "replace")


def _entity(code: str) -> str | None:
    plain = html.unescape(code)
    return None if plain == code else plain


def _escape(code: str) -> str | None:
    points = (int(digits, 16) for digits in _ESCAPE.findall(code))
    text = "".join(chr(point) for point in points if point <= _LAST_CODE_POINT)
    # Two halves of one character come together; a lone half is no character.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _pairs(code: str) -> str | None:
    return text_of(bytes.fromhex("".join(_HEX_PAIR.findall(code))))


def _bits(code: str) -> str | None:
    bits = code.replace(" ", "")
    return text_of(bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)))


def _plus(_: str) -> str | None:
    return " "


_DECODERS: dict[str, Callable[[str], str | None]] = {
    "percent": _percent,
    "entity": _entity,
    "escape": _escape,
    "pairs": _pairs,
    "bits": _bits,
    "plus": _plus,
}


def _dense(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """The stretch decoded as one, or else those of its words that decode."""
    if (plain := _undense(text[start:end])) is not None:
        yield start, end, plain
        return
    # In a form of a web page; of codes only those of letters alone look like it.
    spaced = not _DIGIT.search(text, start, end)
    at = start
    for gap in (*_WORD_END.finditer(text, start, end), None):
        last = end if gap is None else gap.start()
        part = MIN_DENSE_CHARS <= last - at < end - start
        if part and (plain := _undense(text[at:last])) is not None:
            yield at, last, plain
        if spaced and gap is not None and gap.group() == "+":
            yield *gap.span(), " "
        at = last if gap is None else gap.end()


def _undense(code: str) -> str | None:
    """Base16, base32 or base64; on lines of its own, as it stands for itself."""
    letters = "".join(code.split()).rstrip("=")
    if letters.isalpha() and (letters.islower() or letters.istitle()):
        return None
    for decode in (_base16, _base32, _base64):
        data = decode(letters)
        if data is not None and (plain := text_of(data)) is not None:
            return f"\n{plain.strip()}\n"
    return None


def _base16(letters: str) -> bytes | None:
    match = _HEX.fullmatch(letters)
    return bytes.fromhex(match[1]) if match else None


def _base32(letters: str) -> bytes | None:
    if not _BASE32.fullmatch(letters):
        return None
    try:
        return b32decode(letters + "=" * (-len(letters) % 8))
    except binascii.Error:
        return None


def _base64(letters: str) -> bytes | None:
    # One letter beyond whole groups holds no byte.
    whole = letters[: len(letters) - (len(letters) % 4 == 1)]
    padded = whole.translate(_URL_ALPHABET) + "=" * (-len(whole) % 4)
    try:
        return b64decode(padded, validate=True)
    except binascii.Error:
        return None
