"""A small service: calls that echo, fail, wait and break off."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Annotated, Any

import httpx2
from fastapi import FastAPI, Header, Request
from fastapi.responses import StreamingResponse
from pydantic import Field
from structlog.testing import capture_logs
from structlog.typing import EventDict

from contracts.base import AgentId, Contract, Metadata, Text
from contracts.call import remaining_s, request_id, traceparent
from servicekit import errors
from servicekit.app import MAX_BODY_BYTES, api_router, create_app
from servicekit.auth import Caller, caller_with
from servicekit.health import Check
from servicekit.settings import ServiceSettings

HERE = "http://127.0.0.1"

router = api_router("/api/small", "small")


class Note(Contract):
    """What is echoed."""

    text: Annotated[Text, Field(max_length=1000)]
    metadata: Metadata = Field(default_factory=dict)


class Slow(errors.Overloaded):
    """A queue is full."""

    retry_after_s = 2.3


FAILURES: Mapping[str, BaseException] = {
    "invalid": errors.InvalidRequest("no", hint="yes"),
    "unauthorized": errors.Unauthorized("who?"),
    "forbidden": errors.Forbidden("no"),
    "missing": errors.NotFound("nothing"),
    "conflict": errors.Conflict("twice"),
    "large": errors.BodyTooLarge("big"),
    "overloaded": errors.Overloaded("full"),
    "slow": Slow("full"),
    "unavailable": errors.Unavailable("away"),
    "database": errors.DatabaseUnavailable("away"),
    "late": errors.DeadlineExceeded("late"),
    "unexpected": ZeroDivisionError("a secret of the inside"),
    "unprintable": ValueError("a lone \ud800"),
}


@router.post("/notes")
async def echo(note: Note) -> Note:
    return note


@router.get("/notes/{note_id}")
async def show(note_id: str) -> dict[str, str]:
    return {"id": note_id}


@router.post("/raw/short", max_body_size=10)
@router.post("/raw/long", max_body_size=2 * MAX_BODY_BYTES)
@router.post("/raw")
async def measure(request: Request) -> int:
    return sum([len(part) async for part in request.stream()])


@router.get("/failures/{name}")
async def fail(name: str) -> None:
    raise FAILURES[name]


@router.get("/wait")
async def wait() -> None:
    await asyncio.Event().wait()


@router.get("/count")
async def count() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        for number in itertools.count():
            yield b"%d\n" % number
            await asyncio.sleep(0.01)

    return StreamingResponse(parts())


@router.get("/breaks-off")
async def break_off() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"begun"
        raise ZeroDivisionError

    return StreamingResponse(parts())


@router.get("/call")
async def call(
    host: Annotated[str, Header()],
) -> dict[str, Any]:
    return {
        "host": host,
        "request_id": request_id.get(),
        "traceparent": traceparent.get(),
        "remaining_s": remaining_s(60.0),
    }


@router.get("/who/{scope}")
async def who(
    reader: Annotated[Caller, caller_with("read")], scope: str
) -> dict[str, Any]:
    reader.check_scope(scope)
    return {
        "name": reader.name,
        "internal": reader.internal,
        "agents": sorted(reader.agents),
    }


@router.post("/agents/{agent_id}")
async def write_to(
    agent_id: AgentId, writer: Annotated[Caller, caller_with("write")]
) -> str:
    writer.check_agent(agent_id)
    return agent_id


def make_settings(**values: Any) -> ServiceSettings:
    """Settings of a process without keys, whatever the environment says."""
    defaults: dict[str, Any] = {
        "database_url": "postgresql://",
        "host": "127.0.0.1",
        "api_keys": [],
        "api_keys_file": None,
        "service_key": None,
    }
    return ServiceSettings(**{**defaults, **values})


@contextlib.asynccontextmanager
async def nothing_to_open(_: FastAPI) -> AsyncIterator[None]:
    yield


def make_app(
    settings: ServiceSettings | None = None, checks: Mapping[str, Check] | None = None
) -> FastAPI:
    return create_app(
        title="small",
        version="1",
        settings=settings or make_settings(),
        routers=[router],
        lifespan=nothing_to_open,
        checks=checks or {},
    )


def client_of(app: FastAPI, base_url: str = HERE) -> httpx2.AsyncClient:
    """A client in this process; what escapes the application fails the test."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=base_url)


def problem_of(response: httpx2.Response) -> dict[str, Any]:
    """The body, which must be a whole problem of this very answer."""
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"].startswith("urn:claude-agi:problem:")
    assert problem["title"]
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem


@contextlib.contextmanager
def errors_logged() -> Iterator[list[EventDict]]:
    """Collects what is logged as an error; complete at the end of the block."""
    errors_so_far: list[EventDict] = []
    with capture_logs() as lines:
        yield errors_so_far
    errors_so_far += [line for line in lines if line["log_level"] == "error"]
