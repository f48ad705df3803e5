"""Episodes become memories that cite them; whoever does it, and however often."""

import asyncio
import json
import os
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import asyncpg
import httpx2
import numpy as np
import pytest
import pytest_asyncio
from tests.integration.test_memory.replicas import (
    BLOCKED,
    OUTAGE,
    PREFIX,
    READY_S,
    Caller,
    Fields,
    Replica,
    Safety,
    SafetyServer,
    make_settings,
    migrate,
    process,
    replica,
    until_ready,
)
from tests.support.waiting import until

from contracts.ids import new_id
from contracts.safety import ValidateRequest, Verdict
from devstack.database import DATABASE, bootstrap
from devstack.postgres import Postgres
from embedding import MODEL_NAME
from memory_service.domain import consolidation, jobs, schedule
from memory_service.domain.clusters import MAX_SOURCES
from memory_service.domain.consolidation import Progress
from memory_service.errors import JobLost
from memory_service.main import make_app
from memory_service.models.jobs import Fence
from memory_service.stores.revisions import Revisions

# As long as a job of these tests may take on a busy machine.
ENDS_WITHIN_S = 60.0

GARDEN = [
    "I planted tomatoes in the vegetable garden behind the house.",
    "The tomatoes in my vegetable garden need water every day.",
    "We picked the first ripe tomatoes from the vegetable garden.",
    "My vegetable garden gave us forty tomatoes this week.",
]
PIANO = [
    "Clara practises a Chopin nocturne on the piano.",
    "Clara played the piano nocturne by Chopin at school.",
    "The piano teacher praised how Clara plays Chopin.",
]
STRAY = "The parcel from Oslo arrived damaged."


class Shut(Safety):
    """Answers about consolidations only once it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_for_one = asyncio.Event()
        self.open = asyncio.Event()

    async def validate(self, request: ValidateRequest) -> Verdict:
        if re.match(r"\d{4}-\d\d-\d\d", request.content):
            self.asked_for_one.set()
            await self.open.wait()
        return await super().validate(request)


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is served meanwhile."""
    monkeypatch.setattr(consolidation, "REST", 0.0)


@pytest_asyncio.fixture(scope="module")
async def apart(memory_folder: Path) -> AsyncIterator[Postgres]:
    """A server of its own: jobs are anybody's who shares the database."""
    folder = memory_folder / "consolidation"
    folder.mkdir(0o711)
    async with Postgres.primary(folder) as server:
        yield server


@pytest_asyncio.fixture(scope="module")
async def dsn(apart: Postgres) -> str:
    dsn = (await bootstrap(apart))["memory"]  # type: ignore[arg-type]
    await migrate(dsn)
    return dsn


@pytest_asyncio.fixture
async def tables(apart: Postgres) -> AsyncIterator[asyncpg.Connection]:
    """The superuser's view of them."""
    connection = await apart.connect(DATABASE)
    await connection.execute("SET search_path = memory")
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def one(dsn: str) -> AsyncIterator[Replica]:
    """The only service there."""
    async with replica(dsn) as running:
        yield running


@pytest.fixture
def eve(one: Replica, agent: str) -> Caller:
    """Whoever speaks for that agent."""
    return one.caller(agent)


@asynccontextmanager
async def shut_replica(dsn: str) -> AsyncIterator[tuple[Replica, Shut]]:
    """A service whose safety is a door."""
    safety = Shut()
    app = make_app(make_settings(dsn), safety)
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=transport, base_url="http://localhost", timeout=READY_S
        ) as http,
    ):
        await until_ready(http)
        yield Replica(app, http, safety), safety


async def begin(http: httpx2.AsyncClient, agent: str) -> Fields:
    answer = await http.post(f"{PREFIX}/consolidate", json={"agent_id": agent})
    assert answer.status_code == 202, answer.text
    job: Fields = answer.json()
    return job


async def ended(http: httpx2.AsyncClient, job: Fields) -> Fields:
    """The job, once it has ended."""
    seen: Fields = {}

    async def has_ended() -> bool:
        answer = await http.get(f"{PREFIX}/jobs/{job['id']}")
        assert answer.status_code == 200, answer.text
        seen.update(answer.json())
        return seen["state"] in {"done", "failed"}

    await until(has_ended, within_s=ENDS_WITHIN_S)
    return seen


async def consolidate(caller: Caller) -> dict[str, int]:
    """What came of one consolidation."""
    job = await ended(caller.http, await begin(caller.http, caller.agent_id))
    assert job["state"] == "done", job
    result: dict[str, int] = job["result"]
    return result


async def learnt(caller: Caller) -> list[Fields]:
    """The consolidations, by their texts."""
    page = await caller.recent(memory_type="semantic", limit=1000)
    return sorted(page["memories"], key=lambda memory: memory["content"])


def ids(results: list[Fields]) -> set[str]:
    return {result["memory"]["id"] for result in results}


async def test_it_cites_what_it_was_made_from(
    eve: Caller, tables: asyncpg.Connection
) -> None:
    garden = await eve.tell_all(GARDEN, timestamp="2026-05-01T10:00:00Z")
    piano = await eve.tell_all(PIANO, importance=0.9)
    await eve.tell(STRAY)
    job = await begin(eve.http, eve.agent_id)
    assert job["state"] in {"waiting", "running"}
    assert (job["kind"], job["agent_id"]) == ("consolidate", eve.agent_id)
    assert job["result"] is None
    job = await ended(eve.http, job)
    assert job["state"] == "done", job
    assert job["result"] == {
        "consolidated": 7,
        "memories": 2,
        "refused": 0,
        "removed": 0,
    }
    assert job["progress"]["read"] == 8
    assert job["progress"]["seq"] == job["progress"]["until"] == 8
    assert job["created_at"] <= job["started_at"] <= job["ended_at"]

    about_garden, about_piano = await learnt(eve)
    for memory, sources in ((about_garden, garden), (about_piano, piano)):
        assert memory["evidence"] == "inferred"
        assert memory["memory_type"] == "semantic"
        assert set(memory["metadata"]["sources"]) == ids(sources)
        noted = await tables.fetch(
            "SELECT source_id::text FROM sources "
            "WHERE agent_id = $1 AND memory_id = $2 AND consolidated",
            eve.agent_id,
            UUID(memory["id"]),
        )
        assert {row["source_id"] for row in noted} == ids(sources)
        said = memory["content"].partition(": ")[2]
        told = {result["memory"]["content"] for result in sources}
        assert set(re.split(r"(?<=\.) ", said)) <= told
    assert about_garden["content"].startswith("2026-05-01: ")
    assert about_garden["timestamp"] == "2026-05-01T10:00:00Z"
    assert about_piano["importance"] == 0.9
    found = await eve.recall("tomatoes in the garden", filters={"evidence": "inferred"})
    assert found[0]["id"] == about_garden["id"]


@pytest.mark.parametrize("talks", [False, True], ids=["alone", "talks"])
@pytest.mark.parametrize("mode", ["hybrid", "semantic", "keyword"])
async def test_it_takes_no_place_from_its_sources(
    eve: Caller, one: Replica, mode: str, talks: bool
) -> None:
    """Until half of them are gone, or only it can be meant."""
    garden = await eve.tell_all(GARDEN)
    if talks:
        # With turns that follow one another the search is another one.
        await eve.tell_all(["Hello.", "Good morning."], session_id="s", user_id="u")
    await consolidate(eve)
    (memory,) = await learnt(eve)
    about = "tomatoes in the vegetable garden"

    async def found(**filters: Any) -> set[str]:
        memories = await eve.recall(about, mode=mode, filters=filters)
        return {each["id"] for each in memories if each["user_id"] is None}

    assert await found() == ids(garden)
    facts = ["told", "observed", "inferred"]
    assert await found(evidence=facts) == ids(garden)
    for filters in (
        {"evidence": "inferred"},
        {"memory_type": "semantic"},
        {"metadata": {"sources": [garden[0]["memory"]["id"]]}},
    ):
        assert await found(**filters) == {memory["id"]}
    revisions = Revisions(one.context.database, MODEL_NAME)
    names = [UUID(result["memory"]["id"]) for result in garden]

    async def remove(name: UUID) -> None:
        seq = await revisions.delete(eve.agent_id, [name])
        assert seq is not None
        await eve.recall(about, min_seq=seq)

    await remove(names[0])
    assert await found() == ids(garden[1:])
    await remove(names[1])
    assert await found() == ids(garden[2:]) | {memory["id"]}


async def test_again_changes_nothing(eve: Caller) -> None:
    await eve.tell_all(GARDEN + PIANO)
    await consolidate(eve)
    once, seq = await learnt(eve), (await eve.stats())["index"]["seq"]
    again = await consolidate(eve)
    assert again == {"consolidated": 0, "memories": 0, "refused": 0, "removed": 0}
    assert await learnt(eve) == once
    assert (await eve.stats())["index"]["seq"] == seq


async def test_what_comes_later_is_put_together_later(eve: Caller) -> None:
    await eve.tell_all(GARDEN)
    await consolidate(eve)
    await eve.tell_all(PIANO[:2])
    assert (await consolidate(eve))["memories"] == 0
    await eve.tell_all(PIANO[2:])
    assert (await consolidate(eve))["memories"] == 1
    sizes = {len(memory["metadata"]["sources"]) for memory in await learnt(eve)}
    assert sizes == {len(GARDEN), len(PIANO)}


async def test_equal_memories_make_equal_texts(one: Replica, agent: str) -> None:
    texts = [f"{text} Part {n}." for n in range(5) for text in GARDEN + PIANO]
    made = []
    for name in (f"{agent}-one", f"{agent}-other"):
        caller = one.caller(name)
        await caller.tell_all(texts, timestamp="2026-05-01T10:00:00Z")
        await consolidate(caller)
        made.append([memory["content"] for memory in await learnt(caller)])
    assert made[0] == made[1]
    assert len(made[0]) >= 2


async def test_it_goes_with_what_it_was_made_from(eve: Caller) -> None:
    """And comes back from what is left, or from what was changed."""
    told = await eve.tell_all(GARDEN)
    await consolidate(eve)
    first, last = (told[n]["memory"]["id"] for n in (0, 3))
    await eve.delete(last)
    assert await learnt(eve) == []
    assert (await consolidate(eve))["memories"] == 1
    (memory,) = await learnt(eve)
    assert set(memory["metadata"]["sources"]) == ids(told) - {last}
    await eve.change(first, content=GARDEN[0].replace("the house", "our house"))
    assert await learnt(eve) == []
    assert (await consolidate(eve))["memories"] == 1
    (memory,) = await learnt(eve)
    assert "behind our house" in memory["content"]


async def test_what_was_unlearnt_is_not_learnt_again(eve: Caller) -> None:
    await eve.tell_all(GARDEN)
    await consolidate(eve)
    (memory,) = await learnt(eve)
    await eve.delete(memory["id"])
    result = await consolidate(eve)
    assert (result["memories"], result["refused"]) == (0, 1)
    assert await learnt(eve) == []


async def test_what_was_forgotten_is_not_learnt(eve: Caller) -> None:
    """The sources say it only together: by one of them, and the dates before it."""
    await eve.tell_all(GARDEN)
    await eve.forget(value="the vegetable garden")
    assert (await consolidate(eve))["memories"] == 0
    assert await learnt(eve) == []


async def test_an_id_follows_from_the_sources(eve: Caller) -> None:
    """Whoever took it out by hand finds the same memory made again, not a second."""
    told = await eve.tell_all(GARDEN)
    await consolidate(eve)
    (memory,) = await learnt(eve)
    by_id = {result["memory"]["id"]: result["memory"]["content"] for result in told}
    name = json.dumps([eve.agent_id, *sorted(by_id.items())])
    assert memory["id"] == str(uuid5(consolidation.NAMESPACE, name))


async def test_what_changed_is_learnt_though_it_says_the_same(eve: Caller) -> None:
    """What a source says beside it has changed: the memory made of it went with it."""
    told = await eve.tell_all([*GARDEN, f"{GARDEN[0]} Yes."])
    await consolidate(eve)
    (memory,) = await learnt(eve)
    await eve.change(told[-1]["memory"]["id"], content=f"{GARDEN[0]} No.")
    assert await learnt(eve) == []
    assert (await consolidate(eve))["memories"] == 1
    assert (await learnt(eve))[0]["content"] == memory["content"]


async def test_agents_and_users_are_never_mixed(one: Replica, agent: str) -> None:
    eve, bob = one.caller(agent), one.caller(f"{agent}-bob")
    await eve.tell_all(GARDEN[:2])
    await bob.tell_all(GARDEN[2:])
    assert (await consolidate(eve))["memories"] == 0
    assert (await consolidate(bob))["memories"] == 0
    for number, text in enumerate(GARDEN + GARDEN + GARDEN):
        await eve.tell(f"{text} {number}", user_id="uma" if number % 2 else "ugo")
    assert (await consolidate(eve))["memories"] >= 2
    for memory in await learnt(eve):
        users = set()
        for source in memory["metadata"]["sources"]:
            users.add((await eve.get(source)).json()["user_id"])
        assert users == {memory["user_id"]}


@pytest.mark.parametrize(
    "fields",
    [
        {"evidence": "thought", "memory_type": "thought"},
        {"evidence": "inferred"},
        {"memory_type": "semantic"},
        {"memory_type": "procedural"},
        {"memory_type": "working"},
        {"pinned": True},
        {"ttl_seconds": 1000},
    ],
    ids=lambda fields: "-".join(map(str, fields.values())),
)
async def test_what_is_left_alone(eve: Caller, fields: Fields) -> None:
    await eve.tell_all(GARDEN[:2])
    await eve.tell_all(GARDEN[2:], **fields)
    result = await consolidate(eve)
    assert (result["memories"], result["refused"]) == (0, 0)


async def test_an_agent_without_memories(eve: Caller) -> None:
    result = await consolidate(eve)
    assert set(result.values()) == {0}


async def test_one_job_at_a_time(eve: Caller, tables: asyncpg.Connection) -> None:
    await tables.execute(
        "INSERT INTO jobs (agent_id, id, kind, state, created_at, lease_until) "
        "VALUES ($1, $2, 'consolidate', 'running', now(), now() + interval '1 hour')",
        eve.agent_id,
        held := new_id(),
    )
    begun = await asyncio.gather(*(begin(eve.http, eve.agent_id) for _ in range(8)))
    assert {job["id"] for job in begun} == {str(held)}
    await tables.execute("DELETE FROM jobs WHERE id = $1", held)
    begun = await asyncio.gather(*(begin(eve.http, eve.agent_id) for _ in range(8)))
    await asyncio.gather(*(ended(eve.http, job) for job in begun))


@pytest.mark.parametrize(
    "body", [{"agent_id": ""}, {"agent_id": 7}, {"agent": "x"}, [], "x", None]
)
async def test_bodies_that_are_none(one: Replica, body: Any) -> None:
    answer = await one.http.post(f"{PREFIX}/consolidate", json=body)
    assert answer.status_code == 422


async def test_the_same_key_gives_the_first_job(eve: Caller) -> None:
    async def call(agent_id: str) -> httpx2.Response:
        return await eve.http.post(
            f"{PREFIX}/consolidate",
            json={"agent_id": agent_id},
            headers={"Idempotency-Key": "k"},
        )

    at_once = await asyncio.gather(*(call(eve.agent_id) for _ in range(5)))
    assert {answer.status_code for answer in at_once} == {202}
    (job_id,) = {answer.json()["id"] for answer in at_once}
    assert (await ended(eve.http, at_once[0].json()))["state"] == "done"
    again = await call(eve.agent_id)
    assert (again.status_code, again.json()["id"]) == (202, job_id)
    assert again.json()["state"] == "done"
    without = await begin(eve.http, eve.agent_id)
    assert without["id"] != job_id
    # A key is the agent's own.
    assert (await call(f"{eve.agent_id}-other")).json()["id"] != job_id


async def test_keys_reach_the_jobs_of_their_agents(dsn: str, agent: str) -> None:
    keys = [
        {"key": "reads-both-0123456789", "scopes": ["read"], "agents": ["*"]},
        {
            "key": "writes-one-0123456789",
            "scopes": ["read", "write"],
            "agents": [agent],
        },
        {"key": "writes-two-0123456789", "scopes": ["read", "write"], "agents": ["b"]},
    ]
    async with replica(dsn, api_keys=keys) as one:

        async def call(
            key: int, method: str, path: str, **body: Any
        ) -> httpx2.Response:
            bearer = {"Authorization": f"Bearer {keys[key]['key']}"}
            return await one.http.request(method, PREFIX + path, headers=bearer, **body)

        wanted = {"json": {"agent_id": agent}}
        begun = await call(1, "POST", "/consolidate", **wanted)
        assert begun.status_code == 202
        for key in (0, 2):
            refused = await call(key, "POST", "/consolidate", **wanted)
            assert refused.status_code == 403
        path = f"/jobs/{begun.json()['id']}"
        statuses = [(await call(key, "GET", path)).status_code for key in (0, 1, 2)]
        assert statuses == [200, 200, 404]
        unknown = await call(0, "GET", f"/jobs/{uuid4()}")
        assert unknown.json()["type"].endswith(":job-unknown")
        assert (await call(0, "GET", "/jobs/x")).status_code == 422


async def test_what_safety_blocks_is_not_learnt(
    eve: Caller, tables: asyncpg.Connection
) -> None:
    """The sources came in before the policy was so strict."""
    await eve.tell_all(GARDEN + PIANO)
    await tables.execute(
        "UPDATE memories SET content = replace(content, 'tomatoes', $2) "
        "WHERE agent_id = $1",
        eve.agent_id,
        BLOCKED,
    )
    result = await consolidate(eve)
    assert (result["memories"], result["refused"]) == (1, 1)
    (memory,) = await learnt(eve)
    assert "Chopin" in memory["content"]


async def test_while_safety_is_out_nothing_is_learnt(
    eve: Caller, tables: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consolidation, "RETRY_PAUSES_S", (0.01, 0.01))
    await eve.tell_all(GARDEN + PIANO)
    change = (
        "UPDATE memories SET content = replace(content, $2, $3) WHERE agent_id = $1"
    )
    await tables.execute(change, eve.agent_id, "tomatoes", OUTAGE)
    job = await ended(eve.http, await begin(eve.http, eve.agent_id))
    assert (job["state"], job["result"]) == ("failed", None)
    assert "no safety verdict" in job["error"]
    assert await learnt(eve) == []
    await tables.execute(change, eve.agent_id, OUTAGE, "tomatoes")
    assert (await consolidate(eve))["memories"] == 2


@pytest.mark.parametrize("changed", [True, False], ids=["changed", "deleted"])
async def test_a_source_that_is_no_more_what_it_was(
    dsn: str, agent: str, *, changed: bool
) -> None:
    async with shut_replica(dsn) as (one, safety):
        eve = one.caller(agent)
        told = await eve.tell_all(GARDEN + PIANO)
        job = await begin(eve.http, agent)
        await safety.asked_for_one.wait()
        source = told[3]["memory"]["id"]
        if changed:
            await eve.change(source, content=STRAY)
        else:
            await eve.delete(source)
        safety.open.set()
        job = await ended(eve.http, job)
        assert (job["result"]["memories"], job["result"]["refused"]) == (1, 1)
        assert (await consolidate(eve))["memories"] == 1
        texts = [memory["content"] for memory in await learnt(eve)]
        assert len(texts) == 2
        assert all(GARDEN[3] not in text for text in texts)


async def test_a_worker_that_lost_its_job_writes_nothing(
    dsn: str, agent: str, tables: asyncpg.Connection
) -> None:
    async with shut_replica(dsn) as (one, safety):
        eve = one.caller(agent)
        await eve.tell_all(GARDEN + PIANO)
        job = await begin(eve.http, agent)
        await safety.asked_for_one.wait()
        taken = (
            "UPDATE jobs SET epoch = epoch + 1, lease_until = now() + $2::interval "
            "WHERE id = $1"
        )
        await tables.execute(taken, UUID(job["id"]), timedelta(hours=1))
        safety.open.set()

        async def let_go() -> bool:
            """The next job is begun: the worker is through with this one."""
            other = one.caller(f"{agent}-other")
            return (await consolidate(other))["memories"] == 0

        await until(let_go)
        assert await learnt(eve) == []
        await tables.execute(taken, UUID(job["id"]), timedelta(0))
        assert (await ended(eve.http, job))["result"]["memories"] == 2


async def test_connections_that_are_cut_meanwhile(
    dsn: str, agent: str, tables: asyncpg.Connection
) -> None:
    async with shut_replica(dsn) as (one, safety):
        eve = one.caller(agent)
        await eve.tell_all(GARDEN + PIANO)
        job = await begin(eve.http, agent)
        await safety.asked_for_one.wait()
        await tables.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE usename = 'memory'"
        )

        async def answers() -> bool:
            path = f"{PREFIX}/jobs/{job['id']}"
            return (await eve.http.get(path)).status_code == 200

        await until(answers)
        safety.open.set()
        assert (await ended(eve.http, job))["result"]["memories"] == 2
        assert len(await learnt(eve)) == 2


async def test_a_stop_hands_over_at_once(
    dsn: str, agent: str, tables: asyncpg.Connection
) -> None:
    async with shut_replica(dsn) as (one, safety):
        eve = one.caller(agent)
        await eve.tell_all(GARDEN)
        job = await begin(eve.http, agent)
        await safety.asked_for_one.wait()
        await one.app.state.on_stop()
        row = await tables.fetchrow(
            "SELECT state, lease_until FROM jobs WHERE id = $1", UUID(job["id"])
        )
        assert row is not None
        assert (row["state"], row["lease_until"]) == ("waiting", None)
        async with replica(dsn) as other:
            assert (await ended(other.http, job))["result"]["memories"] == 1
            safety.open.set()
            assert len(await learnt(other.caller(agent))) == 1


def varied(count: int) -> list[str]:
    """Memories of a few dozen topics."""
    chance = random.Random(5)
    things = "violin tractor lighthouse penguin volcano cathedral submarine".split()
    deeds = "painted repaired photographed measured dreamt of wrote about sold".split()
    return [
        f"Nora {chance.choice(deeds)} the {things[n % len(things)]} of year {n}."
        for n in range(count)
    ]


async def test_another_goes_on_after_a_kill(
    dsn: str, agent: str, tables: asyncpg.Connection, safety_server: SafetyServer
) -> None:
    texts = varied(700)
    async with process(dsn, SAFETY_URL=safety_server.address) as service:
        async with service.client() as http:
            await Caller(http, agent).tell_all(texts, timestamp="2026-05-01T10:00:00Z")
            job = await begin(http, agent)

            async def some_are_written() -> bool:
                made = await tables.fetchval(
                    "SELECT count(*) FROM memories "
                    "WHERE agent_id = $1 AND memory_type = 'semantic'",
                    agent,
                )
                return bool(made)

            await until(some_are_written, within_s=ENDS_WITHIN_S)
        await service.stop(kill=True)
    row = await tables.fetchrow(
        "SELECT state, lease_until - now() AS lease FROM jobs WHERE id = $1",
        UUID(job["id"]),
    )
    assert row is not None
    assert row["state"] == "running"
    assert row["lease"] < timedelta(seconds=11)
    # Its time passes.
    await tables.execute(
        "UPDATE jobs SET lease_until = now() WHERE agent_id = $1", agent
    )
    async with replica(dsn) as one:
        eve = one.caller(agent)
        assert (await ended(one.http, job))["state"] == "done"
        memories = await learnt(eve)
        cited = [s for memory in memories for s in memory["metadata"]["sources"]]
        assert len(cited) == len(set(cited)) > len(texts) / 2
        whole = one.caller(f"{agent}-whole")
        await whole.tell_all(texts, timestamp="2026-05-01T10:00:00Z")
        await consolidate(whole)
        assert [memory["content"] for memory in await learnt(whole)] == [
            memory["content"] for memory in memories
        ]


async def test_two_replicas_share_the_jobs(
    dsn: str, agent: str, tables: asyncpg.Connection
) -> None:
    names = [f"{agent}-{n}" for n in range(6)]
    async with replica(dsn) as one, replica(dsn) as other:
        for name in names:
            await one.caller(name).tell_all(GARDEN + PIANO)
        begun = await asyncio.gather(
            *(begin(each.http, name) for name in names for each in (one, other))
        )
        done = await asyncio.gather(*(ended(other.http, job) for job in begun))
        assert len({job["id"] for job in done}) == len(names)
        assert {job["result"]["memories"] for job in done} == {2}
        epochs = await tables.fetch(
            "SELECT epoch FROM jobs WHERE agent_id = ANY($1)", names
        )
        assert [row["epoch"] for row in epochs] == [1] * len(names)
        for name in names:
            assert len(await learnt(one.caller(name))) == 2


async def test_a_job_that_ends_every_process_is_given_up(
    eve: Caller, tables: asyncpg.Connection
) -> None:
    await tables.execute(
        "INSERT INTO jobs (agent_id, id, kind, state, created_at, epoch, progress) "
        "VALUES ($1, $2, 'consolidate', 'waiting', now(), $3, $4)",
        eve.agent_id,
        job_id := new_id(),
        jobs.MAX_EPOCHS,
        json.dumps({"after": 0, "until": 1}),
    )
    job = await ended(eve.http, {"id": str(job_id)})
    assert job["state"] == "failed"


async def test_by_itself_once_there_is_enough(
    one: Replica,
    eve: Caller,
    tables: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedule, "ENOUGH_EPISODES", len(GARDEN))
    open_due = one.context.schedule.open_due

    async def settle() -> None:
        await tables.execute(
            "UPDATE memories SET created_at = created_at - $2::interval "
            "WHERE agent_id = $1",
            eve.agent_id,
            schedule.SETTLED_AFTER,
        )

    async def has_done(count: int) -> None:
        async def so_many() -> bool:
            done = await tables.fetchval(
                "SELECT count(*) FROM jobs WHERE agent_id = $1 AND state = 'done'",
                eve.agent_id,
            )
            return bool(done == count)

        await until(so_many, within_s=ENDS_WITHIN_S)

    await eve.tell_all(GARDEN[:-1])
    await settle()
    assert await open_due() == 0
    await eve.tell(GARDEN[-1])
    assert await open_due() == 0
    await settle()
    assert await open_due() == 1
    await has_done(1)
    assert len(await learnt(eve)) == 1
    # What it made of them is no reason to begin anew.
    await settle()
    assert await open_due() == 0
    await eve.tell_all([f"{text} Again." for text in GARDEN])
    await settle()
    assert await open_due() == 1
    await has_done(2)


async def test_beyond_the_capacity_the_least_valuable_goes(
    dsn: str, agent: str, tables: asyncpg.Connection
) -> None:
    async with replica(dsn, memory_capacity=12) as one:
        eve = one.caller(agent)
        garden = await eve.tell_all(GARDEN, importance=1.0)
        stray = [f"{text}" for text in varied(60)[::5]]
        weights = [n / 20 for n in range(len(stray))]
        others = [
            await eve.tell(text, importance=weight, memory_type="procedural")
            for text, weight in zip(stray, weights, strict=True)
        ]
        pinned = await eve.tell("Keep this one.", importance=0.0, pinned=True)
        await tables.execute(
            "UPDATE memories SET access_count = 1000 WHERE id = $1",
            UUID(others[1]["id"]),
        )
        result = await consolidate(eve)
        left = {m["id"] for m in (await eve.recent(limit=100))["memories"]}
        assert len(left) == 12
        assert result["removed"] == 6
        assert pinned["id"] in left
        # First what was put together, though it mattered most, then what matters least
        # and was not used.
        assert not left & ids(garden)
        assert len(await learnt(eve)) == 1
        gone = [memory["id"] for memory in others if memory["id"] not in left]
        assert gone == [others[0]["id"], others[2]["id"]]
        # Capacity is not forgetting.
        again = await eve.tell(stray[0])
        assert again["content"] == stray[0]
        # By itself, too.
        assert await one.context.schedule.open_due() >= 1

        async def fits() -> bool:
            return len((await eve.recent(limit=100))["memories"]) == 12

        await until(fits, within_s=ENDS_WITHIN_S)


async def test_who_lost_the_job_makes_no_room(eve: Caller, one: Replica) -> None:
    told = await eve.tell(STRAY)
    revisions = Revisions(one.context.database, MODEL_NAME)
    with pytest.raises(JobLost):
        await revisions.delete(
            eve.agent_id,
            [UUID(told["id"])],
            fence=Fence(eve.agent_id, uuid4(), epoch=1, seen_seq=0),
        )
    assert (await eve.get(told["id"])).status_code == 200


async def test_memory_is_bounded(
    dsn: str, agent: str, tables: asyncpg.Connection, safety_server: SafetyServer
) -> None:
    await fill(tables, agent, 20_000)
    async with (
        process(dsn, SAFETY_URL=safety_server.address) as service,
        service.client() as http,
    ):
        assert service.process is not None
        await consolidate(Caller(http, f"{agent}-none"))
        before = peak_mb(service.process.pid)
        result = await consolidate(Caller(http, agent))
        grown = peak_mb(service.process.pid) - before
    assert result["memories"] > 0
    assert grown < 50


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


async def fill(tables: asyncpg.Connection, agent: str, count: int) -> None:
    """Memories with vectors of no text; one in a hundred belongs to a group."""
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(count, 384))
    grouped = np.arange(0, count, 100)
    vectors[grouped] = vectors[0] + 0.3 * vectors[grouped]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    packed = [row.astype("<f2").tobytes() for row in vectors]
    now = datetime.now(UTC)
    names = [new_id() for _ in range(count)]
    await tables.copy_records_to_table(
        "memories",
        columns=[
            "agent_id", "id", "seq", "changed_seq", "content", "memory_type",
            "importance", "timestamp", "created_at", "updated_at", "metadata",
            "evidence", "pinned", "judged",
        ],
        records=[
            (agent, name, n, n, f"Number {n}.", "episodic", 0.5, now, now, now,
             "{}", "told", False, True)
            for n, name in enumerate(names, 1)
        ],
    )  # fmt: skip
    await tables.copy_records_to_table(
        "embeddings",
        columns=["agent_id", "memory_id", "seq", "model", "vector"],
        records=[
            (agent, name, n, MODEL_NAME, vector)
            for n, (name, vector) in enumerate(zip(names, packed, strict=True), 1)
        ],
    )
    await tables.execute(
        "INSERT INTO agents (agent_id, seq) VALUES ($1, $2)", agent, count
    )


async def test_a_conversation_is_summed_up(eve: Caller) -> None:
    folder = os.environ.get("SHARED_DIR") or Path(__file__).parents[4] / "shared"
    file = Path(folder) / "data" / "locomo-dev.json"
    if not file.is_file():
        pytest.skip("needs LoCoMo's conversations: set SHARED_DIR")
    talk = json.loads(file.read_text())[1]["conversation"]
    turns = [
        {
            "content": f"{turn['speaker']}: {turn['text']}",
            "session_id": f"session-{number}",
            "timestamp": f"2023-05-{number:02}T12:00:00Z",
        }
        for number in range(1, 32)
        for turn in talk.get(f"session_{number}", [])
    ]
    totals, _ = await eve.take_in(turns)  # type: ignore[arg-type]
    assert totals["imported"] == len(turns)
    result = await consolidate(eve)
    memories = await learnt(eve)
    # Most turns are about something that others are about too.
    assert result["consolidated"] > 0.6 * len(turns)
    assert 20 < len(memories) < len(turns) / 5
    sizes = [len(memory["metadata"]["sources"]) for memory in memories]
    assert min(sizes) >= 3
    assert max(sizes) == MAX_SOURCES
    lengths = [len(memory["content"]) for memory in memories]
    assert max(lengths) <= 700
    assert np.median(lengths) > 150
    spans = [(m["metadata"]["since"], m["metadata"]["until"]) for m in memories]
    assert all(since <= until for since, until in spans)
    distinct = sorted({memory["content"] for memory in memories})
    assert len(distinct) == len(memories)
    assert all(one != other for one, other in pairwise(distinct))


def test_progress_is_what_a_job_begins_with() -> None:
    assert Progress(after=3, until=9).result == {
        "consolidated": 0,
        "memories": 0,
        "refused": 0,
        "removed": 0,
    }
