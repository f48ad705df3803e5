"""Whatever is sent to safety-validator gets a documented answer, and never a 500."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from tests.support.validator import Service, serving

from contracts.safety import MAX_BATCH_ITEMS, MAX_CONTENT_CHARS

ONE = "/api/safety/validate"
MANY = "/api/safety/validate/batch"
MODERATION = "/v1/moderations"
SEED = 20_261_123
VALUES: list[Any] = [
    None,
    True,
    0,
    -1.5,
    1e400,
    2**70,
    "",
    " ",
    "tea",
    "a\0b",
    [],
    [[]],
    {},
    {"content": "tea"},
    ["tea", None],
    [{"type": "text", "text": "tea"}],
    {"": {"": ""}},
]
FIELDS = {
    ONE: ("content", "kind", "agent_id", "stream", "further"),
    MANY: ("items", "content", "further"),
    MODERATION: ("input", "model", "agent_id", "further"),
}
LONGEST = "Ж" * MAX_CONTENT_CHARS
DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000


@pytest_asyncio.fixture(scope="module")
async def service(dsn: str) -> AsyncIterator[Service]:
    async with serving(dsn) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def api(service: Service) -> AsyncIterator[httpx2.AsyncClient]:
    async with service.client(None) as client:
        yield client


def item(content: Any, **members: Any) -> dict[str, Any]:
    return {"content": content, **members}


def many(*items: Any) -> bytes:
    return json.dumps({"items": items}).encode()


async def send(api: httpx2.AsyncClient, path: str, body: bytes) -> httpx2.Response:
    answer = await api.post(path, content=body)
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["title"]
    return answer


@pytest.mark.parametrize("path", FIELDS)
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"\0", 422),
        (b"\xff\xfe", 422),
        (b"\xed\xa0\x80", 422),
        (b"null", 422),
        (b"[]", 422),
        (b"{}", 422),
        (b'"tea"', 422),
        (b"NaN", 422),
        (b"{'content': 'tea'}", 422),
        (DEEP.encode(), 422),
        (b'{"content": "tea", "content": 5}', 422),
        (b"[" * 1_000_000, 422),
        (b'{"content": "' + b"a" * 5 * 2**20 + b'"}', 413),
        (b" " * 5 * 2**20, 413),
    ],
)
async def test_what_is_no_request(
    api: httpx2.AsyncClient, path: str, body: bytes, status: int
) -> None:
    assert (await send(api, path, body)).status_code == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (many(), 422),
        (many(*[item("tea")] * MAX_BATCH_ITEMS), 200),
        (many(*[item("tea")] * (MAX_BATCH_ITEMS + 1)), 422),
        (many(item("tea"), item("")), 422),
        (many(item("tea"), item("tea", kind="dream")), 422),
        (many("tea"), 422),
        (b'{"items": [{"content": "\\ud800"}]}', 422),
        (b'{"items": [{"content": "\\udfff\\ud800"}]}', 422),
        (b'{"items": [{"content": "a\\u0000"}]}', 422),
        (many(item(LONGEST[: MAX_CONTENT_CHARS // 8])), 200),
    ],
)
async def test_batches(api: httpx2.AsyncClient, body: bytes, status: int) -> None:
    answer = await send(api, MANY, body)
    assert answer.status_code == status


@pytest.mark.parametrize(
    "content",
    [
        LONGEST,
        "\n" * (MAX_CONTENT_CHARS - 1) + "a",
        "\u200b" * (MAX_CONTENT_CHARS - 1) + "a",
        "a " * (MAX_CONTENT_CHARS // 2),
        "QUJD" * (MAX_CONTENT_CHARS // 4),
    ],
    ids=["letters", "lines", "invisible", "spaced", "encoded"],
)
async def test_a_mebibyte_of_anything(api: httpx2.AsyncClient, content: str) -> None:
    """Characters, not bytes; in a second or two, while a short text waits for none."""
    body = json.dumps(item(content), ensure_ascii=False).encode()
    long = asyncio.create_task(send(api, ONE, body))
    short = await send(api, ONE, json.dumps(item("tea")).encode())
    assert short.status_code == 200
    assert (await long).status_code == 200


@pytest.mark.parametrize("path", FIELDS)
async def test_fields_of_any_kind(api: httpx2.AsyncClient, path: str) -> None:
    """Seeded bodies of right and wrong fields: 200 or 422, nothing else."""
    chance = random.Random(SEED)
    seen = set()
    for _ in range(120):
        body = {
            name: chance.choice(VALUES)
            for name in FIELDS[path]
            if chance.random() < 0.6
        }
        if path == MANY and chance.random() < 0.5:
            body["items"] = [body.pop("content", "tea"), item("tea")]
        raw = json.dumps(body).encode().replace(b"Infinity", b"1e400")
        answer = await send(api, path, raw)
        assert answer.status_code in (200, 422), raw
        seen.add(answer.status_code)
    assert 422 in seen


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", ONE, 405),
        ("PUT", MODERATION, 405),
        ("GET", "/v1", 404),
        ("GET", "/v1/models", 404),
        ("POST", "/api/safety/policy", 405),
        ("GET", "/api/safety/%00", 404),
        ("GET", "/api/safety/audit?limit=x", 422),
        ("GET", "/api/safety/audit?limit=0", 422),
        ("GET", "/api/safety/audit?limit=99999999999999999999", 422),
        ("GET", "/api/safety/audit?cursor=%00", 422),
        ("GET", "/api/safety/audit?cursor=zzz", 422),
        ("GET", "/api/safety/audit?verdict=maybe", 422),
        ("GET", "/api/safety/audit?since=yesterday", 422),
        ("GET", "/api/safety/audit?agent_id=%00", 422),
    ],
)
async def test_calls_that_are_none(
    api: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await api.request(method, path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
