"""Bodies as people and machines send them: read, or refused, never a 500."""

import httpx2
import pytest
from tests.unit.servicekit.small_app import problem_of

NOTES = "/api/small/notes"
DEEP = 10_000

HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "one byte": b"{",
    "one digit": b"1",
    "null": b"null",
    "a list": b"[]",
    "a string": b'"text"',
    "cut off": b'{"text": "a',
    "two values": b'{"text": "a"}{"text": "b"}',
    "lists 10,000 deep": b"[" * DEEP + b"]" * DEEP,
    "objects 10,000 deep": b'{"metadata":' * DEEP + b"1" + b"}" * DEEP,
    "open brackets": b"[" * 100_000,
    "metadata too deep": b'{"text":"a","metadata":' + b'{"a":' * 32 + b"{}" + b"}" * 33,
    "a lone surrogate": rb'{"text": "\ud800"}',
    "a lone surrogate as a name": rb'{"\udfff": "a"}',
    "surrogates in bytes": b'{"text": "\xed\xa0\x80"}',
    "NUL": b'{"text": "\x00"}',
    "NUL escaped": rb'{"text": "a\u0000"}',
    "NUL in metadata": rb'{"text": "a", "metadata": {"b": ["\u0000"]}}',
    "NUL as a name": rb'{"text": "a", "metadata": {"\u0000": 1}}',
    "binary": bytes(range(256)),
    "latin-1": b'{"text": "\xfc"}',
    "UTF-16": '{"text": "a"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"text": "a"}',
    "NaN": b'{"text": "a", "metadata": {"b": NaN}}',
    "infinity": b'{"text": "a", "metadata": {"b": 1e999}}',
    "a form": b"text=a",
    "blank": b'{"text": "  \\n"}',
    "a number for a text": b'{"text": 1}',
    "an unknown field": b'{"text": "a", "tex": "b"}',
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_body_is_a_problem(
    client: httpx2.AsyncClient, name: str
) -> None:
    response = await client.post(NOTES, content=HOSTILE[name])
    assert response.status_code in {400, 422}
    problem_of(response)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        "application/json; charset=utf-8",
        "application/x-www-form-urlencoded",
    ],
)
async def test_json_is_read_also_where_nobody_named_it(
    client: httpx2.AsyncClient, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = await client.post(NOTES, content=b'{"text": "a"}', headers=headers)
    assert response.status_code == 200
    assert response.json() == {"text": "a", "metadata": {}}


@pytest.mark.parametrize(
    "content_type", ["text/plain", "image/png", "multipart/x", ";"]
)
async def test_another_type_is_not_taken_for_json(
    client: httpx2.AsyncClient, content_type: str
) -> None:
    response = await client.post(
        NOTES, content=b'{"text": "a"}', headers={"Content-Type": content_type}
    )
    assert response.status_code == 422
    problem_of(response)


@pytest.mark.parametrize(
    "text", ["ü", "\U0001f9e0", "a\r\nb", "a\u2028b", "\ufeff", r"\u0000", "'; DROP"]
)
async def test_all_other_text_comes_back_as_it_was(
    client: httpx2.AsyncClient, text: str
) -> None:
    note = {"text": text, "metadata": {text: [text, {"a": text}]}}
    response = await client.post(NOTES, json=note)
    assert (response.status_code, response.json()) == (200, note)


async def test_huge_numbers_are_read_as_floats(client: httpx2.AsyncClient) -> None:
    body = b'{"text": "a", "metadata": {"b": 123456789012345678901234567890}}'
    response = await client.post(NOTES, content=body)
    assert response.json()["metadata"]["b"] == pytest.approx(1.2345678901e29)


async def test_paths_of_any_bytes_are_echoed(client: httpx2.AsyncClient) -> None:
    for path in ("%00", "%ED%A0%80", "%FF", "ü", "a%2Fb", "%F0%9F%A7%A0"):
        response = await client.get(f"/api/small/notes/{path}")
        assert response.status_code in {200, 404}
