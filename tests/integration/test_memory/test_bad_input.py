"""What is not valid is refused as such, and never stored."""

from typing import Any

import pytest
from tests.integration.test_memory.replicas import PREFIX, Caller, Replica

from contracts.base import MAX_METADATA_BYTES, MAX_PAGE_SIZE
from contracts.memory import MAX_BATCH_MEMORIES, MAX_CONTENT_CHARS, MAX_TTL_SECONDS
from servicekit.app import MAX_BODY_BYTES

OK = {"content": "fine"}
BODIES: list[tuple[str, Any]] = [
    ("", {}),
    ("", []),
    ("", None),
    ("", {"content": ""}),
    ("", {"content": " \n\t"}),
    ("", {"content": 3}),
    ("", {"content": None}),
    ("", {"content": "a\u0000b"}),
    ("", {"content": "x" * (MAX_CONTENT_CHARS + 1)}),
    ("", OK | {"importance": 1.1}),
    ("", OK | {"importance": -0.1}),
    ("", OK | {"importance": "0.5"}),
    ("", OK | {"importance": True}),
    ("", OK | {"agent_id": ""}),
    ("", OK | {"agent_id": "a b"}),
    ("", OK | {"agent_id": "a/../b"}),
    ("", OK | {"agent_id": "x" * 129}),
    ("", OK | {"user_id": ""}),
    ("", OK | {"user_id": "\u0000"}),
    ("", OK | {"memory_type": "photographic"}),
    ("", OK | {"evidence": "rumour"}),
    ("", OK | {"timestamp": 1700000000}),
    ("", OK | {"timestamp": "2026-01-01T00:00:00"}),
    ("", OK | {"timestamp": "0001-01-01T00:00:00+14:00"}),
    ("", OK | {"ttl_seconds": 0}),
    ("", OK | {"ttl_seconds": 1.5}),
    ("", OK | {"ttl_seconds": MAX_TTL_SECONDS + 1}),
    ("", OK | {"metadata": []}),
    ("", OK | {"metadata": {"a": "x" * MAX_METADATA_BYTES}}),
    ("", OK | {"metadata": {"a\u0000": 1}}),
    ("", OK | {"id": "not-an-id"}),
    ("", OK | {"pinned": 1}),
    ("", OK | {"seq": 5}),
    ("", OK | {"verdict": {"verdict": "block", "policy_version": "", "signature": ""}}),
    ("/batch", {"memories": []}),
    ("/batch", {"memories": [OK, {"content": ""}]}),
    ("/batch", {"memories": [OK] * (MAX_BATCH_MEMORIES + 1)}),
    ("/recall", {"query": 3}),
    ("/recall", {"query": " "}),
    ("/recall", {"query": "x", "limit": 0}),
    ("/recall", {"query": "x", "limit": -1}),
    ("/recall", {"query": "x", "limit": MAX_PAGE_SIZE + 1}),
    ("/recall", {"query": "x", "limit": 10**30}),
    ("/recall", {"query": "x", "limit": True}),
    ("/recall", {"query": "x", "mode": "psychic"}),
    ("/recall", {"query": "x", "min_score": "high"}),
    ("/recall", {"query": "x", "filters": {"since": "yesterday"}}),
    ("/recall", {"query": "x", "filters": {"metadata": {"a": "\u0000"}}}),
    ("/recall", {"query": "x", "filters": {"colour": "blue"}}),
    ("/recall", {"query": "x", "filters": None}),
    ("/recall", {"query": "x" * 100_000}),
    ("/recall", {"query": ""}),
    ("/recall", {"query": "x", "filters": {"ids": ["a"] * 10_000}}),
    ("/recall", {"query": "x", "filters": {"user_id": ["a"] * 10_000}}),
    ("/recall", {"query": "x", "include_history": 1}),
]


@pytest.mark.parametrize(("path", "body"), BODIES)
async def test_a_body_that_is_not_valid(service: Replica, path: str, body: Any) -> None:
    answer = await service.http.post(PREFIX + path, json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 422


@pytest.mark.parametrize("path", ["", "/batch", "/recall"])
@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 5000, b'{"a":NaN}'])
async def test_a_body_that_is_not_json(
    service: Replica, path: str, body: bytes
) -> None:
    answer = await service.http.post(PREFIX + path, content=body)
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/not-an-id", 422),
        ("DELETE", "/not-an-id", 422),
        ("GET", "/01a20679-64e2-74fd-97a5-023a3834601e", 404),
        ("PATCH", "/01a20679-64e2-74fd-97a5-023a3834601e", 404),
        ("GET", "/recent?agent_id=a%20b", 422),
        ("GET", "/recent?agent_id=%00", 422),
        ("GET", "/recent?memory_type=none", 422),
        ("GET", "/stats?agent_id=", 422),
        ("GET", "/export?embeddings=perhaps", 422),
        ("POST", "/import?safety=none", 422),
        ("PUT", "/recent", 405),
        ("DELETE", "", 405),
        ("GET", "/recent/more", 404),
    ],
)
async def test_a_path_that_leads_nowhere(
    service: Replica, method: str, path: str, status: int
) -> None:
    body = {"pinned": True} if method == "PATCH" else None
    answer = await service.http.request(method, PREFIX + path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_beyond_the_limit(service: Replica) -> None:
    body = b'{"content": "' + b"x" * MAX_BODY_BYTES + b'"}'
    answer = await service.http.post(PREFIX, content=body)
    assert answer.status_code == 413


async def test_an_import_has_no_such_limit(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["x" * 100_000] * (MAX_BODY_BYTES // 100_000 + 2)
    totals, _ = await ada.take_in([*lines, {"content": "the last line"}])
    assert totals == {"imported": 1, "skipped": 0, "failed": len(lines)}


async def test_the_longest_memory(ada: Caller) -> None:
    content = "\U0001f41d" * MAX_CONTENT_CHARS
    told = await ada.tell(content, metadata={"k": "ü" * 8000})
    assert told["content"] == content
    assert (await ada.export())[0]["content"] == content
    totals, _ = await ada.take_in([{"content": content}])
    assert totals["imported"] == 1


async def test_numbers_that_json_barely_holds(ada: Caller) -> None:
    metadata = {"big": 2**53, "small": 5e-324, "large": 1.7e308, "negative": -0.5}
    told = await ada.tell("numbers", metadata=metadata)
    assert told["metadata"] == metadata
    assert (await ada.get(told["id"])).json()["metadata"] == metadata
    huge = '{"content": "huge", "agent_id": "%s", "metadata": {"n": %s}}'
    answer = await ada.http.post(PREFIX, content=huge % (ada.agent_id, "9" * 400))
    assert answer.status_code in (201, 422)
