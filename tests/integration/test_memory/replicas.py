"""Replicas of memory-service: in this process, or as processes of their own."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from aiohttp import web
from fastapi import FastAPI
from tests.support.process import ServiceProcess
from tests.support.waiting import until

from contracts.fakes import FakeSafety
from contracts.problem import ServiceError
from contracts.safety import (
    ValidateBatchRequest,
    ValidateRequest,
    Verdict,
    VerdictName,
)
from memory_service.context import Context
from memory_service.main import make_app
from memory_service.settings import Settings

PROGRAM = Path(sys.executable).parent / "memory-service"
SERVICE_KEY = "service-key-of-the-test"
BLOCKED = "unspeakable"
OUTAGE = "while the validator is out"
SECRET = "sk-open-sesame"
SUBTLE = "between the lines"
READY_S = 30.0
PREFIX = "/api/memory"

Fields = dict[str, Any]


class Safety(FakeSafety):
    """Blocks what is unspeakable, redacts a secret; is out where a text says so.

    What is subtle its patterns do not see.
    """

    def __init__(self) -> None:
        super().__init__(lambda text: BLOCKED in text, lambda text: OUTAGE in text)

    async def validate(self, request: ValidateRequest) -> Verdict:
        if SUBTLE in request.content and request.depth == "patterns":
            plain = request.model_copy(update={"content": "a plain text"})
            return await super().validate(plain)
        verdict = await super().validate(request)
        if SECRET not in request.content:
            return verdict
        redacted = request.content.replace(SECRET, "[redacted]")
        changes = {"verdict": VerdictName.REDACT, "redacted_content": redacted}
        return verdict.model_copy(update=changes)


class Caller:
    """The calls of one client, with the answers checked and parsed."""

    def __init__(self, http: httpx2.AsyncClient, agent_id: str) -> None:
        self.http = http
        self.agent_id = agent_id

    async def tell(self, content: str, **fields: Any) -> Fields:
        """Keeps one memory."""
        body = {"content": content, "agent_id": self.agent_id} | fields
        return _parsed(await self.http.post(PREFIX, json=body), 200, 201)

    async def tell_all(self, contents: list[str], **fields: Any) -> list[Fields]:
        """Keeps memories by one call."""
        common = {"agent_id": self.agent_id} | fields
        body = {"memories": [{"content": content} | common for content in contents]}
        answer = _parsed(await self.http.post(f"{PREFIX}/batch", json=body), 200)
        results: list[Fields] = answer["results"]
        return results

    async def recall(self, query: str, min_seq: int = 0, **fields: Any) -> list[Fields]:
        """The memories that answer best."""
        body = {"query": query, "agent_id": self.agent_id} | fields
        headers = {"X-Min-Seq": str(min_seq)}
        found = await self.http.post(f"{PREFIX}/recall", json=body, headers=headers)
        memories: list[Fields] = _parsed(found, 200)["memories"]
        return memories

    async def until_open(self) -> None:
        """Waits for the index: until it is loaded, which may take a busy machine
        longer than a caller waits, recall answers `not-ready`."""

        async def recalls() -> bool:
            body = {"query": "x", "agent_id": self.agent_id, "mode": "semantic"}
            found = await self.http.post(f"{PREFIX}/recall", json=body)
            if found.status_code == 200:
                return True
            assert _parsed(found, 503)["type"].endswith(":not-ready")
            return False

        await until(recalls, within_s=60)

    async def recall_texts(self, query: str, **fields: Any) -> list[str]:
        """Their contents, best first."""
        return [memory["content"] for memory in await self.recall(query, **fields)]

    async def recent(self, min_seq: int = 0, **parameters: Any) -> Fields:
        """A page of the newest."""
        return _parsed(
            await self.http.get(
                f"{PREFIX}/recent",
                params={"agent_id": self.agent_id} | parameters,
                headers={"X-Min-Seq": str(min_seq)},
            ),
            200,
        )

    async def get(self, memory_id: str) -> httpx2.Response:
        """One memory, or why not."""
        return await self.http.get(f"{PREFIX}/{memory_id}", params=self._scope)

    async def change(self, memory_id: str, **fields: Any) -> httpx2.Response:
        """Changes one."""
        return await self.http.patch(
            f"{PREFIX}/{memory_id}", params=self._scope, json=fields
        )

    async def delete(self, memory_id: str) -> httpx2.Response:
        """Deletes one."""
        return await self.http.delete(f"{PREFIX}/{memory_id}", params=self._scope)

    async def history(self, memory_id: str, **parameters: Any) -> Fields:
        """A page of its changes."""
        answer = await self.http.get(
            f"{PREFIX}/{memory_id}/history", params=self._scope | parameters
        )
        return _parsed(answer, 200)

    async def forget(self, **fields: Any) -> Fields:
        """Forgets a value, or what filters find."""
        body = {"agent_id": self.agent_id} | fields
        return _parsed(await self.http.post(f"{PREFIX}/forget", json=body), 200)

    async def tombstones(self, **parameters: Any) -> Fields:
        """A page of what does not come back."""
        answer = await self.http.get(
            f"{PREFIX}/tombstones", params=self._scope | parameters
        )
        return _parsed(answer, 200)

    async def refused(self, content: str, **fields: Any) -> str:
        """Writes what is refused with 409; the type of the problem."""
        body = {"content": content, "agent_id": self.agent_id} | fields
        answer = await self.http.post(PREFIX, json=body)
        problem: str = _parsed(answer, 409)["type"]
        return problem.rpartition(":")[2]

    async def stats(self) -> Fields:
        """Counts."""
        answer = await self.http.get(f"{PREFIX}/stats", params=self._scope)
        return _parsed(answer, 200)

    async def take_in(
        self, lines: list[Fields | str], *, judged: bool = True, **parameters: str
    ) -> tuple[Fields, list[Fields]]:
        """The totals of an import, and the lines of its answer before them; once what
        was imported is `judged` as a whole, and so recalled."""
        body = "\n".join(
            line if isinstance(line, str) else json.dumps(line) for line in lines
        )
        answer = await self.http.post(
            f"{PREFIX}/import", params=self._scope | parameters, content=body
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/x-ndjson"
        *told, totals = [json.loads(line) for line in answer.text.splitlines()]
        if judged:
            await until(self.all_judged)
        return totals, told

    async def all_judged(self) -> bool:
        """Whether nothing waits for its whole verdict."""
        waiting: int = (await self.stats())["unjudged"]
        return waiting == 0

    async def export(self, *, embeddings: bool = False) -> list[Fields]:
        """All memories as an export writes them."""
        answer = await self.http.get(
            f"{PREFIX}/export",
            params=self._scope | {"embeddings": str(embeddings).lower()},
        )
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    @property
    def _scope(self) -> dict[str, str]:
        return {"agent_id": self.agent_id}


def _parsed(answer: httpx2.Response, *statuses: int) -> Fields:
    assert answer.status_code in statuses, answer.text
    parsed: Fields = answer.json()
    return parsed


@dataclass
class Replica:
    """A service in this process."""

    app: FastAPI
    http: httpx2.AsyncClient
    safety: FakeSafety

    @property
    def context(self) -> Context:
        """What it holds."""
        context: Context = self.app.state.context
        return context

    def caller(self, agent_id: str) -> Caller:
        """A client that speaks for one agent."""
        return Caller(self.http, agent_id)


def make_settings(dsn: str, **settings: Any) -> Settings:
    """Settings that owe nothing to the environment."""
    return Settings.model_validate(
        {"database_url": dsn, "service_key": SERVICE_KEY} | settings
    )


@asynccontextmanager
async def replica(dsn: str, **settings: Any) -> AsyncIterator[Replica]:
    """A service that is ready."""
    safety = Safety()
    app = make_app(make_settings(dsn, **settings), safety)
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=transport, base_url="http://localhost", timeout=READY_S
        ) as http,
    ):
        await until_ready(http)
        yield Replica(app, http, safety)


async def until_ready(http: httpx2.AsyncClient) -> None:
    """Waits until `/readyz` says yes."""
    async with asyncio.timeout(READY_S):
        while True:
            with suppress(httpx2.HTTPError):
                if (await http.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.02)


class SafetyServer:
    """The fake validator over HTTP, for services that are processes."""

    def __init__(self) -> None:
        self._safety = Safety()
        self._runner = web.AppRunner(self._app())
        self.address = ""

    async def start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.address = f"http://{host}:{port}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/api/safety/validate", self._validate)
        app.router.add_post("/api/safety/validate/batch", self._validate_batch)
        return app

    async def _validate(self, request: web.Request) -> web.Response:
        asked = ValidateRequest.model_validate_json(await request.read())
        try:
            verdict = await self._safety.validate(asked)
        except ServiceError as error:
            return web.Response(status=error.problem.status)
        return _json(verdict.model_dump_json())

    async def _validate_batch(self, request: web.Request) -> web.Response:
        asked = ValidateBatchRequest.model_validate_json(await request.read())
        try:
            verdicts = await self._safety.validate_batch(asked)
        except ServiceError as error:
            return web.Response(status=error.problem.status)
        texts = ",".join(verdict.model_dump_json() for verdict in verdicts)
        return _json(f'{{"results": [{texts}]}}')


def _json(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")


class Process(ServiceProcess):
    """A service as a process."""

    def __init__(self, dsn: str, settings: Mapping[str, str]) -> None:
        super().__init__(PROGRAM, dsn, settings)

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}", timeout=READY_S
        )


@asynccontextmanager
async def process(dsn: str, **settings: str) -> AsyncIterator[Process]:
    """A process that is ready."""
    service = Process(dsn, settings)
    await service.start()
    try:
        async with service.client() as http:
            await until_ready(http)
        yield service
    finally:
        await service.stop()


async def migrate(dsn: str) -> None:
    """Brings a database up to date by the service's own command."""
    await Process(dsn, {}).migrate()
