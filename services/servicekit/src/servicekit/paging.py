"""Opaque cursors: where the next page begins, bound to what it is a page of."""

import base64
import hashlib

import orjson

from servicekit.errors import InvalidRequest

__all__ = ["read_cursor", "write_cursor"]

# A cursor longer than this was not made here.
MAX_CURSOR_CHARS = 512


def _bind(scope: str) -> str:
    return hashlib.sha256(scope.encode()).hexdigest()[:12]


def write_cursor(scope: str, *position: str | int) -> str:
    """A cursor to `position` within the list that `scope` names."""
    raw = orjson.dumps([_bind(scope), *position])
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_cursor(scope: str, cursor: str, *types: type) -> list[str | int]:
    """The position in a cursor; InvalidRequest when it is not one of this list."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except ValueError:
        parts = None
    if (
        len(cursor) > MAX_CURSOR_CHARS
        or not isinstance(parts, list)
        or len(parts) != len(types) + 1
        or parts[0] != _bind(scope)
        or not all(type(p) is t for p, t in zip(parts[1:], types, strict=True))
    ):
        raise InvalidRequest("the cursor does not belong to this list")
    return parts[1:]
