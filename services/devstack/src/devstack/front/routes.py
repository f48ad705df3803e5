"""Which service answers which path."""

from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

import httptools

# A service's own pages: asked for on its own port, never through the one address.
PRIVATE_PATHS = frozenset(
    {b"/livez", b"/readyz", b"/metrics", b"/docs", b"/redoc", b"/openapi.json"}
)


def origin_form(target: bytes) -> bytes:
    """Path and query of a request target, also of an absolute one."""
    if target.startswith(b"/"):
        return target
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        return b""
    path = url.path or b"/"
    return path if url.query is None else path + b"?" + url.query


def find_route(target: bytes, ports: Mapping[bytes, int]) -> int | None:
    """The port whose prefix is the longest that fits, None where nothing answers."""
    path = unquote_to_bytes(target.partition(b"?")[0])
    if not path.startswith(b"/") or _covers(PRIVATE_PATHS, path):
        return None
    fitting = [prefix for prefix in ports if _covers((prefix,), path)]
    return ports[max(fitting, key=len)] if fitting else None


def _covers(prefixes: frozenset[bytes] | tuple[bytes], path: bytes) -> bool:
    return any(
        path == prefix or path.startswith(prefix.rstrip(b"/") + b"/")
        for prefix in prefixes
    )
