"""The service as a process: killed, cut off, and streamed to."""

import asyncio
import json
import math
from collections.abc import AsyncIterator

import aiohttp
import httpx2
import pytest
import pytest_asyncio
from tests.integration.test_memory.replicas import (
    OUTAGE,
    PREFIX,
    READY_S,
    Caller,
    Process,
    SafetyServer,
    process,
)
from tests.support.waiting import until

from memory_service.routes import lines


@pytest_asyncio.fixture
async def running(
    memory_dsn: str, safety_server: SafetyServer
) -> AsyncIterator[Process]:
    async with process(memory_dsn, SAFETY_URL=safety_server.address) as service:
        yield service


async def count(http: httpx2.AsyncClient, agent_id: str) -> int:
    scope = {"agent_id": agent_id}
    answer = await http.get(f"{PREFIX}/stats", params=scope)
    memories: int = answer.json()["memories"]
    return memories


async def test_what_was_acknowledged_survives_a_kill(
    running: Process, memory_dsn: str, safety_server: SafetyServer, agent: str
) -> None:
    acknowledged: list[str] = []

    async def tell(http: httpx2.AsyncClient, teller: int) -> None:
        number = 0
        while True:
            number += 1
            body = {"content": f"note {number} by {teller}", "agent_id": agent}
            answer = await http.post(PREFIX, json=body)
            acknowledged.append(answer.json()["id"])

    async def enough() -> bool:
        return len(acknowledged) >= 40

    async with running.client() as http:
        telling = [asyncio.create_task(tell(http, teller)) for teller in range(4)]
        await until(enough)
        await running.stop(kill=True)
        results = await asyncio.gather(*telling, return_exceptions=True)
    assert all(isinstance(result, httpx2.HTTPError) for result in results)
    async with (
        process(memory_dsn, SAFETY_URL=safety_server.address) as again,
        again.client() as http,
    ):
        for memory_id in acknowledged:
            answer = await http.get(f"{PREFIX}/{memory_id}", params={"agent_id": agent})
            assert answer.status_code == 200
        await Caller(http, agent).until_open()
        body = {"query": "note", "agent_id": agent, "limit": 1000, "mode": "semantic"}
        recalled = await http.post(f"{PREFIX}/recall", json=body)
        assert recalled.status_code == 200, recalled.text
        found = recalled.json()["memories"]
        assert {memory["id"] for memory in found} >= set(acknowledged)
        assert sorted(m["seq"] for m in found) == list(range(1, len(found) + 1))


async def test_an_import_answers_while_it_is_told(running: Process, agent: str) -> None:
    """The second batch is sent only once the first one's progress has come."""
    progressed = asyncio.Event()
    line = json.dumps({"content": "x", "agent_id": agent}).encode() + b"\n"

    async def body() -> AsyncIterator[bytes]:
        yield line * lines.MAX_BATCH_LINES
        await progressed.wait()
        yield line * 3

    told = []
    address = f"http://127.0.0.1:{running.port}{PREFIX}/import"
    # httpx sends all before it reads; aiohttp does both at once.
    async with (
        asyncio.timeout(READY_S),
        aiohttp.ClientSession() as session,
        session.post(address, data=body()) as answer,
    ):
        async for text in answer.content:
            told.append(json.loads(text))
            progressed.set()
    batch = lines.MAX_BATCH_LINES
    assert [one.get("line") for one in told] == [batch, batch + 3, None]
    assert told[-1] == {"imported": batch + 3, "skipped": 0, "failed": 0}


async def test_a_client_that_goes_leaves_whole_batches(
    running: Process, agent: str
) -> None:
    line = json.dumps({"content": "x", "agent_id": agent}).encode() + b"\n"
    head = (
        f"POST {PREFIX}/import HTTP/1.1\r\nHost: localhost\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    ).encode()
    sent = line * (lines.MAX_BATCH_LINES + 40)
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(head + f"{len(sent):x}\r\n".encode() + sent + b"\r\n")
    answer = b""
    while f'"imported":{lines.MAX_BATCH_LINES}'.encode() not in answer:
        answer += await reader.read(1024)
    writer.close()
    await writer.wait_closed()
    async with running.client() as http:
        assert await count(http, agent) == lines.MAX_BATCH_LINES
        # The room that it took is given back.
        for _ in range(5):
            again = await http.post(f"{PREFIX}/import", content=line)
            assert json.loads(again.text.splitlines()[-1])["imported"] == 1


async def test_a_client_that_reads_last_is_served(running: Process, agent: str) -> None:
    """More failures than sockets hold, to a client that first sends all."""
    async with running.client() as http:
        answer = await http.post(f"{PREFIX}/import", content=b"{\n" * 20_000)
    *told, totals = answer.text.splitlines()
    assert json.loads(totals) == {"imported": 0, "skipped": 0, "failed": 20_000}
    assert len(told) == 20_000 + math.ceil(20_000 / lines.MAX_BATCH_LINES)


async def test_without_the_validator_nothing_is_stored(
    memory_dsn: str, running: Process, agent: str
) -> None:
    async with (
        process(memory_dsn, SAFETY_URL="http://127.0.0.1:9") as alone,
        alone.client() as http,
    ):
        body = {"content": "x", "agent_id": agent}
        answer = await http.post(PREFIX, json=body)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert await count(http, agent) == 0
    async with running.client() as http:
        outage = {"content": OUTAGE, "agent_id": agent}
        answer = await http.post(PREFIX, json=outage)
        assert answer.json()["type"].endswith(":safety-unavailable")


@pytest.mark.parametrize("check", ["database", "index", "embedder"])
async def test_it_is_alive_before_it_is_ready(memory_dsn: str, check: str) -> None:
    settings = {"embedder": {"MODEL_DIR": "/nowhere"}}.get(check, {})
    dsn = memory_dsn if check == "embedder" else "postgresql:///none?host=/nowhere"
    service = Process(dsn, settings)
    await service.start()
    try:
        async with service.client() as http:

            async def alive() -> bool:
                try:
                    return (await http.get("/livez")).status_code == 200
                except httpx2.HTTPError:
                    return False

            await until(alive)
            answer = await http.get("/readyz")
            assert answer.status_code == 503
            assert answer.json()["checks"][check] != "ok"
            recalled = await http.post(f"{PREFIX}/recall", json={"query": "x"})
            assert recalled.status_code == 503
    finally:
        await service.stop()


async def test_metrics_have_their_names(running: Process, agent: str) -> None:
    async with running.client() as http:
        await http.post(PREFIX, json={"content": "x", "agent_id": agent})
        body = {"query": "x", "agent_id": agent}
        await http.post(f"{PREFIX}/recall", json=body)
        text = (await http.get("/metrics")).text
    assert 'memory_retrieval_seconds_count{mode="hybrid"} 1.0' in text
    assert 'claude_agi_memory_writes_total{outcome="stored"} 1.0' in text
    assert agent not in text
