"""Keys: who may do what, and to whose memories."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from tests.integration.test_memory.replicas import (
    PREFIX,
    SERVICE_KEY,
    Caller,
    Replica,
    replica,
)

from contracts.ids import new_id

KEYS = [
    {"key": "reader", "scopes": ["read"], "agents": ["ann"]},
    {"key": "writer", "scopes": ["write"], "agents": ["ann"]},
    {"key": "admin", "scopes": ["admin"], "agents": ["ann"]},
]
ID = str(new_id())
SCOPE = {"agent_id": "ann"}
TELL = {"content": "x", "agent_id": "ann"}
LINE = json.dumps({"content": "x"})
READS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/recent", {"params": SCOPE}),
    ("GET", "/stats", {"params": SCOPE}),
    ("GET", "/export", {"params": SCOPE}),
    ("GET", f"/{ID}", {"params": SCOPE}),
    ("GET", f"/{ID}/history", {"params": SCOPE}),
    ("GET", "/tombstones", {"params": SCOPE}),
    ("POST", "/recall", {"json": {"query": "x", "agent_id": "ann"}}),
    ("POST", "/lookup", {"json": {"ids": [ID], "agent_id": "ann"}}),
]
WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "", {"json": TELL}),
    ("POST", "/batch", {"json": {"memories": [TELL]}}),
    ("POST", "/import", {"params": SCOPE, "content": LINE}),
    ("PATCH", f"/{ID}", {"params": SCOPE, "json": {"pinned": True}}),
    ("DELETE", f"/{ID}", {"params": SCOPE}),
    ("POST", "/forget", {"json": {"value": "never said", "agent_id": "ann"}}),
]


@pytest_asyncio.fixture(scope="module")
async def guarded(memory_dsn: str) -> AsyncIterator[Replica]:
    async with replica(memory_dsn, api_keys=json.dumps(KEYS)) as running:
        yield running


async def ask(
    service: Replica, key: str | None, call: tuple[str, str, dict[str, Any]]
) -> httpx2.Response:
    method, path, options = call
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return await service.http.request(method, PREFIX + path, headers=headers, **options)


def of_another_agent(
    call: tuple[str, str, dict[str, Any]],
) -> tuple[str, str, dict[str, Any]]:
    method, path, options = call
    return method, path, json.loads(json.dumps(options).replace('"ann"', '"bob"'))


@pytest.mark.parametrize("call", [*READS, *WRITES])
async def test_without_a_known_key_nothing(guarded: Replica, call: Any) -> None:
    for key in (None, "unknown", ""):
        answer = await ask(guarded, key, call)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("call", [*READS, *WRITES])
async def test_a_scope_for_each_call(guarded: Replica, call: Any) -> None:
    right, wrong = ("reader", "writer") if call in READS else ("writer", "reader")
    assert (await ask(guarded, wrong, call)).status_code == 403
    for key in (right, "admin", SERVICE_KEY):
        assert (await ask(guarded, key, call)).status_code in (200, 201, 404)


@pytest.mark.parametrize("call", [*READS, *WRITES])
async def test_no_other_agent_is_reached(guarded: Replica, call: Any) -> None:
    for key in ("reader", "writer", "admin"):
        answer = await ask(guarded, key, of_another_agent(call))
        assert answer.status_code == 403
        assert answer.json()["type"].endswith(":forbidden")


async def test_a_foreign_agent_within_a_batch(guarded: Replica) -> None:
    memories = [TELL, TELL | {"agent_id": "bob"}]
    call = ("POST", "/batch", {"json": {"memories": memories}})
    assert (await ask(guarded, "writer", call)).status_code == 403


async def test_a_foreign_agent_within_an_import(guarded: Replica) -> None:
    body = "\n".join([LINE, json.dumps(TELL | {"agent_id": "bob"}), LINE])
    call = ("POST", "/import", {"params": SCOPE, "content": body})
    failure, _, totals = map(
        json.loads, (await ask(guarded, "writer", call)).text.splitlines()
    )
    assert (failure["line"], failure["problem"]["status"]) == (2, 403)
    assert totals == {"imported": 2, "skipped": 0, "failed": 1}


async def test_patterns_alone_are_for_admins(guarded: Replica) -> None:
    parameters = SCOPE | {"safety": "patterns"}
    call = ("POST", "/import", {"params": parameters, "content": LINE})
    assert (await ask(guarded, "writer", call)).status_code == 403
    assert (await ask(guarded, "admin", call)).status_code == 200


async def test_only_an_admin_lifts_what_is_forgotten(guarded: Replica) -> None:
    call = ("DELETE", f"/tombstones/{ID}", {"params": SCOPE})
    for key in ("reader", "writer"):
        assert (await ask(guarded, key, call)).status_code == 403
    assert (await ask(guarded, "admin", call)).status_code == 404
    assert (await ask(guarded, "admin", of_another_agent(call))).status_code == 403


async def test_a_change_names_the_key(guarded: Replica, database: Any) -> None:
    told = (await ask(guarded, "writer", ("POST", "", {"json": TELL}))).json()
    call = (
        "PATCH",
        f"/{told['id']}",
        {"params": SCOPE, "json": {"pinned": True}},
    )
    assert (await ask(guarded, "writer", call)).status_code == 200
    changed_by = await database.fetchval(
        "SELECT changed_by FROM history WHERE memory_id = $1", told["id"]
    )
    assert changed_by == "key-2"


async def test_an_id_of_two_agents_is_not_guessed(
    service: Replica, ada: Caller
) -> None:
    """As after an import of one agent's export for another."""
    told = await ada.tell("The ferry leaves at seven.")
    bob = service.caller(f"{ada.agent_id}-copy")
    await bob.take_in([{"content": told["content"], "id": told["id"]}])
    path = f"{PREFIX}/{told['id']}"
    for answer in (
        await ada.http.get(path),
        await ada.http.patch(path, json={"pinned": True}),
        await ada.http.delete(path),
        await ada.http.get(f"{path}/history"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (
            409,
            "urn:claude-agi:problem:memory-ambiguous",
        )
    assert (await bob.delete(told["id"])).status_code == 204
    assert (await ada.http.get(path)).json() == told
