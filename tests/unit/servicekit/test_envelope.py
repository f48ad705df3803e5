"""Around every request: its id, its deadline, its limits, its time."""

import asyncio
from uuid import UUID

import httpx2
import pytest
from tests.unit.servicekit.small_app import (
    HERE,
    client_of,
    errors_logged,
    make_app,
    problem_of,
)

from servicekit import envelope
from servicekit.errors import AppError

CALL = "/api/small/call"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("given", ["a", "0198c5f2-77aa-7000", "A.b_c:d-e", "x" * 128])
async def test_a_request_id_is_taken_and_returned(
    client: httpx2.AsyncClient, given: str
) -> None:
    response = await client.get(CALL, headers={"X-Request-ID": given})
    assert response.headers.get_list("x-request-id") == [given]
    assert response.json()["request_id"] == given


@pytest.mark.parametrize(
    "given", [None, "", "x" * 129, "a b", "a\tb", "a/b", 'a"b', "ü", "{}", "a\x00"]
)
async def test_a_missing_or_malformed_request_id_is_replaced(
    client: httpx2.AsyncClient, given: str | None
) -> None:
    headers = {} if given is None else {b"X-Request-ID": given.encode()}
    response = await client.get(CALL, headers=headers)
    made = response.headers["x-request-id"]
    assert UUID(made).version == 7
    assert response.json()["request_id"] == made


@pytest.mark.parametrize(
    ("given", "passed_on"),
    [(TRACE, TRACE), ("x" * 129, None), ("a b", None), ("ü", None), ("", None)],
)
async def test_a_trace_is_passed_on_where_it_can_be_one(
    client: httpx2.AsyncClient, given: str, passed_on: str | None
) -> None:
    headers = {b"traceparent": given.encode()}
    response = await client.get(CALL, headers=headers)
    assert response.json()["traceparent"] == passed_on


async def test_one_call_says_nothing_of_the_one_before(
    client: httpx2.AsyncClient,
) -> None:
    own = {"X-Request-ID": "a", "traceparent": TRACE, "X-Request-Timeout-Ms": "9000"}
    assert (await client.get(CALL, headers=own)).json()["remaining_s"] <= 9.0
    after = (await client.get(CALL)).json()
    assert after["request_id"] != "a"
    assert after["traceparent"] is None
    assert after["remaining_s"] == 60.0


@pytest.mark.parametrize("timeout_ms", ["0", "1", "30"])
async def test_a_deadline_that_passes_is_a_problem(
    client: httpx2.AsyncClient, timeout_ms: str
) -> None:
    response = await client.get(
        "/api/small/wait", headers={"X-Request-Timeout-Ms": timeout_ms}
    )
    assert response.status_code == 504
    assert problem_of(response)["type"].endswith(":deadline-exceeded")
    assert response.headers["retry-after"] == "1"


@pytest.mark.parametrize("given", ["", "soon", "-1", "1.5", "9" * 5000, "²", "1e3"])
async def test_a_deadline_that_is_none_is_ignored(
    client: httpx2.AsyncClient, given: str
) -> None:
    response = await client.get(CALL, headers={b"X-Request-Timeout-Ms": given.encode()})
    assert response.json()["remaining_s"] == 60.0


async def test_an_unexpected_error_is_logged_once_and_keeps_its_inside(
    client: httpx2.AsyncClient,
) -> None:
    with errors_logged() as lines:
        response = await client.get("/api/small/failures/unexpected")
    assert response.status_code == 500
    assert problem_of(response)["type"].endswith(":internal")
    for inside in ("secret", "ZeroDivision", "Traceback", ".py"):
        assert inside not in response.text
    (line,) = lines
    assert line["exc_info"]
    assert line["path"] == "/api/small/failures/unexpected"


async def test_an_answer_that_has_begun_is_broken_off(
    client: httpx2.AsyncClient,
) -> None:
    with errors_logged() as lines, pytest.raises(AppError):
        await client.get("/api/small/breaks-off")
    assert len(lines) == 1


async def test_a_process_at_its_limit_answers_probes_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(envelope, "MAX_IN_FLIGHT", 1)
    async with client_of(make_app()) as client:
        waiting = asyncio.create_task(client.get("/api/small/wait"))
        await asyncio.sleep(0)
        while (response := await client.get(CALL)).status_code == 200:
            pass
        assert response.status_code == 503
        assert problem_of(response)["detail"].startswith("this process is at its limit")
        assert response.headers["retry-after"] == "1"
        for path in ("/livez", "/readyz", "/metrics"):
            assert (await client.get(path)).status_code == 200
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert (await client.get(CALL)).status_code == 200


@pytest.mark.parametrize(
    ("path", "one_in", "closes"),
    [
        ("/livez", 1, True),
        (CALL, 1, True),
        (CALL, 10**9, False),
        ("/api/small/failures/large", 1, False),
        ("/no", 1, False),
    ],
)
async def test_now_and_then_a_caller_is_asked_to_connect_anew(
    client: httpx2.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    one_in: int,
    closes: bool,
) -> None:
    monkeypatch.setattr(envelope, "CLOSE_ONE_IN", one_in)
    response = await client.get(path)
    assert (response.headers.get("connection") == "close") == closes


async def test_every_path_is_answered_with_an_id() -> None:
    async with client_of(make_app(), HERE) as client:
        for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/no"):
            assert (await client.get(path)).headers["x-request-id"]
