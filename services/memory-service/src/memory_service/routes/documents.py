"""What the OpenAPI document says of answers that are written out by hand."""

from typing import Any

SEQ_DOCUMENTED: dict[str, Any] = {
    "X-Memory-Seq": {
        "description": "The number of this write; reads that send it as X-Min-Seq "
        "hold at least this write.",
        "schema": {"type": "integer"},
    }
}
NDJSON = "application/x-ndjson"


def ndjson_answer(description: str) -> dict[int | str, dict[str, Any]]:
    """A 200 of one JSON object a line."""
    return {
        200: {
            "description": description,
            "content": {NDJSON: {"schema": {"type": "string"}}},
        }
    }
