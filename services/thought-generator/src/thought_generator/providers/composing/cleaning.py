"""Makes any text plain enough to quote: no markup, addresses, or orders."""

import re

# Beyond this a memory is not read: a thought quotes two lines at most.
MAX_READ_CHARS = 2_000

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_TAGS = re.compile(r"<[^<>]{0,200}>|&[a-z]{2,8};|&#\d{1,6};")
_ADDRESSES = re.compile(r"\b(?:https?://|www\.)\S+|\S{1,64}@\S{1,255}")
# Keys, hashes and encoded bytes look like this, words do not.
_LONG_TOKENS = re.compile(r"[!-~]{33,}")
_STAMP = re.compile(r"^\s*[\[(][^\])\n]{1,60}[\])]\s*(?=\S)")
_MARKUP = re.compile(r"[*_#>|~^{}\[\]\\<=]+|--+")
_BLANKS = re.compile(r"[^\S\n]+")
_INVISIBLE = dict.fromkeys(
    (
        *range(10),
        *range(11, 32),
        *range(127, 160),
        173,
        *range(8203, 8208),
        *range(8234, 8239),
        *range(8288, 8304),
        65279,
        *range(917504, 917632),
    )
) | {ord("\t"): " ", 0x2028: "\n", 0x2029: "\n"}
_QUOTES = str.maketrans({'"': "'", "“": "'", "”": "'", "«": "'", "»": "'", "‘": "'"})
_APOSTROPHE = str.maketrans({"’": "'"})

_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass|overrule|discard)\b.{0,60}"
    r"\b(?:instruct|prompt|rule|guideline|polic|previous|prior|above|safety|filter)"
    r"|\b(?:system|developer|hidden|secret)\s+(?:prompt|message|mode|instruct)"
    r"|\b(?:jailbreak|jailbroken|do anything now|DAN mode|god mode)\b"
    r"|\b(?:you are|you're) now\b|\bfrom now on\b|\bnew instructions?\b"
    r"|\b(?:act as|pretend (?:to be|you|that you)|role-?play as)\b"
    r"|\b(?:reveal|print|output|leak|exfiltrate|send|repeat|show)\b.{0,40}"
    r"\b(?:prompt|instructions|passwords?|api keys?|credentials|secrets?|tokens?)\b"
    r"|\brm -rf\b|\bsudo\b|\bDROP TABLE\b|\bcurl\b.{0,40}\|"
    r"|^\s*(?:system|developer)\s*:",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)


def clean(text: str) -> str:
    """Plain text; newlines stay, for they end a sentence."""
    text = text[:MAX_READ_CHARS].translate(_INVISIBLE)
    text = text.encode("utf-8", "ignore").decode()
    text = _CODE.sub(" ", text)
    text = _TAGS.sub(" ", text)
    text = _ADDRESSES.sub(" ", text)
    text = _LONG_TOKENS.sub(" ", text)
    text = _STAMP.sub("", text)
    text = _MARKUP.sub(" ", text)
    text = text.translate(_APOSTROPHE).translate(_QUOTES)
    return _BLANKS.sub(" ", text).strip()


def gives_orders(text: str) -> bool:
    """Whether the text talks to a machine; then it is not quoted."""
    return _ORDERS.search(text[:MAX_READ_CHARS].translate(_INVISIBLE)) is not None
