"""Whatever is done to one mind at once, what is left of it holds together."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx2
from tests.integration.test_memory.replicas import PREFIX, Caller, Replica

CALLERS = 8
CALLS_EACH = 40
WORD = "zebra"
TEXTS = [
    f"{who} saw {what} {where}."
    for who in ("Ada", "Bob", "Eve")
    for what in ("a horse", "two cows", f"the {WORD}")
    for where in ("behind the old barn", "by the river bank")
]
# Not there any more, forgotten meanwhile, or too much at once: nothing else.
STATUSES = {200, 201, 202, 204, 404, 409}

Call = Callable[[Caller, random.Random, list[str]], Awaitable[httpx2.Response]]


async def tell(ada: Caller, chance: random.Random, known: list[str]) -> httpx2.Response:
    fields: dict[str, Any] = {"content": chance.choice(TEXTS)}
    if known and chance.random() < 0.5:
        fields["evidence"] = chance.choice(["thought", "inferred"])
        fields["sources"] = chance.sample(known, min(2, len(known)))
    if chance.random() < 0.2:
        fields["metadata"] = {"note": chance.choice(TEXTS)}
    if chance.random() < 0.2:
        fields["ttl_seconds"] = 1
    if chance.random() < 0.3:
        fields["session_id"] = "s"
    body = fields | {"agent_id": ada.agent_id}
    answer = await ada.http.post(PREFIX, json=body)
    if answer.status_code in (200, 201):
        known.append(answer.json()["id"])
    return answer


async def change(
    ada: Caller, chance: random.Random, known: list[str]
) -> httpx2.Response:
    fields: dict[str, Any] = chance.choice(
        [
            {"content": chance.choice(TEXTS)},
            {"metadata": {"note": chance.choice(TEXTS)}},
            {"pinned": chance.random() < 0.5},
        ]
    )
    return await ada.change(chance.choice(known), **fields)


async def delete(
    ada: Caller, chance: random.Random, known: list[str]
) -> httpx2.Response:
    return await ada.delete(chance.choice(known))


async def forget(ada: Caller, _: random.Random, __: list[str]) -> httpx2.Response:
    body = {"agent_id": ada.agent_id, "filters": {"evidence": "thought"}}
    return await ada.http.post(f"{PREFIX}/forget", json=body)


async def take_in(ada: Caller, chance: random.Random, _: list[str]) -> httpx2.Response:
    lines = "\n".join(f'{{"content": "{text}"}}' for text in chance.sample(TEXTS, 3))
    scope = {"agent_id": ada.agent_id}
    return await ada.http.post(f"{PREFIX}/import", params=scope, content=lines)


async def consolidate(ada: Caller, _: random.Random, __: list[str]) -> httpx2.Response:
    body = {"agent_id": ada.agent_id}
    return await ada.http.post(f"{PREFIX}/consolidate", json=body)


async def recall(ada: Caller, chance: random.Random, _: list[str]) -> httpx2.Response:
    body = {"query": chance.choice(TEXTS), "agent_id": ada.agent_id}
    return await ada.http.post(f"{PREFIX}/recall", json=body)


CALLS: list[tuple[Call, int]] = [
    (tell, 10),
    (change, 5),
    (delete, 2),
    (forget, 1),
    (take_in, 2),
    (consolidate, 1),
    (recall, 4),
]


async def act(service: Replica, agent_id: str, seed: int, known: list[str]) -> None:
    chance, ada = random.Random(seed), service.caller(agent_id)
    calls, weights = zip(*CALLS, strict=True)
    for number in range(CALLS_EACH):
        (call,) = chance.choices(calls, weights) if known else (tell,)
        answer = await call(ada, chance, known)
        assert answer.status_code in STATUSES, (call.__name__, answer.text)
        if (seed, number) == (0, CALLS_EACH // 2):
            # Amid all that the others do.
            await ada.forget(value=WORD)
        if number % 10 == 0:
            await service.context.accesses.flush()
            await service.context.upkeep.expire_some()


async def test_nothing_is_lost_doubled_or_left_over(
    service: Replica,
    other_service: Replica,
    ada: Caller,
    database: asyncpg.Connection,
) -> None:
    known: list[str] = []
    services = (service, other_service)
    await asyncio.gather(
        *(act(services[n % 2], ada.agent_id, n, known) for n in range(CALLERS))
    )
    for table, query in ORPHANS.items():
        assert not await database.fetch(query, ada.agent_id), table
    counted = await database.fetchval(
        "SELECT seq FROM agents WHERE agent_id = $1", ada.agent_id
    )
    for table in ("memories", "history", "mentions", "jobs", "idempotency_keys"):
        rows = f"SELECT t::text FROM {table} AS t WHERE agent_id = $1"
        for row in await database.fetch(rows, ada.agent_id):
            assert WORD not in row["t"].lower()
    for one in services:
        found = await one.caller(ada.agent_id).recall(
            f"Who saw the {WORD}?", min_seq=counted, limit=1000, mode="semantic"
        )
        standing = await database.fetch(STANDING, ada.agent_id)
        shown = {memory["id"] for memory in found}
        assert shown <= {str(row["id"]) for row in standing}
        assert WORD not in str(found)


STANDING = "SELECT id FROM memories WHERE agent_id = $1 AND superseded_by IS NULL"
ORPHANS = {
    "embeddings": (
        "SELECT memory_id FROM embeddings WHERE agent_id = $1 AND (memory_id, seq) "
        "NOT IN (SELECT id, seq FROM memories WHERE agent_id = $1)"
    ),
    "memories": (
        "SELECT id FROM memories WHERE agent_id = $1 AND id NOT IN "
        "(SELECT memory_id FROM embeddings WHERE agent_id = $1)"
    ),
    "versions": (
        "SELECT id FROM memories WHERE agent_id = $1 AND superseded_by NOT IN "
        "(SELECT id FROM memories WHERE agent_id = $1)"
    ),
    "sources": (
        "SELECT memory_id FROM sources WHERE agent_id = $1 AND (memory_id NOT IN "
        "(SELECT id FROM memories WHERE agent_id = $1) OR source_id IN "
        "(SELECT memory_id FROM deletions WHERE agent_id = $1 AND wanted))"
    ),
    "history": (
        "SELECT memory_id FROM history WHERE agent_id = $1 AND memory_id NOT IN "
        "(SELECT id FROM memories WHERE agent_id = $1)"
    ),
    "mentions": (
        "SELECT memory_id FROM mentions WHERE agent_id = $1 AND memory_id NOT IN "
        "(SELECT id FROM memories WHERE agent_id = $1)"
    ),
    "returned": (
        "SELECT id FROM memories WHERE agent_id = $1 AND id IN "
        "(SELECT memory_id FROM deletions WHERE agent_id = $1)"
    ),
    "previous": (
        "SELECT memory_id FROM embeddings WHERE agent_id = $1 AND previous_seq NOT IN "
        "(SELECT seq FROM memories WHERE agent_id = $1)"
    ),
}
