"""Lines of an import, and lines of an export."""

import base64
import binascii
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import ValidationError

from contracts.memory import MemoryImport
from embedding import MODEL_NAME
from memory_service.domain.transfer import Line
from memory_service.errors import LineTooLong, VectorUnfit
from memory_service.models import Draft, Exported, Vector
from memory_service.providers.vectors import DIMENSION
from memory_service.routes.conversion import memory_fields, to_draft, write_json
from servicekit.auth import Caller
from servicekit.errors import AppError, InvalidRequest

# The longest content, escaped throughout, beside full metadata and a vector.
MAX_LINE_BYTES = 512 * 1024
# Lines stored together, and their bytes: what an import holds in memory.
MAX_BATCH_LINES = 500
MAX_BATCH_BYTES = 4 * 1024 * 1024
# A vector this close to length 1 is one that was normalised, and is kept bit by bit.
NORM_TOLERANCE = 1e-2
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

RawLine = tuple[int, bytes | None]


async def split_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[RawLine]:
    """Lines that are not blank, with their numbers; None for one that is too long."""
    number, rest, overlong = 1, b"", False
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if overlong or line.strip():
                too_long = overlong or len(line) > MAX_LINE_BYTES
                yield number, None if too_long else line
            overlong = False
            number += 1
        if len(rest) > MAX_LINE_BYTES:
            rest, overlong = b"", True
    if overlong or rest.strip():
        yield number, None if overlong else rest


async def gather_batches(
    lines: AsyncIterator[RawLine], agent_id: str, caller: Caller
) -> AsyncIterator[Sequence[Line]]:
    """Parsed lines by batches."""
    batch: list[Line] = []
    size_bytes = 0
    async for number, raw in lines:
        batch.append((number, parse_line(raw, agent_id, caller)))
        size_bytes += len(raw or b"")
        if len(batch) >= MAX_BATCH_LINES or size_bytes >= MAX_BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def parse_line(raw: bytes | None, agent_id: str, caller: Caller) -> Draft | AppError:
    """The memory in a line, or what is wrong with it."""
    try:
        return _parse(raw, agent_id, caller)
    except AppError as error:
        return error


def _parse(raw: bytes | None, agent_id: str, caller: Caller) -> Draft:
    if raw is None:
        raise LineTooLong(f"a line has at most {MAX_LINE_BYTES} bytes")
    try:
        fields = orjson.loads(raw)
    except ValueError as error:
        raise InvalidRequest(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidRequest("not a JSON object")
    known = {k: v for k, v in fields.items() if k not in SERVER_FIELDS}
    try:
        line = MemoryImport.model_validate({"agent_id": agent_id, **known})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidRequest(f"{place}: {first['msg']}") from error
    caller.check_agent(line.agent_id)
    return _to_draft(line)


def _to_draft(line: MemoryImport) -> Draft:
    draft = to_draft(line)
    changes: dict[str, Any] = {}
    if line.expires_at is not None:
        changes["expires_at"] = line.expires_at
    if line.embedding is not None and line.embedding_model == MODEL_NAME:
        changes["vector"] = _read_vector(line.embedding)
    return draft.but(**changes)


def _read_vector(given: str | list[float]) -> Vector:
    vector = _read_numbers(given)
    if vector.shape != (DIMENSION,):
        raise VectorUnfit(f"it has {len(vector)} numbers, not {DIMENSION}")
    with np.errstate(over="ignore"):
        norm = float(np.linalg.norm(vector))
    if not np.isfinite(norm) or norm == 0:
        raise VectorUnfit("its length is zero or not finite")
    if abs(norm - 1) >= NORM_TOLERANCE:
        vector /= norm
    return vector.astype(np.float32)


def _read_numbers(given: str | list[float]) -> NDArray[np.float64]:
    if not isinstance(given, str):
        return np.array(given, dtype=np.float64)
    try:
        raw = base64.b64decode(given, validate=True)
        return np.frombuffer(raw, dtype="<f2").astype(np.float64)
    except (binascii.Error, ValueError) as error:
        raise VectorUnfit("not base64 of float16 numbers") from error


def write_exported(exported: Exported) -> bytes:
    """A memory as a line that an import takes back."""
    fields = memory_fields(exported.memory)
    if exported.vector is not None:
        fields["embedding"] = base64.b64encode(exported.vector).decode()
        fields["embedding_model"] = exported.model
    return write_json(fields) + b"\n"
