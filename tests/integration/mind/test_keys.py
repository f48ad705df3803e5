"""Keys: who may do what, and to whose mind."""

import json
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from tests.support.mind import Mind, running_mind

KEYS = [
    {"key": "reader-of-all", "scopes": ["read"], "agents": ["*"]},
    {"key": "writer-of-ann", "scopes": ["read", "write"], "agents": ["ann"]},
    {"key": "admin-of-all", "scopes": ["admin"], "agents": ["*"]},
]


@pytest_asyncio.fixture(scope="module")
async def guarded() -> AsyncIterator[Mind]:
    """A mind with keys."""
    async with running_mind(API_KEYS=json.dumps(KEYS), STREAMS_ENABLED="false") as mind:
        async with mind.client() as client:
            for agent in ("ann", "bob"):
                put = await client.put(
                    f"/api/thought/agents/{agent}",
                    json={},
                    headers=bearer("admin-of-all"),
                )
                assert put.status_code == 201
        yield mind


@pytest_asyncio.fixture(scope="module")
async def client(guarded: Mind) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without a key."""
    async with guarded.client() as each:
        yield each


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


CALLS = {
    "recall": ("POST", "/api/memory/recall", {"query": "x", "agent_id": "AGENT"}),
    "remember": ("POST", "/api/memory", {"content": "A fact.", "agent_id": "AGENT"}),
    "list memories": ("GET", "/api/memory/recent?agent_id=AGENT", None),
    "export": ("GET", "/api/memory/export?agent_id=AGENT", None),
    "stats": ("GET", "/api/memory/stats?agent_id=AGENT", None),
    "think": ("POST", "/api/thought/generate", {"context": "x", "agent_id": "AGENT"}),
    "talk": ("POST", "/api/thought/converse", {"message": "x", "agent_id": "AGENT"}),
    "list thoughts": ("GET", "/api/thought/recent?agent_id=AGENT", None),
    "agent": ("GET", "/api/thought/agents/AGENT", None),
    "budget": ("GET", "/api/thought/agents/AGENT/budget", None),
    "pause": ("POST", "/api/thought/agents/AGENT/pause", None),
    "put agent": ("PUT", "/api/thought/agents/AGENT", {}),
    "patch agent": ("PATCH", "/api/thought/agents/AGENT", {}),
    "validate": ("POST", "/api/safety/validate", {"content": "x", "agent_id": "AGENT"}),
}
READS = {
    "recall",
    "list memories",
    "export",
    "stats",
    "list thoughts",
    "agent",
    "budget",
}
WRITES = {"remember", "think", "talk", "pause"}


async def status(
    client: httpx2.AsyncClient, name: str, agent: str, headers: dict[str, str]
) -> int:
    method, url, body = CALLS[name]
    if isinstance(body, dict):
        body = {k: agent if v == "AGENT" else v for k, v in body.items()}
    answer = await client.request(
        method, url.replace("AGENT", agent), json=body, headers=headers
    )
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code


@pytest.mark.parametrize("name", CALLS)
async def test_without_a_known_key_nothing_is_answered(
    client: httpx2.AsyncClient, name: str
) -> None:
    for headers in ({}, bearer("guessed"), {"Authorization": "Basic eDp5"}):
        assert await status(client, name, "ann", headers) == 401


@pytest.mark.parametrize("name", sorted(CALLS.keys() - {"validate"}))
async def test_scopes(client: httpx2.AsyncClient, name: str) -> None:
    read = await status(client, name, "ann", bearer("reader-of-all"))
    write = await status(client, name, "ann", bearer("writer-of-ann"))
    admin = await status(client, name, "ann", bearer("admin-of-all"))
    assert (read == 403) == (name not in READS)
    assert (write == 403) == (name not in READS | WRITES)
    assert admin in {200, 201}


@pytest.mark.parametrize("name", CALLS)
async def test_another_agent_is_out_of_reach(
    client: httpx2.AsyncClient, name: str
) -> None:
    assert await status(client, name, "bob", bearer("writer-of-ann")) == 403


async def test_ids_of_another_agent_do_not_exist(client: httpx2.AsyncClient) -> None:
    admin = bearer("admin-of-all")
    memory = await client.post(
        "/api/memory",
        json={"content": "Bob's own.", "agent_id": "bob"},
        headers=admin,
    )
    thought = await client.post(
        "/api/thought/generate", json={"context": "x", "agent_id": "bob"}, headers=admin
    )
    for url in (
        f"/api/memory/{memory.json()['id']}",
        f"/api/thought/{thought.json()['id']}",
    ):
        seen = await client.get(url, headers=admin)
        hidden = await client.get(url, headers=bearer("writer-of-ann"))
        assert (seen.status_code, hidden.status_code) == (200, 404)
    for method in ("PATCH", "DELETE"):
        answer = await client.request(
            method,
            f"/api/memory/{memory.json()['id']}",
            json={} if method == "PATCH" else None,
            headers=bearer("writer-of-ann"),
        )
        assert answer.status_code == 404


async def test_lists_of_agents_show_only_those_in_reach(
    client: httpx2.AsyncClient,
) -> None:
    mine = await client.get("/api/thought/agents", headers=bearer("writer-of-ann"))
    assert [agent["agent_id"] for agent in mine.json()["agents"]] == ["ann"]


async def test_a_page_of_another_origin_is_refused_where_there_are_no_keys(
    api: httpx2.AsyncClient,
) -> None:
    body = {"content": "Planted by a web page."}
    for headers in (
        {"Origin": "https://elsewhere.example"},
        {"Host": "rebound.example:8000"},
    ):
        answer = await api.post("/api/memory", json=body, headers=headers)
        assert answer.status_code == 403
