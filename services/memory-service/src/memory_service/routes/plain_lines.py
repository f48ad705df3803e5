"""Lines as an export or a script writes them, checked without the contract's model.

Most lines of an import are plain, and the model costs more than all else that is done
with them here. What is not plainly right is left to the model, which decides and says
what is wrong; a test compares the two.
"""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from contracts.base import Metadata
from contracts.ids import new_id
from contracts.memory import MAX_CONTENT_CHARS, Evidence, MemoryType
from memory_service.domain.importance import estimate_importance
from memory_service.models.memories import Draft
from memory_service.models.vectors import Vector

MAX_SCOPE_CHARS = 256
# Fields that are looked at here, and those that an import ignores.
PLAIN_FIELDS = frozenset(
    "content agent_id user_id session_id memory_type importance timestamp metadata "
    "evidence pinned id expires_at embedding embedding_model "
    "seq created_at updated_at access_count last_accessed_at superseded_by".split()
)

_TYPES = frozenset(MemoryType)
_EVIDENCE = frozenset(Evidence)
_METADATA: TypeAdapter[dict[str, Any]] = TypeAdapter(Metadata)
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
)


class _NotPlain(Exception):
    """A line that the contract's model has to decide on."""


def plain_draft(
    fields: dict[str, Any], agent_id: str, vector: Vector | None, now: datetime
) -> Draft | None:
    """The memory of a line that is plainly right; None where the model must decide."""
    if not fields.keys() <= PLAIN_FIELDS:
        return None
    try:
        return _draft(fields, agent_id, vector, now)
    except (_NotPlain, ValueError, OverflowError):
        return None


def _draft(
    fields: dict[str, Any], agent_id: str, vector: Vector | None, now: datetime
) -> Draft:
    get = fields.get
    content = _content(get("content"))
    if get("agent_id", agent_id) != agent_id:
        raise _NotPlain
    _check_embedding(get("embedding"), get("embedding_model"))
    identity = get("id")
    timestamp, expires_at = get("timestamp"), get("expires_at")
    return Draft(
        id=new_id() if identity is None else _id(identity),
        brought_id=identity is not None,
        agent_id=agent_id,
        user_id=_scope(get("user_id")),
        session_id=_scope(get("session_id")),
        content=content,
        memory_type=_one_of(_TYPES, get("memory_type", "episodic")),
        importance=_importance(get("importance"), content),
        timestamp=now if timestamp is None else _time(timestamp),
        metadata=_metadata(get("metadata", {})),
        evidence=_one_of(_EVIDENCE, get("evidence", "told")),
        pinned=_flag(get("pinned", False)),
        expires_at=None if expires_at is None else _time(expires_at),
        vector=vector,
    )


def _content(value: object) -> str:
    # JSON with lone surrogates is not read in the first place.
    if (
        not isinstance(value, str)
        or len(value) > MAX_CONTENT_CHARS
        or "\x00" in value
        or not value.strip()
    ):
        raise _NotPlain
    return value


def _check_embedding(embedding: object, model: object) -> None:
    """What a vector is made of is looked at elsewhere; only a list has wrong items."""
    if not isinstance(embedding, str | None) or not isinstance(model, str | None):
        raise _NotPlain


def _id(value: object) -> UUID:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise _NotPlain
    return UUID(value)


def _scope(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_SCOPE_CHARS:
        raise _NotPlain
    if "\x00" in value:
        raise _NotPlain
    return value


def _one_of(values: frozenset[str], value: object) -> str:
    if not isinstance(value, str) or value not in values:
        raise _NotPlain
    return value


def _importance(value: object, content: str) -> float:
    if value is None:
        return estimate_importance(content)
    # To Python, true is a number.
    if isinstance(value, bool) or not isinstance(value, float | int):
        raise _NotPlain
    if not 0 <= value <= 1:
        raise _NotPlain
    return float(value)


def _time(value: object) -> datetime:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise _NotPlain
    time = datetime.fromisoformat(value)
    return time if time.tzinfo is UTC else time.astimezone(UTC)


def _metadata(value: object) -> dict[str, Any]:
    if value == {}:
        return {}
    try:
        return _METADATA.validate_python(value)
    except ValidationError as error:
        raise _NotPlain from error


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _NotPlain
    return value
