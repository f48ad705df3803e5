"""What it costs PostgreSQL that many streams are shared, and how soon one replica
follows another."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
from pydantic import SecretStr
from tests.support.mind import Mind, running_mind
from tests.support.servers import server_folder
from tests.support.thinker import second_thinker
from tests.support.waiting import until

from benchmarks.figures import Figure
from contracts.agent import DEFAULT_STREAMS
from contracts.ids import new_id
from devstack.postgres import Postgres
from servicekit.database import Database
from servicekit.migrations import apply_migrations
from thought_generator.domain.beating import Beat
from thought_generator.domain.streams import StreamScheduler
from thought_generator.models.feed import Notice
from thought_generator.models.leases import Lease
from thought_generator.models.prompts import Usage
from thought_generator.models.thoughts import Draft
from thought_generator.stores.agents import AgentStore
from thought_generator.stores.leases import LeaseStore
from thought_generator.stores.thoughts import ThoughtStore

AGENTS = 2_000
STREAMS = AGENTS * len(DEFAULT_STREAMS)
REPLICAS = 4
# Of each stream; all together think 62.5 times a second.
INTERVAL_S = 160.0
LEASE = timedelta(seconds=10)
WATCH_S = 40.0
CHANGE_EVERY_S = 1.0
SHARED_WITHIN_S = 60.0
PACKAGE = "thought_generator"

# A second's thoughts are few beside the statements of a breath, which all count.
SPENT = """
SELECT
    sum(total_exec_time + total_plan_time) FILTER (WHERE query !~ $1) AS other_ms,
    sum(total_exec_time + total_plan_time) FILTER (WHERE query ~ $1) AS commit_ms,
    sum(calls) FILTER (WHERE query ~ $1)::double precision AS thoughts
FROM pg_stat_statements
WHERE query !~ 'pg_stat_statements|GROUP BY owner'
"""
COMMIT = "INSERT INTO thoughts"

# Streams of two processes, at a pace that shows when they go on.
QUICK_S = 0.3
ROUNDS = 3


async def measure() -> list[Figure]:
    """PostgreSQL's own time for all statements but commits, planning included, from
    `pg_stat_statements`; then the takeover between two processes."""
    return [*await _costs(), *await _takeovers()]


async def _costs() -> list[Figure]:
    async with AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(_server())
        connection = await asyncpg.connect(dsn)
        stack.push_async_callback(connection.close)
        replicas = [
            await stack.enter_async_context(_replica(f"r{number}", dsn))
            for number in range(REPLICAS)
        ]
        await _until_shared(connection, REPLICAS)
        quiet = await _spent(connection, lambda: asyncio.sleep(WATCH_S))
        changed = await _spent(connection, lambda: _change(dsn))
        # The last but one, so that places shift as well.
        left = await _spent(connection, lambda: _leave(connection, replicas[-2]))
    name = f"scheduling {STREAMS:,} streams, {REPLICAS} replicas: PostgreSQL a thought"
    return [
        Figure(name, "ms", 1.0, quiet.a_thought_ms, note=quiet.note),
        Figure(
            f"{name}, a pause or resume every second",
            "ms",
            1.0,
            changed.a_thought_ms,
            note=changed.note,
        ),
        Figure(
            "a replica leaves: PostgreSQL a stream moved",
            "ms",
            1.0,
            left.other_ms / (STREAMS / REPLICAS),
            note=f"{STREAMS // REPLICAS:,} streams",
        ),
    ]


@asynccontextmanager
async def _server() -> AsyncIterator[str]:
    with server_folder() as folder:
        primary = Postgres.primary(folder)
        async with primary:
            connection = await primary.connect()
            await connection.execute(
                "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'"
            )
            await connection.execute(
                "ALTER SYSTEM SET pg_stat_statements.track_planning = on"
            )
            await connection.close()
        async with Postgres.primary(folder) as primary:
            await asyncio.to_thread(apply_migrations, primary.dsn(), PACKAGE)
            connection = await primary.connect()
            await _fill(connection)
            await connection.close()
            yield primary.dsn()


async def _fill(connection: asyncpg.Connection) -> None:
    await connection.execute("CREATE EXTENSION pg_stat_statements")
    await connection.execute("DELETE FROM agents")
    await connection.execute(
        "INSERT INTO agents (agent_id, persona, usd_per_day)"
        " SELECT 'a' || n, 'I am calm.', 10 FROM generate_series(1, $1::int) AS n",
        AGENTS,
    )
    await connection.execute(
        "INSERT INTO streams (agent_id, stream, enabled, interval_seconds)"
        " SELECT agent_id, stream, true, $2 FROM agents, unnest($1::text[]) AS stream",
        list(DEFAULT_STREAMS),
        INTERVAL_S,
    )
    await connection.execute("ANALYZE")


class _Replica:
    """A scheduler whose beats commit a thought without any thinking."""

    def __init__(self, name: str, database: Database) -> None:
        self._thoughts = ThoughtStore(database, name)
        self._scheduler = StreamScheduler(
            LeaseStore(database, name, LEASE), LEASE, self._begin, self
        )
        self._task = asyncio.create_task(self._scheduler.run())

    def _begin(self, lease: Lease) -> Beat:
        async def beat() -> float:
            await self._thoughts.commit(_draft(lease), lease)
            return 1.0

        return beat

    async def notice(self, agent_id: str, notice: Notice) -> None:
        """Nobody listens."""

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._scheduler.stop()


@asynccontextmanager
async def _replica(name: str, dsn: str) -> AsyncIterator[_Replica]:
    database = Database(name, PACKAGE, SecretStr(dsn), None)
    await database.open()
    replica = _Replica(name, database)
    try:
        yield replica
    finally:
        await replica.stop()
        await database.close()


def _draft(lease: Lease) -> Draft:
    return Draft(
        id=new_id(),
        agent_id=lease.agent_id,
        stream=lease.stream,
        content="A thought of about the length that thoughts have. " * 4,
        engine="offline",
        model="offline",
        cached=False,
        context_digest="0",
        recalled=(),
        safety={},
        verdict=None,
        usage=Usage(),
        timings_ms={"total": 1.0},
        stop_reason="end_turn",
    )


async def _until_shared(connection: asyncpg.Connection, replicas: int) -> None:
    share = STREAMS / replicas

    async def check() -> bool:
        await asyncio.sleep(0.5)
        rows = await connection.fetch(
            "SELECT owner, count(*) AS held FROM streams GROUP BY owner"
        )
        return len(rows) == replicas and all(
            abs(row["held"] - share) < 1 for row in rows
        )

    await until(check, within_s=SHARED_WITHIN_S)


class _Spent:
    def __init__(self, row: asyncpg.Record) -> None:
        self.other_ms: float = row["other_ms"]
        self.a_thought_ms = self.other_ms / row["thoughts"]
        commit_ms = row["commit_ms"] / row["thoughts"]
        self.note = (
            f"{row['thoughts']:.0f} thoughts; their commits {commit_ms:.2f} ms each"
        )


async def _spent(
    connection: asyncpg.Connection, work: Callable[[], Awaitable[None]]
) -> _Spent:
    await connection.execute("SELECT pg_stat_statements_reset()")
    await work()
    return _Spent(await connection.fetchrow(SPENT, COMMIT))


async def _change(dsn: str) -> None:
    database = Database("changes", PACKAGE, SecretStr(dsn), None)
    await database.open()
    agents = AgentStore(database)
    for number in range(int(WATCH_S / CHANGE_EVERY_S)):
        await agents.set_paused(f"a{number // 2 + 1}", number % 2 == 0)
        await asyncio.sleep(CHANGE_EVERY_S)
    await database.close()


async def _leave(connection: asyncpg.Connection, replica: _Replica) -> None:
    await replica.stop()
    await _until_shared(connection, REPLICAS - 1)


async def _takeovers() -> list[Figure]:
    lease_s = LEASE.total_seconds()
    async with running_mind(LEASE_SECONDS=str(lease_s)) as mind:
        async with mind.client() as client:
            streams = {name: {"interval_seconds": QUICK_S} for name in DEFAULT_STREAMS}
            await client.patch("/api/thought/agents/default", json={"streams": streams})
        ended = [await _takeover_s(mind, signal.SIGTERM) for _ in range(ROUNDS)]
        killed = [await _takeover_s(mind, signal.SIGKILL) for _ in range(ROUNDS)]
    note = f"to the first thought of its last stream, worst of {ROUNDS}"
    return [
        Figure("takeover after SIGTERM", "s", 1.0, max(ended), note=note),
        Figure("takeover after kill -9", "s", lease_s + 1, max(killed), note=note),
    ]


async def _takeover_s(mind: Mind, how: signal.Signals) -> float:
    """From the signal to one of two thinkers until each stream has thought again."""
    async with second_thinker(mind) as second:
        # Long enough for the streams to be shared, and to think.
        await asyncio.sleep(5.0)
        told = datetime.now(UTC)
        await second.stop(how)
        print(f"waiting for the takeover after {how.name}", file=sys.stderr)
        firsts: dict[str, datetime] = {}
        async with mind.client() as client:
            while len(firsts) < len(DEFAULT_STREAMS):
                await asyncio.sleep(0.5)
                answer = await client.get("/api/thought/recent?limit=1000")
                for thought in answer.json()["thoughts"]:
                    made = datetime.fromisoformat(thought["created_at"])
                    if made > told:
                        # Newest first: the last one seen is the first one made.
                        firsts[thought["stream"]] = made
    return max((first - told).total_seconds() for first in firsts.values())
