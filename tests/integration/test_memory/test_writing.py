"""Memories come in: one, many, twice, blocked, or not at all."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from asyncpg.transaction import Transaction
from prometheus_client import REGISTRY
from tests.integration.test_memory.replicas import (
    BLOCKED,
    OUTAGE,
    PREFIX,
    READY_S,
    SECRET,
    SERVICE_KEY,
    Caller,
    Replica,
)
from tests.support.waiting import until

from contracts.ids import new_id
from contracts.memory import Memory
from contracts.verdicts import sign_verdict
from memory_service.domain import queue
from memory_service.providers import embedder


async def test_what_was_told_is_recalled_and_read(ada: Caller) -> None:
    told = await ada.tell(
        "The ferry to Lido leaves at seven from pier two.",
        user_id="u1",
        session_id="s1",
        memory_type="semantic",
        importance=0.7,
        timestamp="2025-03-04T05:06:07.123456+02:00",
        metadata={"source": "timetable", "nested": {"n": [1, 2.5, None, "ü"]}},
        evidence="observed",
        pinned=True,
        ttl_seconds=3600,
    )
    assert told["timestamp"] == "2025-03-04T03:06:07.123456Z"
    assert told["metadata"]["nested"] == {"n": [1, 2.5, None, "ü"]}
    assert (told["access_count"], told["seq"]) == (0, 1)
    assert told["expires_at"] > told["created_at"]
    assert Memory.model_validate(told).model_dump(mode="json") == told
    (recalled,) = await ada.recall("When does the boat go?")
    assert {k: recalled[k] for k in told} == told
    assert (await ada.get(told["id"])).json() == told
    assert (await ada.recent())["memories"] == [told]


async def test_a_write_says_its_number(ada: Caller) -> None:
    for expected in ("1", "2"):
        body = {"content": "numbered", "agent_id": ada.agent_id}
        answer = await ada.http.post(PREFIX, json=body)
        assert answer.headers["X-Memory-Seq"] == expected


async def test_importance_is_estimated_where_nobody_says(ada: Caller) -> None:
    plain = await ada.tell("It rains.")
    dear = await ada.tell("I promise my daughter Nora a dog on 3 May, I love her.")
    assert 0 < plain["importance"] < dear["importance"] <= 1
    assert (await ada.tell("Exactly so.", importance=0))["importance"] == 0


async def test_a_batch_is_judged_one_by_one(ada: Caller) -> None:
    results = await ada.tell_all(["first", f"an {BLOCKED} thing", "third"])
    assert [result.get("memory", {}).get("content") for result in results] == [
        "first",
        None,
        "third",
    ]
    problem = results[1]["problem"]
    assert problem["type"].endswith(":blocked-by-safety")
    assert problem["verdict"]["verdict"] == "block"
    assert [m["content"] for m in (await ada.recent())["memories"]] == [
        "third",
        "first",
    ]


async def test_numbers_have_no_gap(ada: Caller) -> None:
    known = str(uuid4())
    await ada.tell("known", id=known)
    await ada.tell_all(["a", BLOCKED, "b"])
    await ada.tell("known again", id=known)
    last = await ada.tell("c")
    assert last["seq"] == 4


async def test_a_batch_of_several_agents(service: Replica, agent: str) -> None:
    others = [f"{agent}-{name}" for name in "zab"]
    body = {"memories": [{"content": "shared", "agent_id": name} for name in others]}
    answer = await service.http.post(f"{PREFIX}/batch", json=body)
    memories = [result["memory"] for result in answer.json()["results"]]
    assert [memory["agent_id"] for memory in memories] == others
    assert {memory["seq"] for memory in memories} == {1}
    assert "X-Memory-Seq" not in answer.headers


@pytest.mark.parametrize("path", ["", "/batch"])
async def test_without_a_verdict_nothing_is_stored(ada: Caller, path: str) -> None:
    texts = ["harmless", f"told {OUTAGE}"]
    memories = [{"content": text, "agent_id": ada.agent_id} for text in texts]
    body: dict[str, Any] = {"memories": memories} if path else memories[1]
    answer = await ada.http.post(PREFIX + path, json=body)
    assert answer.status_code == 503
    assert answer.json()["type"].endswith(":safety-unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert (await ada.recent())["memories"] == []


async def test_a_blocked_memory_is_a_problem(ada: Caller) -> None:
    body = {"content": BLOCKED, "agent_id": ada.agent_id}
    answer = await ada.http.post(PREFIX, json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:claude-agi:problem:blocked-by-safety"
    assert answer.json()["verdict"]["policy_version"] == "fake"
    assert (await ada.stats())["memories"] == 0


def signed(content: str, agent_id: str, key: str = SERVICE_KEY) -> dict[str, str]:
    signature = sign_verdict(key, agent_id, content, "allow", "p1")
    return {"verdict": "allow", "policy_version": "p1", "signature": signature}


@pytest.mark.parametrize(
    ("verdict", "asked"),
    [
        (lambda text, agent: signed(text, agent), False),
        (lambda text, agent: signed("another text", agent), True),
        (lambda text, agent: signed(text, "another-agent"), True),
        (lambda text, agent: signed(text, agent, "another key"), True),
        (lambda text, agent: signed(text, agent) | {"verdict": "flag"}, True),
    ],
)
async def test_only_a_verdict_that_holds_is_taken(
    service: Replica,
    ada: Caller,
    verdict: Callable[[str, str], dict[str, str]],
    asked: bool,
) -> None:
    text = f"signed {uuid4()}"
    await ada.tell(text, verdict=verdict(text, ada.agent_id))
    assert (text in [request.content for request in service.safety.asked]) is asked


async def test_the_same_id_is_stored_once(service: Replica, ada: Caller) -> None:
    known = str(new_id())
    first = await ada.tell("by the outbox", id=known, evidence="thought")
    asked = len(service.safety.asked)
    body = {"content": "differs now", "agent_id": ada.agent_id, "id": known}
    again = await ada.http.post(PREFIX, json=body)
    assert (again.status_code, again.json()) == (200, first)
    assert again.headers["X-Memory-Seq"] == str(first["seq"])
    assert len(service.safety.asked) == asked


async def test_the_same_id_twice_in_a_batch(ada: Caller) -> None:
    known = str(new_id())
    first, second = await ada.tell_all(["one", "two"], id=known)
    assert first["memory"] == second["memory"]
    assert (await ada.stats())["memories"] == 1


async def test_the_same_key_gives_the_first_answer(ada: Caller) -> None:
    body = {"content": "once", "agent_id": ada.agent_id}
    headers = {"Idempotency-Key": "k1"}
    first = await ada.http.post(PREFIX, json=body, headers=headers)
    again = await ada.http.post(PREFIX, json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = await ada.http.post(
        PREFIX, json=body | {"content": "twice"}, headers=headers
    )
    assert other.status_code == 409
    assert (await ada.stats())["memories"] == 1


async def test_the_same_key_of_a_batch(ada: Caller) -> None:
    body = {
        "memories": [
            {"content": text, "agent_id": ada.agent_id} for text in ("x", BLOCKED, "y")
        ]
    }
    headers = {"Idempotency-Key": "k1"}
    answers = [
        await ada.http.post(f"{PREFIX}/batch", json=body, headers=headers)
        for _ in range(2)
    ]
    first, again = (answer.json()["results"] for answer in answers)
    assert [r["memory"] for r in first if "memory" in r] == [
        r["memory"] for r in again if "memory" in r
    ]
    assert again[1]["problem"]["verdict"] == first[1]["problem"]["verdict"]
    assert (await ada.stats())["memories"] == 2


async def test_one_key_at_once_from_many(
    service: Replica, other_service: Replica, ada: Caller, agent: str
) -> None:
    body = {"content": "all at once", "agent_id": agent}
    headers = {"Idempotency-Key": "k1"}
    answers = await asyncio.gather(
        *(
            one.http.post(PREFIX, json=body, headers=headers)
            for one in (service, other_service) * 10
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (await ada.stats())["memories"] == 1


async def test_one_id_at_once_from_many(
    service: Replica, other_service: Replica, ada: Caller, agent: str
) -> None:
    body = {"content": "by the outbox", "agent_id": agent, "id": str(new_id())}
    answers = await asyncio.gather(
        *(one.http.post(PREFIX, json=body) for one in (service, other_service) * 10)
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] * 19 + [201]
    assert len({answer.json()["seq"] for answer in answers}) == 1
    assert (await ada.stats())["memories"] == 1


async def test_what_is_redacted_is_stored_so(
    ada: Caller, database: asyncpg.Connection
) -> None:
    told = await ada.tell(f"My key is {SECRET}.")
    assert told["content"] == "My key is [redacted]."
    assert (await ada.change(told["id"], content=f"It is {SECRET}!")).json()[
        "content"
    ] == "It is [redacted]!"
    row = await database.fetchval(
        "SELECT string_agg(memories::text || history::text, '') FROM memories "
        "JOIN history USING (agent_id) WHERE agent_id = $1",
        ada.agent_id,
    )
    assert SECRET not in row


async def test_a_key_does_not_keep_what_was_deleted(
    ada: Caller, database: asyncpg.Connection
) -> None:
    body = {"content": "a secret of mine", "agent_id": ada.agent_id}
    headers = {"Idempotency-Key": "k1"}
    first = await ada.http.post(PREFIX, json=body, headers=headers)
    await ada.delete(first.json()["id"])
    again = await ada.http.post(PREFIX, json=body, headers=headers)
    assert again.status_code == 409
    kept = await database.fetchval(
        "SELECT string_agg(response, '') FROM idempotency_keys WHERE agent_id = $1",
        ada.agent_id,
    )
    assert "secret" not in kept


async def test_texts_beyond_the_queue_are_refused(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedder, "MAX_WAITING_TEXTS", 2)
    body = {"memories": [{"content": "x", "agent_id": ada.agent_id}] * 3}
    answer = await ada.http.post(f"{PREFIX}/batch", json=body)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert (await ada.recent())["memories"] == []


async def test_writes_beyond_the_queue_are_refused(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MAX_WAITING_JOBS", 0)
    body = {"content": "x", "agent_id": ada.agent_id}
    answer = await ada.http.post(PREFIX, json=body)
    assert answer.status_code == 429
    assert answer.json()["type"].endswith(":queue-full")


async def test_writes_at_once_share_a_transaction(
    ada: Caller, database: asyncpg.Connection
) -> None:
    await ada.tell("first")
    before = embedded_texts()
    lock = "SELECT FROM agents WHERE agent_id = $1 FOR UPDATE"

    async def all_embedded() -> bool:
        return embedded_texts() == before + 40

    # All but the first of them come while the first waits for the agent's row.
    async with asyncio.TaskGroup() as writes, database.transaction():
        await database.execute(lock, ada.agent_id)
        for n in range(40):
            writes.create_task(ada.tell(f"together {n}"))
        await until(all_embedded)
    transactions = await database.fetchval(
        "SELECT count(DISTINCT xmin::text) FROM memories WHERE agent_id = $1",
        ada.agent_id,
    )
    seqs = await database.fetchval(
        "SELECT array_agg(seq ORDER BY seq) FROM memories WHERE agent_id = $1",
        ada.agent_id,
    )
    assert transactions <= 4
    assert seqs == list(range(1, 42))


def embedded_texts() -> float:
    name = "claude_agi_memory_embedding_seconds_count"
    return REGISTRY.get_sample_value(name) or 0.0


async def test_a_commit_whose_answer_was_lost_counts_once(
    ada: Caller, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two writes that shared a transaction, one would be merged into another."""
    stands = await ada.tell("It rains.")
    commit = Transaction.commit

    async def lose(transaction: Transaction) -> None:
        await commit(transaction)
        monkeypatch.setattr(Transaction, "commit", commit)
        raise asyncpg.ConnectionDoesNotExistError

    async with asyncio.TaskGroup() as writes:
        before = embedded_texts()

        async def all_embedded() -> bool:
            return embedded_texts() == before + 3

        async with database.transaction():
            lock = "SELECT FROM agents WHERE agent_id = $1 FOR UPDATE"
            await database.execute(lock, ada.agent_id)
            # The first waits for the agent's row, the others for it.
            first = writes.create_task(ada.tell("first"))
            await until(lambda: waits(database))
            new = writes.create_task(ada.tell("It snows."))
            merged = writes.create_task(ada.tell("It rains."))
            await until(all_embedded)
            commits = 0

            async def lose_second(transaction: Transaction) -> None:
                nonlocal commits
                commits += 1
                await (lose if commits == 2 else commit)(transaction)

            monkeypatch.setattr(Transaction, "commit", lose_second)
    told = new.result()
    assert told.get("merged_into") is None
    assert merged.result()["merged_into"] == stands["id"]
    assert first.result()["seq"] == 2
    assert (await ada.stats())["memories"] == 3
    rows = "SELECT count(*) FROM mentions WHERE agent_id = $1"
    assert await database.fetchval(rows, ada.agent_id) == 1
    assert (await ada.get(told["id"])).json()["access_count"] == 0


async def waits(database: asyncpg.Connection) -> bool:
    """Whether somebody waits for what this connection holds."""
    return bool(
        await database.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
    )


async def test_an_import_whose_commits_answer_was_lost_counts_once(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Transaction.commit

    async def lose(transaction: Transaction) -> None:
        await commit(transaction)
        monkeypatch.setattr(Transaction, "commit", commit)
        raise asyncpg.ConnectionDoesNotExistError

    monkeypatch.setattr(Transaction, "commit", lose)
    totals, _ = await ada.take_in([{"content": "one"}, {"content": "two"}])
    assert totals == {"imported": 2, "skipped": 0, "failed": 0}
    assert (await ada.stats())["memories"] == 2


async def test_counting_accesses_waits_for_nobody(
    service: Replica, ada: Caller, database: asyncpg.Connection
) -> None:
    """Who waits with some rows in hand for others may be waited for by those."""
    one, other = [await ada.tell(text) for text in ("It rains.", "It snows.")]
    await service.context.accesses.flush()
    service.context.accesses.note(ada.agent_id, [one["seq"], other["seq"]])
    async with database.transaction():
        row = "SELECT FROM memories WHERE id = $1 FOR UPDATE"
        await database.execute(row, other["id"])
        async with asyncio.timeout(READY_S):
            await service.context.accesses.flush()
    counts = [(await ada.get(m["id"])).json()["access_count"] for m in (one, other)]
    assert counts == [1, 0]
