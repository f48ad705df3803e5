"""Field types that every model shares; their limits are part of the contract."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictInt,
    StringConstraints,
)

__all__ = [
    "DEFAULT_AGENT_ID",
    "MAX_PAGE_SIZE",
    "AgentId",
    "Answer",
    "Contract",
    "Metadata",
    "PageSize",
    "ScopeId",
    "Score",
    "StreamName",
    "Text",
    "Timestamp",
    "Unit",
]

DEFAULT_AGENT_ID = "default"
# One page is answered from memory, so it is bounded.
MAX_PAGE_SIZE = 1000
# Metadata travels with every copy of a memory.
MAX_METADATA_BYTES = 16_384
# Whoever reads an answer must be able to: parsers give up below some depth.
MAX_METADATA_DEPTH = 32
# An escaped NUL: an even number of backslashes before it, else it is text about one.
NUL_IN_JSON = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
# pydantic also takes digits, as seconds since 1970.
TIME_FORM = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")


def _storable(text: str) -> str:
    """PostgreSQL stores neither NUL nor lone surrogates."""
    if "\x00" in text:
        raise ValueError("must not contain NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must not contain lone surrogates") from None
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _storable_tree(value: Any) -> Any:
    try:
        encoded = orjson.dumps(value)
    except (TypeError, ValueError) as error:
        raise ValueError("must be JSON with valid Unicode") from error
    if len(encoded) > MAX_METADATA_BYTES:
        raise ValueError(f"must be at most {MAX_METADATA_BYTES} bytes as JSON")
    if NUL_IN_JSON.search(encoded):
        raise ValueError("must not contain NUL characters")
    if _depth(value) > MAX_METADATA_DEPTH:
        raise ValueError(f"must be at most {MAX_METADATA_DEPTH} levels deep")
    return value


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _number(value: object) -> object:
    if isinstance(value, (bool, str)):
        raise ValueError("must be a number")
    return value


def _utc(value: datetime) -> datetime:
    """Every stored time is in UTC and within PostgreSQL's and RFC 3339's years."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie within the years 1 to 9999") from None


def _rfc3339(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


def _time_text(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not TIME_FORM.match(value):
        raise ValueError("must be an RFC 3339 time")
    return value


Text = Annotated[str, AfterValidator(_storable), AfterValidator(_not_blank)]
AgentId = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]*$"
    ),
]
ScopeId = Annotated[
    str, StringConstraints(min_length=1, max_length=256), AfterValidator(_storable)
]
StreamName = Annotated[
    str, StringConstraints(max_length=64, pattern=r"^[a-z][a-z0-9_-]*$")
]
Unit = Annotated[
    float, BeforeValidator(_number), Field(ge=0.0, le=1.0, allow_inf_nan=False)
]
Score = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
PageSize = Annotated[StrictInt, Field(ge=1, le=MAX_PAGE_SIZE)]
Timestamp = Annotated[
    AwareDatetime,
    BeforeValidator(_time_text),
    AfterValidator(_utc),
    PlainSerializer(_rfc3339, return_type=str, when_used="json"),
]
Metadata = Annotated[dict[str, Any], AfterValidator(_storable_tree)]


class Contract(BaseModel):
    """A message of the API; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")


class Answer(BaseModel):
    """A message that a service sends; a newer service may add fields."""

    model_config = ConfigDict(extra="ignore")
