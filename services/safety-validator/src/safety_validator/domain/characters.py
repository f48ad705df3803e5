"""Characters: their plain form, and the Latin letter that they look like.

Both come from Unicode's own data; only what a letter of another script looks like
is a table of ours, for Unicode's names do not tell.
"""

import re
import unicodedata
from functools import lru_cache

__all__ = ["MARKS", "look_alike", "plain"]

# Distinct characters of the scripts one process meets.
_FOLDS_KEPT = 16_384
# A few characters stand for whole phrases, up to 18 characters: they stay.
_MAX_FORM_CHARS = 4


def _between(first: int, last: int) -> str:
    return "".join(map(chr, range(first, last + 1)))


# Marks that may stand on any letter; those that belong to one script are not here.
MARKS = frozenset(
    _between(0x300, 0x36F)
    + _between(0x483, 0x489)
    + _between(0x1AB0, 0x1AFF)
    + _between(0x1DC0, 0x1DFF)
    + _between(0x20D0, 0x20FF)
    + _between(0xFE20, 0xFE2F)
)
# Invisible, though Unicode files them under marks and letters.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u3164\uffa0\u17b4\u17b5"
    + _between(0xFE00, 0xFE0F)
    + _between(0xE0100, 0xE01EF)
)
_PUNCTUATION = {
    **dict.fromkeys("‘’‚‛′‵´ʹʻʼʽˈ‹›", "'"),
    **dict.fromkeys("“”„‟″‶«»", '"'),
    **dict.fromkeys("‐‑‒–—―−⁃", "-"),
    **dict.fromkeys("\u2028\u2029", "\n"),
    "\u2800": " ",
}
# "PARENTHESIZED LATIN SMALL LETTER A" is an "a"; NFKC would write "(a)".
_SIGN_NAME = re.compile(
    r"(?:PARENTHESIZED|(?:CROSSED )?NEGATIVE (?:CIRCLED|SQUARED)) "
    r"LATIN (SMALL|CAPITAL) LETTER ([A-Z])"
)
_LATIN_NAME = re.compile(
    r"(?:LATIN (?:(SMALL|CAPITAL) LETTER |LETTER SMALL CAPITAL )"
    r"(?:DOTLESS |SCRIPT |OPEN )?|REGIONAL INDICATOR SYMBOL LETTER )"
    r"([A-Z])(?: WITH .+)?"
)
_LOOKS = {
    # Cyrillic
    **dict(
        zip(
            "аеорсухіјѕһԁԛԝӏкмнтвпгьиѵѡԍзя",
            "aeopcyxijshdqwlkmhtbnrbnvwgzr",
            strict=True,
        )
    ),
    **dict(
        zip(
            "АВЕЗІЈКМНОРСТУХЅԀԚԜҮѴӀԌИЯ",
            "ABEZIJKMHOPCTYXSDQWYVIGNR",
            strict=True,
        )
    ),
    # Greek
    **dict(
        zip(
            "αβγειηκνορςστυχωϳ",
            "abyeinkvopcotuxwj",
            strict=True,
        )
    ),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧͿ", "ABEZHIKMNOPTYXJ", strict=True)),
    # Armenian, Coptic
    **dict(zip("օսոհցզյքաՍՕՏԼ", "ounhgqjpwUOSL", strict=True)),
    **dict(zip("ⲁⲟⲣⲥⲭⲩⲓⲕⲧⲛ", "aopcxyiktn", strict=True)),
    # Cherokee, Lisu
    **dict(
        zip(
            "ᎪᏴᏟᎠᎬᏀᎻᎥᎫᏦᏞᎷᏢᎡᏒᏚᎢᏙᎳᎩᏃ",
            "ABCDEGHIJKLMPRRSTVWYZ",
            strict=True,
        )
    ),
    **dict(
        zip(
            "ꓮꓐꓚꓓꓰꓝꓖꓧꓲꓙꓗꓡꓟꓠꓳꓑꓣꓢꓔꓴꓦꓪꓫꓬꓜ",
            "ABCDEFGHIJKLMNOPRSTUVWXYZ",
            strict=True,
        )
    ),
    # Latin letters whose names do not say what they look like
    **dict(zip("ɑɩɪʋʊɣ", "aiivuy", strict=True)),
}


@lru_cache(maxsize=_FOLDS_KEPT)
def plain(char: str) -> str:
    """One character as the rules read it; nothing where it cannot be seen.

    Compatibility forms (full width, ligatures, mathematical letters) and digits of
    other scripts are written plainly, typographic quotes and dashes become plain
    ones. What comes out is plain itself.
    """
    if char in _PUNCTUATION:
        return _PUNCTUATION[char]
    kind = unicodedata.category(char)
    if char in _BLANK or kind in {"Cf", "Cs"} or (kind == "Cc" and not char.isspace()):
        return ""
    if kind == "Nd":
        return str(unicodedata.decimal(char))
    if sign := _SIGN_NAME.fullmatch(unicodedata.name(char, "")):
        return _cased(sign)
    form = unicodedata.normalize("NFKC", char)
    # "¨" would come apart into a space and a mark.
    if form == char or len(form) > _MAX_FORM_CHARS or form.startswith(" "):
        return " " if form == " " else char
    return "".join(map(plain, form))


@lru_cache(maxsize=_FOLDS_KEPT)
def look_alike(char: str) -> str:
    """The Latin letter that a plain character looks like, or the character."""
    if char.isascii():
        return char
    base = unicodedata.normalize("NFD", char)[0]
    if base.isascii():
        return base if base.isalpha() else char
    if base in _LOOKS:
        return _LOOKS[base]
    name = _LATIN_NAME.fullmatch(unicodedata.name(base, ""))
    return _cased(name) if name else char


def _cased(name: re.Match[str]) -> str:
    return name[2] if name[1] == "CAPITAL" else name[2].lower()
