"""How the fuzzer sends lines of JSON; loaded by it, not by the tests."""

from typing import Any

import orjson
import schemathesis


@schemathesis.serializer("application/x-ndjson")
def as_lines(_: Any, value: Any) -> bytes:
    """Each value a line; text and bytes go as they are."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode(errors="replace")
    lines = value if isinstance(value, list) else [value]
    return b"\n".join(orjson.dumps(line, default=str) for line in lines)
