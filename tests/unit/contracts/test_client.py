"""The client beneath the typed ones: retries, deadlines, errors of one kind."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from pydantic import BaseModel
from tests.unit.contracts.standin import (
    HANG_UP,
    SILENCE,
    Said,
    StandIn,
    free_port,
    serving,
)

from contracts import call, client
from contracts.client import HttpClient
from contracts.problem import ServiceError

PROBLEM = b'{"type": "urn:claude-agi:problem:full", "title": "Full", "status": 429}'
BUSY = Said(503, b'{"title": "Busy", "status": 503}', {"Retry-After": "3"})
AMPLE_S = 30.0


class Asked(BaseModel):
    text: str = "ü"
    left_out: str | None = None


class Answered(BaseModel):
    value: int


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RETRY_PAUSES_S", (0.0, 0.0, 0.0))


@pytest.fixture(autouse=True)
def no_call_before() -> Iterator[None]:
    """What a call carries on belongs to the test that sets it."""
    yield
    call.request_id.set(None)
    call.traceparent.set(None)
    call.deadline_s.set(None)


@pytest_asyncio.fixture
async def service() -> AsyncIterator[StandIn]:
    async with serving(StandIn()) as standin:
        yield standin


async def send(
    address: str,
    *,
    idempotent: bool = True,
    timeout_s: float = AMPLE_S,
    method: str = "POST",
    body: BaseModel | None = None,
    service_key: str | None = None,
) -> int:
    http = HttpClient("oracle", address, service_key)
    try:
        answer = await http.call(
            method,
            "/ask",
            body,
            Answered,
            timeout_s=timeout_s,
            idempotent=idempotent,
        )
    finally:
        await http.close()
    return answer.value


async def fail(address: str, **options: object) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await send(address, **options)  # type: ignore[arg-type]
    assert caught.value.service == "oracle"
    return caught.value


async def test_a_call_brings_its_body_and_its_key(service: StandIn) -> None:
    assert await send(service.address + "/", body=Asked(), service_key="ours") == 7
    (asked,) = service.asked
    assert (asked.method, asked.path) == ("POST", "/ask")
    assert asked.headers["Authorization"] == "Bearer ours"
    assert asked.headers["Content-Type"] == "application/json"
    assert service.bodies == ['{"text":"ü"}'.encode()]


async def test_a_call_without_body_and_key_sends_neither(service: StandIn) -> None:
    assert await send(service.address, method="GET") == 7
    assert "Authorization" not in service.asked[0].headers
    assert service.bodies == [b""]


async def test_connections_are_kept(service: StandIn) -> None:
    http = HttpClient("oracle", service.address, None)
    for _ in range(3):
        await http.call(
            "GET", "/ask", None, Answered, timeout_s=AMPLE_S, idempotent=True
        )
    await http.close()
    assert len({id(asked.transport) for asked in service.asked}) == 1


async def test_what_the_caller_carries_is_passed_on(service: StandIn) -> None:
    call.request_id.set("call-1")
    call.traceparent.set("00-1-2-01")
    await send(service.address, timeout_s=9.0)
    headers = service.asked[0].headers
    assert headers["X-Request-ID"] == "call-1"
    assert headers["traceparent"] == "00-1-2-01"
    assert 8000 < int(headers["X-Request-Timeout-Ms"]) <= 9000


async def test_without_a_caller_nothing_is_made_up(service: StandIn) -> None:
    await send(service.address)
    headers = service.asked[0].headers
    assert "X-Request-ID" not in headers
    assert "traceparent" not in headers


@pytest.mark.parametrize(("left_s", "own_s"), [(2.0, AMPLE_S), (AMPLE_S, 2.0)])
async def test_the_nearer_deadline_is_passed_on(
    service: StandIn, left_s: float, own_s: float
) -> None:
    call.deadline_s.set(time.monotonic() + left_s)
    await send(service.address, timeout_s=own_s)
    assert 1000 < int(service.asked[0].headers["X-Request-Timeout-Ms"]) <= 2000


async def test_a_repeated_call_says_what_is_left_of_its_time(service: StandIn) -> None:
    late = Said(503, BUSY.body, after_s=0.2)
    service.answers = [late, Said()]
    await send(service.address, timeout_s=9.0)
    first, second = (
        int(asked.headers["X-Request-Timeout-Ms"]) for asked in service.asked
    )
    assert first - second >= 200


@pytest.mark.parametrize("before", [-5.0, 0.0])
async def test_a_deadline_that_passed_asks_nobody(
    service: StandIn, before: float
) -> None:
    call.deadline_s.set(time.monotonic() + before)
    error = await fail(service.address)
    assert (error.problem.status, error.problem.kind) == (504, "deadline-exceeded")
    assert service.asked == []


@pytest.mark.parametrize("own", [True, False])
async def test_silence_ends_at_the_deadline(service: StandIn, own: bool) -> None:
    service.answers = [SILENCE]
    if not own:
        call.deadline_s.set(time.monotonic() + 0.05)
    error = await fail(service.address, timeout_s=0.05 if own else AMPLE_S)
    assert (error.problem.status, error.problem.kind) == (504, "deadline-exceeded")
    assert len(service.asked) == 1


async def test_an_endless_outage_ends_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch, service: StandIn
) -> None:
    monkeypatch.setattr(client, "RETRY_PAUSES_S", (60.0,))
    service.answers = [BUSY]
    error = await fail(service.address, timeout_s=0.1)
    assert error.problem.status == 504


@pytest.mark.parametrize("idempotent", [True, False])
async def test_a_refused_connection_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, idempotent: bool
) -> None:
    monkeypatch.setattr(client, "RETRY_PAUSES_S", (0.01,) * 500)
    port = free_port()
    asking = asyncio.create_task(
        send(f"http://127.0.0.1:{port}", idempotent=idempotent)
    )
    await asyncio.sleep(0.05)
    assert not asking.done()
    async with serving(StandIn(), port) as late:
        assert await asking == 7
        assert len(late.asked) == 1


async def test_who_is_not_there_is_unreachable() -> None:
    error = await fail(f"http://127.0.0.1:{free_port()}")
    assert (error.problem.status, error.problem.kind) == (503, "connection-refused")


@pytest.mark.parametrize("passing", [BUSY, Said(502, b"bad gateway"), HANG_UP])
async def test_an_idempotent_call_outlives_a_restart(
    service: StandIn, passing: Said | str
) -> None:
    service.answers = [passing, passing, passing, Said()]
    assert await send(service.address, body=Asked()) == 7
    assert len(service.asked) == 4
    assert len(set(service.bodies)) == 1


@pytest.mark.parametrize(
    ("passing", "status"), [(BUSY, 503), (Said(502, b""), 502), (HANG_UP, 503)]
)
async def test_any_other_call_is_never_repeated(
    service: StandIn, passing: Said | str, status: int
) -> None:
    service.answers = [passing, Said()]
    error = await fail(service.address, idempotent=False)
    assert error.problem.status == status
    assert len(service.asked) == 1


async def test_tries_come_to_an_end(service: StandIn) -> None:
    service.answers = [BUSY]
    error = await fail(service.address)
    assert len(service.asked) == 1 + len(client.RETRY_PAUSES_S)
    assert (error.problem.title, error.retry_after_s) == ("Busy", 3.0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 504])
async def test_other_errors_are_answers_and_not_repeated(
    service: StandIn, status: int
) -> None:
    service.answers = [Said(status, b'{"title": "No", "status": 999}')]
    error = await fail(service.address)
    assert error.problem.status == status
    assert len(service.asked) == 1


async def test_a_problem_arrives_whole(service: StandIn) -> None:
    body = PROBLEM[:-1] + b', "detail": "256 wait", "queue": {"length": 256}}'
    service.answers = [Said(429, body, {"Retry-After": "12"})]
    error = await fail(service.address)
    assert error.problem.kind == "full"
    assert error.problem.detail == "256 wait"
    assert error.member("queue") == {"length": 256}
    assert error.member("nothing") is None
    assert error.retry_after_s == 12.0
    assert "oracle: 429 Full" in str(error)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("1.5", None),
        ("-1", None),
        ("soon", None),
        ("²", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
async def test_a_pause_is_read_where_it_is_seconds(
    service: StandIn, given: str | None, seconds: float | None
) -> None:
    headers = {} if given is None else {"Retry-After": given}
    service.answers = [Said(429, PROBLEM, headers)]
    assert (await fail(service.address)).retry_after_s == seconds


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff", b'{"a": 1}'])
async def test_an_error_that_is_no_problem_becomes_one(
    service: StandIn, body: bytes
) -> None:
    service.answers = [Said(500, body)]
    error = await fail(service.address)
    assert error.problem.status == 500
    assert error.problem.title == "Internal Server Error"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"value": "x"}',
        b'{"value": 7',
        b"\xff",
        b"[" * 999,
    ],
)
async def test_a_bad_answer_is_an_error_of_the_service(
    service: StandIn, body: bytes
) -> None:
    service.answers = [Said(200, body)]
    error = await fail(service.address)
    assert (error.problem.status, error.problem.kind) == (502, "bad-answer")
    assert len(service.asked) == 1


async def test_answers_are_not_asked_for_in_a_form_that_is_not_read(
    service: StandIn,
) -> None:
    assert await send(service.address) == 7
    assert service.asked[0].headers["Accept-Encoding"] == "identity"
    service.answers = [
        Said(200, gzip.compress(b'{"value": 7}'), {"Content-Encoding": "gzip"})
    ]
    assert (await fail(service.address)).problem.kind == "bad-answer"


async def test_a_cancelled_call_stays_cancelled(service: StandIn) -> None:
    service.answers = [SILENCE]
    asking = asyncio.create_task(send(service.address))
    while not service.asked:
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_client_that_was_never_used_can_be_closed() -> None:
    await HttpClient("oracle", "http://127.0.0.1:1", None).close()
