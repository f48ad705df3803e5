"""Agents as people make, change, stop and remove them."""

import asyncio
from uuid import uuid4

import httpx2
from tests.support.waiting import until

DEFAULT_STREAMS = {"primary", "subconscious", "emotional", "creative", "metacognitive"}


def url(agent_id: str, rest: str = "") -> str:
    return f"/api/thought/agents/{agent_id}{rest}"


async def test_the_default_agent_stands_at_the_start(api: httpx2.AsyncClient) -> None:
    agent = (await api.get(url("default"))).json()
    assert set(agent["streams"]) == DEFAULT_STREAMS
    assert {s["interval_seconds"] for s in agent["streams"].values()} == {8.0}
    assert agent["budget"] == {
        "usd_per_day": 10.0,
        "tokens_per_day": None,
        "near_limit": 0.8,
        "ladder": ["slower", "cheaper", "sleep"],
    }
    assert agent["state"] == "running"
    assert agent["persona"]


async def test_put_patch_get_delete(api: httpx2.AsyncClient) -> None:
    name = f"a-{uuid4().hex}"
    whole = {
        "persona": "I watch the tides.",
        "streams": {"primary": {"interval_seconds": 30}, "verse": {"prompt": "Rhyme."}},
        "budget": {"usd_per_day": 1.5, "tokens_per_day": 1000},
    }
    created = await api.put(url(name), json=whole)
    again = await api.put(url(name), json=whole)
    assert (created.status_code, again.status_code) == (201, 200)
    assert created.json() == again.json() == (await api.get(url(name))).json()
    assert set(created.json()["streams"]) == {"primary", "verse"}

    patched = await api.patch(
        url(name),
        json={
            "streams": {"verse": {"enabled": False}, "new": {}},
            "budget": {"tokens_per_day": None},
        },
    )
    agent = patched.json()
    assert agent["persona"] == "I watch the tides."
    assert agent["budget"]["usd_per_day"] == 1.5
    assert agent["budget"]["tokens_per_day"] is None
    assert agent["streams"]["verse"] == {
        "enabled": False,
        "interval_seconds": 8.0,
        "prompt": "Rhyme.",
    }
    assert set(agent["streams"]) == {"primary", "verse", "new"}

    assert (await api.delete(url(name))).status_code == 204
    for call in (
        api.get(url(name)),
        api.delete(url(name)),
        api.patch(url(name), json={}),
    ):
        assert (await call).status_code == 404


async def test_lists_page_in_order(api: httpx2.AsyncClient) -> None:
    names = sorted(f"page-{n}-{uuid4().hex[:6]}" for n in range(5))
    for name in names:
        await api.put(url(name), json={})
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await api.get(f"/api/thought/agents?limit=2{cursor}")).json()
        seen += [agent["agent_id"] for agent in page["agents"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == sorted(seen)
    assert [name for name in seen if name in names] == names
    for name in names:
        await api.delete(url(name))


async def test_a_dropped_stream_goes_on_where_its_chain_ended(
    api: httpx2.AsyncClient,
) -> None:
    name = f"a-{uuid4().hex}"
    await api.put(url(name), json={"streams": {"primary": {}, "side": {}}})
    body = {"agent_id": name, "stream": "side", "context": "on the side"}
    first = (await api.post("/api/thought/generate", json=body)).json()
    await api.put(url(name), json={"streams": {"primary": {}}})
    gone = await api.post("/api/thought/generate", json=body)
    assert gone.status_code == 404
    await api.put(url(name), json={"streams": {"primary": {}, "side": {}}})
    second = (await api.post("/api/thought/generate", json=body)).json()
    assert (second["seq"], second["previous_id"]) == (2, first["id"])


async def test_streams_of_a_new_agent_think_and_a_pause_stops_them(
    thinking: httpx2.AsyncClient,
) -> None:
    name = f"a-{uuid4().hex}"
    streams = {each: {"interval_seconds": 0.2} for each in ("primary", "creative")}
    await thinking.put(url(name), json={"streams": streams})

    async def seqs() -> dict[str, int]:
        page = await thinking.get(f"/api/thought/recent?agent_id={name}&limit=1000")
        found: dict[str, int] = {}
        for thought in page.json()["thoughts"]:
            found.setdefault(thought["stream"], thought["seq"])
        return found

    async def both_think() -> bool:
        now = await seqs()
        return set(now) == set(streams) and min(now.values()) >= 2

    await until(both_think)
    paused = await thinking.post(url(name, "/pause"))
    assert paused.json()["state"] == "paused"
    before = await seqs()
    await asyncio.sleep(1.5)
    assert await seqs() == before

    resumed = await thinking.post(url(name, "/resume"))
    assert resumed.json()["state"] == "running"

    async def goes_on() -> bool:
        now = await seqs()
        return all(now[each] > before[each] for each in streams)

    await until(goes_on)
    await thinking.delete(url(name))


async def test_budgets_are_separate_and_say_when_they_reset(
    api: httpx2.AsyncClient,
) -> None:
    name = f"a-{uuid4().hex}"
    await api.put(url(name), json={"budget": {"usd_per_day": 2}})
    state = (await api.get(url(name, "/budget"))).json()
    assert state["limit_usd"] == 2
    assert (state["spent_usd"], state["reserved_usd"], state["tokens"]) == (0, 0, 0)
    assert state["rung"] is None
    assert state["resets_at"].endswith("T00:00:00Z")
