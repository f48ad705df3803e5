"""A line that is taken without the contract's model is one that the model takes too."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import new_id
from embedding import MODEL_NAME
from memory_service.models.memories import Draft
from memory_service.routes import lines, plain_lines
from servicekit.auth import ANYONE
from servicekit.errors import AppError

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ID = "0198c0de-0000-7000-8000-00000000000A"

TEXTS = ["a", "ü\n", " ", "", "\x00", "x\x00y", "y" * 32_768, "z" * 32_769, None, 3]
TIMES = [
    "2026-02-28T23:59:59Z",
    "2026-02-28 23:59:59.123456+05:30",
    "2026-02-28T23:59:59.1234567Z",
    "2026-02-29T00:00:00Z",
    "2026-01-01T00:00:60Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:00:00+24:00",
    "2026-01-01T00:00:00-00:00",
    "0001-01-01T00:00:00+14:00",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59-12:00",
    "2026-01-01T00:00:00",
    "2026-01-01T00:00Z",
    "20260101T000000Z",
    "2026-W01-1T00:00:00Z",
    "٢٠٢٦-01-01T00:00:00Z",
    "2026-01-01t00:00:00z",
    1767225600,
    None,
    True,
]
VALUES: dict[str, list[Any]] = {
    "content": TEXTS,
    "id": [
        ID,
        ID.lower(),
        ID.replace("-", ""),
        "{" + ID + "}",
        "urn:uuid:" + ID,
        ID[:-1] + "_",
        "0198c0de-0000-7000-8000-0000000000",
        "",
        7,
        None,
    ],
    "agent_id": ["default", "other", "", "no agent", 3, None],
    "user_id": ["u", "", "u" * 256, "u" * 257, "\x00", None, 1],
    "session_id": ["s", "", "\ud7ff", None, []],
    "memory_type": ["semantic", "thought", "SEMANTIC", "", None, 1],
    "evidence": ["inferred", "thought", "guessed", None],
    "importance": [0, 1, 0.5, -0.0, 1.1, -1, 10**30, True, "0.5", None],
    "metadata": [{}, {"a": [1, None]}, {"a": "\x00"}, [], None, {"a": "x" * 20_000}],
    "pinned": [True, False, 0, 1, "true", None],
    "timestamp": TIMES,
    "expires_at": TIMES,
    "ttl_seconds": [60, 0, None],
    "embedding": ["no base64!", [1.0], ["1.0"] * 384, [True] * 384, 3, None],
    "embedding_model": ["another", MODEL_NAME, 3, None],
    "seq": [1, "x"],
    "superseded_by": ["anything"],
    "unheard_of": [1],
}


def read(line: bytes) -> Draft | AppError:
    ((_, found),) = lines.parse_lines([(1, line)], "default", ANYONE)
    return found


def read_by_the_model(line: bytes, patch: pytest.MonkeyPatch) -> Draft | AppError:
    with patch.context() as without:
        without.setattr(lines, "plain_draft", lambda *_: None)
        return read(line)


@given(
    st.fixed_dictionaries(
        {}, optional={k: st.sampled_from(v) for k, v in VALUES.items()}
    )
)
def test_what_is_plain_reads_as_the_model_reads_it(fields: dict[str, Any]) -> None:
    fields = {"content": "a", "id": ID, "timestamp": TIMES[0]} | fields
    line = json.dumps(fields).encode()
    plainly, modelled = read(line), read_by_the_model(line, pytest.MonkeyPatch())
    if isinstance(modelled, AppError):
        assert isinstance(plainly, AppError)
        assert (type(plainly), str(plainly)) == (type(modelled), str(modelled))
        return
    assert isinstance(plainly, Draft)
    if fields.get("id", "") is None:
        modelled = modelled.but(id=plainly.id)
    if fields.get("timestamp", "") is None:
        modelled = modelled.but(timestamp=plainly.timestamp)
    if fields.get("ttl_seconds") is not None:
        modelled = modelled.but(expires_at=plainly.expires_at)
    assert plainly.but(sources=list(plainly.sources)) == modelled


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, some in VALUES.items() for value in some],
)
def test_each_value_by_itself(name: str, value: Any) -> None:
    fields = {name: value}
    test_what_is_plain_reads_as_the_model_reads_it.hypothesis.inner_test(fields)  # type: ignore[attr-defined]


def test_lone_surrogates_are_no_json() -> None:
    found = read(b'{"content": "\\ud800"}')
    assert isinstance(found, AppError)
    assert "not JSON" in str(found)


def test_what_an_export_writes_is_plain() -> None:
    fields = {
        "id": str(new_id()),
        "agent_id": "default",
        "user_id": None,
        "session_id": "s",
        "content": "a",
        "memory_type": "episodic",
        "importance": 0.5,
        "timestamp": "2026-11-01T00:00:00.123456Z",
        "created_at": "2026-11-01T00:00:00Z",
        "metadata": {"a": 1},
        "evidence": "told",
        "pinned": False,
        "superseded_by": None,
        "expires_at": None,
    }
    draft = plain_lines.plain_draft(fields, "default", None, NOW)
    assert draft is not None
    assert (draft.metadata, draft.brought_id) == ({"a": 1}, True)
