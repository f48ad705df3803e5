"""Times and metadata: what they take, refuse, and are written as."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.unit.contracts.messages import read

from contracts.memory import (
    MemoryBatchRequest,
    MemoryWrite,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-23T12:00:00Z", NOON),
        ("2026-11-23t12:00:00z", NOON),
        ("2026-11-23 12:00:00Z", NOON),
        ("2026-11-23T12:00:00+00:00", NOON),
        ("2026-11-23T14:30:00+02:30", NOON),
        ("2026-11-22T22:00:00-14:00", NOON),
        ("2026-11-23T12:00:00.000001Z", NOON + timedelta(microseconds=1)),
        ("2026-11-23T12:00:00.1234567Z", NOON + timedelta(microseconds=123_456)),
        ("0001-01-01T00:00:00Z", datetime.min.replace(tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_a_time_is_read_and_written_in_utc(text: str, time: datetime) -> None:
    write = read(MemoryWrite, timestamp=text)
    assert write.timestamp == time
    assert write.timestamp.tzinfo is UTC
    written = json.loads(write.model_dump_json())["timestamp"]
    assert written.endswith("Z")
    assert datetime.fromisoformat(written) == time


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-23T12:00:00",
        "2026-11-23",
        "12:00:00Z",
        "1700000000",
        "1700000000.5",
        "-62135596800",
        "20261123T120000Z",
        "2026-11-23T24:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-11-23T12:00:60Z",
        "2026-11-23T12:00:00Z ",
        "2026-11-23T12:00:00Zulu",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "٢٠٢٦-11-23T12:00:00Z",
        "now",
        "",
        1700000000,
        1700000000.5,
        True,
        [],
        datetime(2026, 11, 23, 12),  # noqa: DTZ001 - a naive time is what is refused
        NOON.date(),
    ],
)
def test_nothing_else_is_a_time(value: object) -> None:
    with pytest.raises(ValidationError):
        read(MemoryWrite, timestamp=value)


WEST = timezone(timedelta(hours=-5))


@given(st.datetimes(max_value=datetime(9999, 12, 31), timezones=st.just(WEST)))  # noqa: DTZ001
def test_any_time_that_utc_knows_comes_back(time: datetime) -> None:
    write = read(MemoryWrite, timestamp=time)
    assert MemoryWrite.model_validate_json(write.model_dump_json()).timestamp == time


def nested(levels: int, leaf: object = 1) -> dict[str, Any]:
    """Objects within objects."""
    value: Any = leaf
    for _ in range(levels):
        value = {"a": value}
    return dict(value)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"a": None, "b": [None, True, 1, 1.5, "ü", {"c": []}]},
        {"": ""},
        {"text": r"\u0000 is how JSON writes NUL", r"\\u0000": r"\\\u0000"},
        {"a": "a" * (16_384 - len('{"a":""}'))},
        nested(32),
        nested(31, []),
    ],
)
def test_metadata_is_kept_as_it_is(metadata: dict[str, Any]) -> None:
    write = read(MemoryWrite, metadata=metadata)
    body = MemoryBatchRequest(memories=[write]).model_dump_json(exclude_none=True)
    again = MemoryBatchRequest.model_validate_json(body)
    assert again.memories[0].metadata == metadata


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": "a" * (16_385 - len('{"a":""}'))},
        {"a": "ü" * 8_190},
        nested(33),
        nested(32, []),
        nested(200),
        nested(900),
        {"a": "\x00"},
        {"a": "\\\x00"},
        {"\x00": 1},
        {"a": ["\ud800"]},
        {"\udfff": 1},
        {"a": object()},
        {1: "a"},
        {"a": 2**70},
        [],
        "{}",
        None,
    ],
)
def test_metadata_that_nobody_could_store_is_refused(metadata: object) -> None:
    with pytest.raises(ValidationError):
        read(MemoryWrite, metadata=metadata)
