"""The live feed: every thought once, in order, also after a cut."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx2
import psutil
import pytest
from tests.support.listening import Heard, listening, new_agent, take, think
from tests.support.mind import Mind

LISTENERS = 1000
WAIT_S = 30.0


def seqs(heard: list[Heard]) -> list[int]:
    return [event.data["seq"] for event in heard]


def _ids(recalled: Any) -> list[str]:
    return [memory["memory_id"] for memory in recalled]


async def test_thoughts_are_told_as_they_are_committed(
    quiet_mind: Mind, api: httpx2.AsyncClient
) -> None:
    agent = await new_agent(api)
    await think(api, agent, "before anyone listens")
    async with listening(quiet_mind.address, agent) as events:
        await think(api, agent, "one", "two")
        heard = await take(events, 2)
    assert seqs(heard) == [2, 3]
    assert {event.name for event in heard} == {"thought"}
    told = heard[0].data
    kept = (await api.get(f"/api/thought/{told['id']}")).json()
    # What memories say is told, not kept.
    assert _ids(kept.pop("recalled")) == _ids(told.pop("recalled"))
    assert {name: kept[name] for name in told} == told


async def test_a_cut_feed_resumes_without_loss_or_repeat(
    quiet_mind: Mind, api: httpx2.AsyncClient
) -> None:
    agent = await new_agent(api)
    async with listening(quiet_mind.address, agent) as events:
        await think(api, agent, "one", "two")
        heard = await take(events, 2)
    await think(api, agent, "three", "four")
    async with listening(quiet_mind.address, agent, after=heard[-1].id) as events:
        await think(api, agent, "five")
        heard += await take(events, 3)
    assert seqs(heard) == [1, 2, 3, 4, 5]
    assert len({event.id for event in heard}) == 5


@pytest.mark.parametrize("after", [None, "", 3, 10**17])
async def test_without_an_id_or_with_one_to_come_it_begins_now(
    quiet_mind: Mind, api: httpx2.AsyncClient, after: str | int | None
) -> None:
    agent = await new_agent(api)
    await think(api, agent, "one", "two")
    async with listening(quiet_mind.address, agent, after) as events:
        await think(api, agent, "three", "four")
        assert seqs(await take(events, 2)) == [3, 4]


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "1 2", "9" * 19])
async def test_a_malformed_id_is_refused(
    quiet_mind: Mind, api: httpx2.AsyncClient, after: str
) -> None:
    answer = await api.get("/api/thought/live", headers={"Last-Event-ID": after})
    assert answer.status_code == 422
    assert answer.json()["type"].startswith("urn:claude-agi:problem:")


async def test_an_unknown_agent_has_no_feed(api: httpx2.AsyncClient) -> None:
    assert (await api.get("/api/thought/live?agent_id=nobody")).status_code == 404


async def test_one_stream_can_be_chosen(
    quiet_mind: Mind, api: httpx2.AsyncClient
) -> None:
    agent = await new_agent(api)
    async with listening(quiet_mind.address, agent, stream="creative") as events:
        await think(api, agent, "one")
        await think(api, agent, "two", stream="creative")
        (heard,) = await take(events, 1)
    assert heard.data["stream"] == "creative"


async def test_another_agents_thoughts_are_not_heard(
    quiet_mind: Mind, api: httpx2.AsyncClient
) -> None:
    mine, other = await new_agent(api), await new_agent(api)
    async with listening(quiet_mind.address, mine) as events:
        await think(api, other, "not for me")
        await think(api, mine, "for me")
        (heard,) = await take(events, 1)
    assert heard.data["agent_id"] == mine


async def test_the_feed_of_a_removed_agent_ends_with_a_reason(
    quiet_mind: Mind, api: httpx2.AsyncClient
) -> None:
    agent = await new_agent(api)
    async with listening(quiet_mind.address, agent) as events:
        (await api.delete(f"/api/thought/agents/{agent}")).raise_for_status()
        assert await _rest(events) == [Heard(0, "end", {"reason": "removed"})]


async def test_who_resumes_after_an_agent_was_removed_hears_all_of_its_namesake(
    quiet_mind: Mind, api: httpx2.AsyncClient
) -> None:
    agent = await new_agent(api)
    url = f"/api/thought/agents/{agent}"
    async with listening(quiet_mind.address, agent) as events:
        await think(api, agent, "one", "two", "three")
        heard = await take(events, 3)
        (await api.delete(url)).raise_for_status()
        heard += await _rest(events)
    (await api.put(url, json={})).raise_for_status()
    # More than its former life had, so that the ids of both are places in this one.
    await think(api, agent, *(f"anew {n}" for n in range(4)))
    last = [event.id for event in heard if event.id is not None][-1]
    async with listening(quiet_mind.address, agent, after=last) as events:
        await think(api, agent, "the last")
        anew = await take(events, 5)
    assert seqs(anew) == [event.id for event in anew] == [1, 2, 3, 4, 5]


async def test_who_resumes_after_a_database_was_restored_hears_what_comes(
    quiet_mind: Mind, api: httpx2.AsyncClient
) -> None:
    agent = await new_agent(api)
    async with listening(quiet_mind.address, agent) as events:
        await think(api, agent, "one", "two", "three")
        heard = await take(events, 3)
        await _set_back(quiet_mind, agent, 1)
        (end,) = await _rest(events)
    assert end == Heard(None, "end", {"reason": "restored"})
    async with listening(quiet_mind.address, agent, after=heard[-1].id) as events:
        await think(api, agent, "another")
        assert seqs(await take(events, 1)) == [2]


async def _set_back(mind: Mind, agent: str, position: int) -> None:
    """As a dump from before does."""
    told = psutil.Process(mind.pid_of("thought-generator")).environ()
    connection = await asyncpg.connect(told["DATABASE_URL"])
    async with connection.transaction():
        for change in (
            "UPDATE agents SET position = $2 WHERE agent_id = $1",
            "UPDATE streams SET last_seq = $2 WHERE agent_id = $1",
            "DELETE FROM thoughts WHERE agent_id = $1 AND position > $2",
        ):
            await connection.execute(change, agent, position)
    await connection.close()


async def _rest(events: AsyncIterator[Heard]) -> list[Heard]:
    async with asyncio.timeout(WAIT_S):
        return [event async for event in events]


async def test_a_listener_that_never_reads_does_not_hinder_the_others(
    quiet_mind: Mind, api: httpx2.AsyncClient
) -> None:
    agent = await new_agent(api)
    reader, writer = await asyncio.open_connection("127.0.0.1", quiet_mind.port)
    path = f"/api/thought/live?agent_id={agent}"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    await writer.drain()
    async with listening(quiet_mind.address, agent) as events:
        await think(api, agent, *(f"context {n}" for n in range(30)))
        assert len(await take(events, 30)) == 30
    writer.close()
    assert reader is not None


async def test_a_thousand_listen_through_the_one_address(
    quiet_mind: Mind, api: httpx2.AsyncClient
) -> None:
    agent = await new_agent(api)
    request = (
        f"GET /api/thought/live?agent_id={agent} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    ).encode()
    opened: list[asyncio.StreamWriter] = []

    async def listen(ready: asyncio.Barrier) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", quiet_mind.port)
        opened.append(writer)
        writer.write(request)
        await reader.readuntil(b": listening")
        await ready.wait()
        return await reader.readuntil(b"\nevent: thought\n")

    ready = asyncio.Barrier(LISTENERS + 1)
    try:
        async with asyncio.timeout(WAIT_S):
            hearing = [asyncio.create_task(listen(ready)) for _ in range(LISTENERS)]
            await ready.wait()
            await think(api, agent, "for all")
            heard = await asyncio.gather(*hearing)
    finally:
        for writer in opened:
            writer.close()
    assert all(each.endswith(b"id: 1\nevent: thought\n") for each in heard)
