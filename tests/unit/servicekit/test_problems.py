"""Whatever goes wrong is an `application/problem+json` with the right status."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from tests.unit.servicekit.small_app import (
    client_of,
    errors_logged,
    make_app,
    make_settings,
    problem_of,
)

from servicekit.app import MAX_BODY_BYTES

# Failure → status, kind, Retry-After, WWW-Authenticate.
FAILURES = {
    "invalid": (422, "invalid-request", None, None),
    "unauthorized": (401, "unauthorized", None, "Bearer"),
    "forbidden": (403, "forbidden", None, None),
    "missing": (404, "not-found", None, None),
    "conflict": (409, "conflict", None, None),
    "large": (413, "body-too-large", None, None),
    "overloaded": (429, "overloaded", "1", None),
    "slow": (429, "overloaded", "3", None),
    "unavailable": (503, "unavailable", "1", None),
    "database": (503, "database-unavailable", "1", None),
    "late": (504, "deadline-exceeded", "1", None),
    "unprintable": (500, "internal", None, None),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_each_error_keeps_its_status_and_its_headers(
    client: httpx2.AsyncClient, name: str
) -> None:
    status, kind, retry_after, authenticate = FAILURES[name]
    with errors_logged() as lines:
        response = await client.get(f"/api/small/failures/{name}")
    assert response.status_code == status
    assert problem_of(response)["type"] == f"urn:claude-agi:problem:{kind}"
    assert response.headers.get("retry-after") == retry_after
    assert response.headers.get("www-authenticate") == authenticate
    assert len(lines) == (status == 500)


async def test_an_error_says_its_own_members(client: httpx2.AsyncClient) -> None:
    problem = problem_of(await client.get("/api/small/failures/invalid"))
    assert problem["title"] == "The request is not valid."
    assert problem["detail"] == "no"
    assert problem["hint"] == "yes"


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/", 404, "not-found"),
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/api/small/notes/a/b", 404, "not-found"),
        ("DELETE", "/api/small/notes", 405, "method-not-allowed"),
        ("POST", "/livez", 405, "method-not-allowed"),
        ("BREW", "/api/small/notes", 405, "method-not-allowed"),
    ],
)
async def test_the_framework_s_errors_are_problems(
    client: httpx2.AsyncClient, method: str, path: str, status: int, kind: str
) -> None:
    response = await client.request(method, path)
    assert response.status_code == status
    assert problem_of(response)["type"].endswith(f":{kind}")


async def test_a_wrong_method_hears_the_right_ones(client: httpx2.AsyncClient) -> None:
    assert (await client.put("/api/small/notes")).headers["allow"] == "POST"


async def test_what_is_invalid_is_named_and_not_repeated(
    client: httpx2.AsyncClient,
) -> None:
    body = {"text": 7, "unknown": "a secret value"}
    response = await client.post("/api/small/notes", json=body)
    problem = problem_of(response)
    assert response.status_code == 422
    assert problem["detail"].startswith("body.text: ")
    assert [error["loc"] for error in problem["errors"]] == [
        ["body", "text"],
        ["body", "unknown"],
    ]
    assert {key for error in problem["errors"] for key in error} == {
        "loc",
        "msg",
        "type",
    }
    assert "secret" not in response.text


async def test_a_thousand_errors_are_cut_short(client: httpx2.AsyncClient) -> None:
    body = {f"unknown-{number}": 1 for number in range(1000)}
    problem = problem_of(await client.post("/api/small/notes", json=body))
    assert len(problem["errors"]) == 20


@pytest.mark.parametrize("path", ["/api/small/notes", "/api/small/raw"])
@pytest.mark.parametrize("measured", [True, False])
async def test_a_body_over_the_limit_is_refused(
    client: httpx2.AsyncClient, path: str, measured: bool
) -> None:
    over = b'{"text": "' + b"a" * MAX_BODY_BYTES + b'"}'
    response = await client.post(path, content=_sent(over, measured))
    assert response.status_code == 413
    assert problem_of(response)["type"].endswith(":body-too-large")


@pytest.mark.parametrize("measured", [True, False])
async def test_a_body_at_the_limit_is_read(
    client: httpx2.AsyncClient, measured: bool
) -> None:
    response = await client.post(
        "/api/small/raw", content=_sent(b"a" * MAX_BODY_BYTES, measured)
    )
    assert response.json() == MAX_BODY_BYTES


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize(
    ("path", "limit_bytes"),
    [("/api/small/raw/short", 10), ("/api/small/raw/long", 2 * MAX_BODY_BYTES)],
)
async def test_a_route_may_have_a_limit_of_its_own(
    client: httpx2.AsyncClient, path: str, limit_bytes: int, measured: bool
) -> None:
    at, over = (_sent(b"a" * size, measured) for size in (limit_bytes, limit_bytes + 1))
    assert (await client.post(path, content=at)).json() == limit_bytes
    refused = await client.post(path, content=over)
    assert refused.status_code == 413
    problem_of(refused)


async def test_a_stranger_is_not_told_the_limit() -> None:
    settings = make_settings(api_keys=[{"key": "k", "scopes": ["read"]}])
    async with client_of(make_app(settings)) as client:
        over = b"a" * (MAX_BODY_BYTES + 1)
        response = await client.post("/api/small/notes", content=over)
    assert response.status_code == 401
    problem_of(response)


def _sent(body: bytes, measured: bool) -> bytes | AsyncIterator[bytes]:
    """The body with its length in the head, or in parts without."""

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    return body if measured else parts()


def test_the_document_knows_problems() -> None:
    document = make_app().openapi()
    responses = document["paths"]["/api/small/notes"]["post"]["responses"]
    for status in ("401", "422", "503"):
        schema = responses[status]["content"]["application/problem+json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Problem"}
    assert "status" in document["components"]["schemas"]["Problem"]["properties"]
