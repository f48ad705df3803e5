"""The live feed: every thought once, in order, also after a cut."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx2
from tests.support.mind import Mind

Event = tuple[int, dict[str, object]]


@asynccontextmanager
async def listening(
    mind: Mind, agent: str, after: int | None = None, **query: str
) -> AsyncIterator[AsyncIterator[Event]]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    params = {"agent_id": agent, **query}
    async with (
        mind.client() as client,
        client.stream(
            "GET", "/api/thought/live", params=params, headers=headers
        ) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        assert (await anext(lines)).startswith(":")
        yield _events(lines)


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[Event]:
    event_id = 0
    async for line in lines:
        if line.startswith("id: "):
            event_id = int(line[4:])
        elif line.startswith("data: "):
            yield event_id, json.loads(line[6:])


async def take(events: AsyncIterator[Event], count: int) -> list[Event]:
    async with asyncio.timeout(10):
        return [await anext(events) for _ in range(count)]


async def think(
    api: httpx2.AsyncClient, agent: str, *contexts: str, **more: str
) -> None:
    for context in contexts:
        body = {"agent_id": agent, "context": context, **more}
        (await api.post("/api/thought/generate", json=body)).raise_for_status()


async def new_agent(api: httpx2.AsyncClient) -> str:
    agent = f"live-{uuid4().hex[:8]}"
    (await api.put(f"/api/thought/agents/{agent}", json={})).raise_for_status()
    return agent


async def test_thoughts_are_told_as_they_are_committed(
    quiet_mind: Mind, api: httpx2.AsyncClient
) -> None:
    agent = await new_agent(api)
    await think(api, agent, "before anyone listens")
    async with listening(quiet_mind, agent) as events:
        await think(api, agent, "one", "two")
        heard = await take(events, 2)
    assert [thought["seq"] for _, thought in heard] == [2, 3]
    one = await api.get(f"/api/thought/{heard[0][1]['id']}")
    assert one.json() == heard[0][1]


async def test_a_cut_feed_resumes_without_loss_or_repeat(
    quiet_mind: Mind, api: httpx2.AsyncClient
) -> None:
    agent = await new_agent(api)
    async with listening(quiet_mind, agent) as events:
        await think(api, agent, "one", "two")
        heard = await take(events, 2)
    await think(api, agent, "three", "four")
    async with listening(quiet_mind, agent, after=heard[-1][0]) as events:
        await think(api, agent, "five")
        heard += await take(events, 3)
    assert [thought["seq"] for _, thought in heard] == [1, 2, 3, 4, 5]
    assert len({event_id for event_id, _ in heard}) == 5


async def test_one_stream_can_be_chosen(
    quiet_mind: Mind, api: httpx2.AsyncClient
) -> None:
    agent = await new_agent(api)
    async with listening(quiet_mind, agent, stream="creative") as events:
        await think(api, agent, "one")
        await think(api, agent, "two", stream="creative")
        (heard,) = await take(events, 1)
    assert heard[1]["stream"] == "creative"


async def test_another_agents_thoughts_are_not_heard(
    quiet_mind: Mind, api: httpx2.AsyncClient
) -> None:
    mine, other = await new_agent(api), await new_agent(api)
    async with listening(quiet_mind, mine) as events:
        await think(api, other, "not for me")
        await think(api, mine, "for me")
        (heard,) = await take(events, 1)
    assert heard[1]["agent_id"] == mine


async def test_an_unknown_agent_and_a_bad_position(api: httpx2.AsyncClient) -> None:
    assert (await api.get("/api/thought/live?agent_id=nobody")).status_code == 404
    bad = await api.get("/api/thought/live", headers={"Last-Event-ID": "x"})
    assert bad.status_code == 422


async def test_a_listener_that_never_reads_does_not_hinder_the_others(
    quiet_mind: Mind, api: httpx2.AsyncClient
) -> None:
    agent = await new_agent(api)
    reader, writer = await asyncio.open_connection("127.0.0.1", quiet_mind.port)
    path = f"/api/thought/live?agent_id={agent}"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    await writer.drain()
    async with listening(quiet_mind, agent) as events:
        await think(api, agent, *(f"context {n}" for n in range(30)))
        assert len(await take(events, 30)) == 30
    writer.close()
    assert reader is not None
