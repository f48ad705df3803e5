"""Lines of an import, and lines of an export."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import ValidationError

from contracts.memory import MemoryImport
from embedding import MODEL_NAME
from memory_service.domain.transfer import Line
from memory_service.errors import LineTooLong, VectorUnfit
from memory_service.models.memories import Draft, Exported
from memory_service.models.vectors import Vector
from memory_service.routes.conversion import memory_fields, to_draft, write_json
from memory_service.routes.plain_lines import plain_draft
from memory_service.routes.vectors import read_vectors
from servicekit.auth import Caller
from servicekit.errors import AppError, InvalidRequest

# The longest content, escaped throughout, beside full metadata and a vector.
MAX_LINE_BYTES = 512 * 1024
# Lines stored together, and their bytes: what an import holds in memory.
MAX_BATCH_LINES = 768
MAX_BATCH_BYTES = 4 * 1024 * 1024
# A millisecond of work; others come between, and the batch before is being stored.
MAX_PARSED_AT_ONCE = 64
# Fields that the server sets, or that an export adds.
SERVER_FIELDS = frozenset(
    {
        "seq",
        "created_at",
        "updated_at",
        "access_count",
        "last_accessed_at",
        "superseded_by",
    }
)

# None for a line that is too long.
RawLine = tuple[int, bytes | None]
Fields = dict[str, Any]


async def split_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[RawLine]]:
    """Lines that are not blank, with their numbers, as many as a chunk completes."""
    number, rest, overlong = 1, b"", False
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        found: list[RawLine] = []
        for line in whole:
            if overlong or line.strip():
                too_long = overlong or len(line) > MAX_LINE_BYTES
                found.append((number, None if too_long else line))
            overlong = False
            number += 1
        if len(rest) > MAX_LINE_BYTES:
            rest, overlong = b"", True
        if found:
            yield found
    if overlong or rest.strip():
        yield [(number, None if overlong else rest)]


async def gather_batches(
    chunks: AsyncIterator[bytes], agent_id: str, caller: Caller
) -> AsyncIterator[Sequence[Line]]:
    """Parsed lines by batches."""
    batch: list[RawLine] = []
    size_bytes = 0
    async for lines in split_lines(chunks):
        for line in lines:
            batch.append(line)
            size_bytes += len(line[1] or b"")
            if len(batch) >= MAX_BATCH_LINES or size_bytes >= MAX_BATCH_BYTES:
                yield await _parse_all(batch, agent_id, caller)
                batch, size_bytes = [], 0
    if batch:
        yield await _parse_all(batch, agent_id, caller)


async def _parse_all(
    batch: Sequence[RawLine], agent_id: str, caller: Caller
) -> list[Line]:
    parsed: list[Line] = []
    for start in range(0, len(batch), MAX_PARSED_AT_ONCE):
        some = batch[start : start + MAX_PARSED_AT_ONCE]
        parsed += parse_lines(some, agent_id, caller)
        await asyncio.sleep(0)
    return parsed


def parse_lines(lines: Sequence[RawLine], agent_id: str, caller: Caller) -> list[Line]:
    """The memory in each line, or what is wrong with it."""
    now = datetime.now(UTC)
    read = [_read_fields(raw) for _, raw in lines]
    given = [_given_vector(fields) for fields in read]
    return [
        (number, _to_draft(fields, vector, agent_id, caller, now))
        for (number, _), fields, vector in zip(
            lines, read, read_vectors(given), strict=True
        )
    ]


def write_exported(exported: Exported) -> bytes:
    """A memory as a line that an import takes back."""
    fields = memory_fields(exported.memory)
    if exported.sources:
        fields["sources"] = exported.sources
    if exported.vector is not None:
        fields["embedding"] = base64.b64encode(exported.vector).decode()
        fields["embedding_model"] = exported.model
    return write_json(fields) + b"\n"


def _read_fields(raw: bytes | None) -> Fields | AppError:
    if raw is None:
        return LineTooLong(f"a line has at most {MAX_LINE_BYTES} bytes")
    try:
        fields = orjson.loads(raw)
    except ValueError as error:
        return InvalidRequest(f"not JSON: {error}")
    if not isinstance(fields, dict):
        return InvalidRequest("not a JSON object")
    return fields


def _given_vector(fields: Fields | AppError) -> object:
    """What stands for a vector of our own model in a line; nothing is checked yet."""
    if isinstance(fields, AppError) or fields.get("embedding_model") != MODEL_NAME:
        return None
    return fields.get("embedding")


def _to_draft(
    fields: Fields | AppError,
    vector: Vector | VectorUnfit | None,
    agent_id: str,
    caller: Caller,
    now: datetime,
) -> Draft | AppError:
    if isinstance(fields, AppError):
        return fields
    ours = vector if not isinstance(vector, VectorUnfit) else None
    draft = plain_draft(fields, agent_id, ours, now)
    try:
        if draft is None:
            draft = _validated(fields, agent_id, ours, now)
        caller.check_agent(draft.agent_id)
    except AppError as error:
        return error
    return vector if isinstance(vector, VectorUnfit) else draft


def _validated(
    fields: Fields, agent_id: str, vector: Vector | None, now: datetime
) -> Draft:
    """The draft by the contract's own model, which also says what is wrong."""
    known = {k: v for k, v in fields.items() if k not in SERVER_FIELDS}
    try:
        line = MemoryImport.model_validate({"agent_id": agent_id, **known})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidRequest(f"{place}: {first['msg']}") from error
    draft = to_draft(line, now).but(vector=vector)
    return draft if line.expires_at is None else draft.but(expires_at=line.expires_at)
