"""How whole and how alive a mind is, and how it leaves a circle."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest
import pytest_asyncio
from pydantic import SecretStr
from tests.support.messages import Model, scripted_model
from tests.support.mind import Mind, running_mind
from tests.support.servers import own_primary
from tests.support.waiting import until

from contracts.ids import new_id
from servicekit.database import Database
from servicekit.migrations import apply_migrations
from thought_generator.domain.coherence import CELL, WINDOW, Coherences
from thought_generator.domain.focus import THEMES
from thought_generator.errors import BudgetSpent, EngineUnavailable
from thought_generator.prompting import CIRCLED
from thought_generator.stores.agents import AgentStore
from thought_generator.stores.coherence import SQL, CoherenceStore

AGENTS = "/api/thought/agents"
PACKAGE = "thought_generator"
CELLS = WINDOW // CELL
LONG_PAST = 30_000
STREAM_ADDED = """
INSERT INTO streams (agent_id, stream, enabled, interval_seconds, added_at)
VALUES ($1, $2, $3, $4, now() - $5::interval)
"""
# One in the middle of each cell, the newest in the last.
THOUGHTS = """
INSERT INTO thoughts (
    agent_id, id, stream, seq, previous_id, position, content, created_at, engine,
    model, cached, context_digest, recalled, safety, usage, timings_ms, stop_reason
)
SELECT
    $1, id, $2, n, lag(id) OVER (ORDER BY n), $4 + n, 'x',
    now() - $5::interval * (cardinality($3::uuid[]) - n + 0.5),
    'offline', 'm', false, '0', '[]', '{}', '{}', '{}', 'end_turn'
FROM unnest($3::uuid[]) WITH ORDINALITY AS made (id, n)
"""
THOUGHT_LAST = """
WITH agent AS (
    UPDATE agents SET position = position + $3 WHERE agent_id = $1
)

UPDATE streams SET last_seq = $3, last_beat_at = now()
WHERE agent_id = $1 AND stream = $2
"""


@pytest_asyncio.fixture(scope="module")
async def dsn() -> AsyncIterator[str]:
    """A migrated database of this module."""
    async with own_primary() as primary:
        await asyncio.to_thread(apply_migrations, primary.dsn(), PACKAGE)
        yield primary.dsn()


class History:
    """Writes what was, and asks what is told of it."""

    def __init__(self, connection: asyncpg.Connection, database: Database) -> None:
        self.execute = connection.execute
        self.fetch = connection.fetch
        self.agents = AgentStore(database)
        self.store = CoherenceStore(database)
        self.coherences = Coherences(self.store)

    async def agent(self) -> str:
        agent_id = f"c-{uuid4().hex[:8]}"
        await self.execute(
            "INSERT INTO agents (agent_id, persona, usd_per_day) VALUES ($1, 'x', 1)",
            agent_id,
        )
        return agent_id

    async def stream(
        self,
        agent_id: str,
        name: str = "primary",
        *,
        enabled: bool = True,
        interval_s: float = 8.0,
        age: timedelta = 2 * WINDOW,
    ) -> None:
        await self.execute(STREAM_ADDED, agent_id, name, enabled, interval_s, age)

    async def thinks(
        self,
        agent_id: str,
        name: str = "primary",
        *,
        thoughts: int = CELLS,
        cell: timedelta = CELL,
        position: int = 0,
    ) -> list[Any]:
        ids = [new_id() for _ in range(thoughts)]
        await self.execute(THOUGHTS, agent_id, name, ids, position, cell)
        await self.execute(THOUGHT_LAST, agent_id, name, thoughts)
        return ids

    async def silent(
        self, agent_id: str, reason: str, begun: timedelta, ended: timedelta | None
    ) -> None:
        await self.execute(
            "INSERT INTO gaps VALUES"
            " ($1, 'primary', $2, now() - $3::interval, now() - $4::interval)",
            agent_id,
            reason,
            begun,
            ended,
        )

    async def gaps(self, agent_id: str) -> list[tuple[str, str, bool]]:
        """Stream, reason, and whether it goes on, in the order of their beginnings."""
        rows = await self.fetch(
            "SELECT stream, reason, ended_at IS NULL FROM gaps WHERE agent_id = $1"
            " ORDER BY began_at",
            agent_id,
        )
        return [tuple(row) for row in rows]


@pytest_asyncio.fixture
async def history(dsn: str) -> AsyncIterator[History]:
    """With no agents but those that a test makes."""
    database = Database("test", PACKAGE, SecretStr(dsn), None)
    await database.open()
    connection = await asyncpg.connect(dsn)
    await connection.execute("DELETE FROM agents")
    try:
        yield History(connection, database)
    finally:
        await connection.close()
        await database.close()


async def test_a_whole_day_is_whole(history: History) -> None:
    agent = await history.agent()
    await history.stream(agent)
    # Also before the window.
    await history.thinks(agent, thoughts=CELLS + 20)
    found = await history.coherences.of(agent)
    assert (found.continuity, found.alive) == (1, 1)
    assert (found.thoughts_expected, found.cells) == (CELLS, CELLS)


async def test_each_break_of_a_chain_counts(history: History) -> None:
    agent = await history.agent()
    await history.stream(agent)
    ids = await history.thinks(agent, thoughts=100)
    await history.execute("DELETE FROM thoughts WHERE id = ANY($1)", ids[40:43])
    # What follows a hole cannot name what is not there.
    await history.execute(
        "UPDATE thoughts SET previous_id = $2 WHERE id = $1", ids[60], ids[57]
    )
    await history.execute(
        "UPDATE streams SET last_seq = 102 WHERE agent_id = $1", agent
    )
    found = await history.coherences.of(agent)
    assert found.thoughts_expected == 102
    assert (found.thoughts_lost, found.thoughts_misplaced) == (5, 1)
    assert found.continuity == pytest.approx(1 - 6 / 102)
    lowest = await history.store.lowest_continuity(WINDOW)
    # It does not look at where the chain should end.
    assert lowest == pytest.approx(1 - 4 / 100)


async def test_a_silence_counts_unless_it_was_wanted(history: History) -> None:
    agent = await history.agent()
    await history.stream(agent)
    await history.thinks(agent)
    hours = [timedelta(hours=n) for n in range(24)]
    for began, ended in ((hours[6], hours[4]), (hours[12], hours[11])):
        await history.execute(
            "DELETE FROM thoughts WHERE agent_id = $1 AND created_at"
            " BETWEEN now() - $2::interval AND now() - $3::interval",
            agent,
            began,
            ended,
        )
    assert (await history.coherences.of(agent)).alive == pytest.approx(252 / 288)
    # Two reasons at once are one silence; half a cell is enough, less is not.
    await history.silent(agent, "paused", hours[6], hours[5])
    await history.silent(agent, "budget", hours[6], hours[5] - 0.55 * CELL)
    await history.silent(agent, "disabled", hours[12], hours[12] - 0.45 * CELL)
    found = await history.coherences.of(agent)
    assert (found.cells, found.cells_excused) == (288, 13)
    assert found.alive == pytest.approx(252 / 275)


async def test_a_young_stream_owes_nothing_for_its_past(history: History) -> None:
    agent = await history.agent()
    await history.stream(agent, age=timedelta(minutes=1))
    found = await history.coherences.of(agent)
    assert (found.continuity, found.alive, found.cells) == (None, None, 0)
    assert await history.coherences.lowest_continuity() is None
    assert await history.coherences.lowest_liveness() is None


async def test_a_slow_stream_has_long_cells(history: History) -> None:
    agent = await history.agent()
    await history.stream(agent, interval_s=1800)
    await history.thinks(agent, thoughts=24, cell=timedelta(hours=1))
    found = await history.coherences.of(agent)
    assert (found.cells, found.alive) == (24, 1)


async def test_an_open_pause_excuses_until_now(history: History) -> None:
    agent = await history.agent()
    await history.stream(agent)
    await history.silent(agent, "paused", 2 * WINDOW, None)
    found = await history.coherences.of(agent)
    assert (found.cells_excused, found.alive) == (CELLS, None)
    assert await history.coherences.lowest_liveness() is None


async def test_what_is_long_past_is_not_read(history: History) -> None:
    agent = await history.agent()
    await history.stream(agent)
    # Of a mind that is alone a third of all would be expected behind any position.
    await history.thinks(agent, thoughts=LONG_PAST, cell=timedelta(hours=1))
    await history.execute("ANALYZE")
    for name, arguments in (
        ("coherence", (agent, WINDOW, CELL)),
        ("lowest_continuity", (CELL,)),
    ):
        rows = await history.fetch(f"EXPLAIN (ANALYZE) {SQL[name]}", *arguments)
        plan = "\n".join(row[0] for row in rows)
        assert "Seq Scan on thoughts" not in plan


async def test_the_lowest_of_all_agents_is_told(history: History) -> None:
    for number in range(3):
        agent = await history.agent()
        await history.stream(agent, "primary")
        await history.stream(agent, "creative")
        await history.thinks(agent, "primary", thoughts=20)
        if number:
            await history.thinks(agent, "creative", thoughts=20, position=20)
    assert await history.coherences.lowest_liveness() == 0.5
    assert await history.coherences.lowest_continuity() == 1


async def test_what_a_person_or_a_budget_wants_is_kept(history: History) -> None:
    agent = await history.agent()
    await history.stream(agent, enabled=False)
    # What is out is nobody's wish.
    for change in ("enabled = true", f"doze_problem = '{EngineUnavailable.kind}'"):
        await history.execute(f"UPDATE streams SET {change} WHERE agent_id = $1", agent)
    assert await history.gaps(agent) == [("primary", "disabled", False)]
    for problem in (BudgetSpent.kind, BudgetSpent.kind, None):
        await history.execute(
            "UPDATE streams SET doze_problem = $2 WHERE agent_id = $1", agent, problem
        )
    for paused in (True, True, False):
        await history.agents.set_paused(agent, paused)
    await history.agents.set_paused(agent, True)
    await history.stream(agent, "later")
    assert await history.gaps(agent) == [
        ("primary", "disabled", False),
        ("primary", "budget", False),
        ("primary", "paused", False),
        ("primary", "paused", True),
        ("later", "paused", True),
    ]
    await history.agents.delete(agent)
    assert await history.gaps(agent) == []


async def test_a_loop_is_counted_once_and_goes_with_its_agent(
    history: History,
) -> None:
    agent = await history.agent()
    await history.stream(agent)
    ids = await history.thinks(agent, thoughts=3)
    store = history.store
    for thought_id in (ids[1], ids[1], ids[2], new_id()):
        await store.note_loop(agent, thought_id)
    assert (await history.coherences.of(agent)).loops_broken == 2
    await history.execute(
        "UPDATE loops SET broken_at = now() - $1::interval", 2 * WINDOW
    )
    assert (await history.coherences.of(agent)).loops_broken == 0
    await history.agents.delete(agent)
    assert await history.fetch("SELECT FROM loops") == []


@pytest_asyncio.fixture(scope="module")
async def circling() -> AsyncIterator[tuple[Mind, Model]]:
    """A mind whose model always says the same."""
    async with (
        scripted_model() as model,
        running_mind(
            ANTHROPIC_API_KEY="test-key",
            ANTHROPIC_BASE_URL=model.base_url,
            THOUGHT_STRUCTURED_OUTPUT="off",
        ) as mind,
        mind.client() as client,
    ):
        streams = {"primary": {"interval_seconds": 0.1}}
        body = {"streams": streams, "budget": {"usd_per_day": 100}}
        (await client.put(f"{AGENTS}/circling", json=body)).raise_for_status()
        (await client.post(f"{AGENTS}/default/pause")).raise_for_status()
        yield mind, model


async def coherence(client: httpx2.AsyncClient, agent: str) -> dict[str, Any]:
    answer = await client.get(f"{AGENTS}/{agent}/coherence")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_mind_that_says_the_same_is_turned_away(
    circling: tuple[Mind, Model],
) -> None:
    mind, model = circling
    async with mind.client() as client:

        async def turned() -> bool:
            broken: int = (await coherence(client, "circling"))["loops_broken"]
            return broken >= 8

        await until(turned, within_s=20)
        found = await coherence(client, "circling")
        assert found["continuity"] == 1
        assert found["thread"] is None
        assert found["window_seconds"] == 86_400
        recent = await client.get("/api/thought/recent?agent_id=circling&limit=1000")
        # Each is committed all the same: it was paid for, and its prompt tells why.
        assert len(recent.json()["thoughts"]) >= found["loops_broken"]
        metrics = await client.get(f"{mind.service('thought-generator')}/metrics")
    (counted,) = (
        float(line.split()[1])
        for line in metrics.text.splitlines()
        if line.startswith("claude_agi_thought_loops_broken_total ")
    )
    assert counted >= found["loops_broken"]
    warned = [asked for asked in model.asked if CIRCLED in str(asked["system"])]
    assert len(warned) >= 7
    shown = [str(asked["messages"][-1]["content"]) for asked in warned]
    assert all("The thought before" not in each for each in shown)
    themes = [theme for each in shown for theme in THEMES if theme in each]
    assert len(set(themes)) >= 4


async def test_a_mind_that_is_told_of_no_agent_says_so(
    circling: tuple[Mind, Model],
) -> None:
    mind, _ = circling
    async with mind.client() as client:
        answer = await client.get(f"{AGENTS}/nobody/coherence")
        assert answer.status_code == 404
        assert answer.json()["type"].endswith("agent-unknown")
