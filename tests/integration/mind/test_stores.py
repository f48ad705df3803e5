"""The stores on a real PostgreSQL, where two callers meet."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import pytest_asyncio
from pydantic import SecretStr
from tests.support.servers import own_primary

from contracts.fakes import FakeSafety
from contracts.ids import new_id
from contracts.safety import ValidateRequest, Verdict
from servicekit import database as database_module
from servicekit.database import Database
from servicekit.idempotency import Idempotency, IdempotencyKey
from servicekit.migrations import apply_migrations
from thought_generator.domain.agents import Agents
from thought_generator.domain.gate import Gate
from thought_generator.errors import AgentUnknown
from thought_generator.models.agents import Agent, AgentState, Stream
from thought_generator.models.budget import Limits, Offer
from thought_generator.models.prompts import Recalled, Usage
from thought_generator.models.thoughts import Draft, Thought
from thought_generator.stores import agents as agents_module
from thought_generator.stores.agents import AgentStore
from thought_generator.stores.budgets import BudgetStore
from thought_generator.stores.leases import SQL, LeaseStore
from thought_generator.stores.outbox import OutboxStore
from thought_generator.stores.thoughts import ThoughtStore

LEASE = timedelta(seconds=10)
PACKAGE = "thought_generator"
# More streams than there are.
MANY = 10_000


@pytest_asyncio.fixture(scope="module")
async def dsn() -> AsyncIterator[str]:
    """A migrated database of this module."""
    async with own_primary() as primary:
        await asyncio.to_thread(apply_migrations, primary.dsn(), PACKAGE)
        yield primary.dsn()


@pytest_asyncio.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """Connected."""
    opened = Database("test", PACKAGE, SecretStr(dsn), None)
    await opened.open()
    yield opened
    await opened.close()


def agent_named(agent_id: str, streams: int = 1) -> Agent:
    return Agent(
        agent_id,
        "I am calm.",
        {f"s{n}": Stream() for n in range(streams)},
        Limits(Decimal(10), None),
        AgentState.RUNNING,
    )


def draft(agent_id: str) -> Draft:
    return Draft(
        id=new_id(),
        agent_id=agent_id,
        stream="s0",
        content="a thought",
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


@pytest_asyncio.fixture
async def agent_id(database: Database) -> str:
    """A new agent."""
    name = f"a-{uuid4().hex}"
    await AgentStore(database).put(agent_named(name))
    return name


async def test_an_agent_that_goes_while_money_is_reserved_is_unknown(
    database: Database, agent_id: str
) -> None:
    budgets = BudgetStore(database)
    async with database.transaction() as leaving:
        await leaving.execute("DELETE FROM agents WHERE agent_id = $1", agent_id)
        reserving = asyncio.create_task(
            budgets.reserve(agent_id, new_id(), [Offer(Decimal(1), 10, None)])
        )
        await asyncio.sleep(0.1)
        assert not reserving.done()
    with pytest.raises(AgentUnknown):
        await reserving


async def test_answers_kept_for_keys_go_with_their_agent(
    database: Database, agent_id: str
) -> None:
    key = IdempotencyKey(agent_id, "generate", "k", b"digest")

    def answer(thought: Thought) -> str:
        return thought.content

    assert await ThoughtStore(database, "r").commit_once(draft(agent_id), key, answer)
    assert await Idempotency(database).first_answer(key) == "a thought"
    await AgentStore(database).delete(agent_id)
    assert await Idempotency(database).first_answer(key) is None


async def test_a_delivery_names_what_was_recalled(
    database: Database, agent_id: str
) -> None:
    """So that memory knows what the thought was made from."""
    recalled = Recalled(new_id(), 0.5, "a memory", "told")
    thought = replace(draft(agent_id), recalled=(recalled,))
    await ThoughtStore(database, "r").commit(thought, None)
    deliveries = await OutboxStore(database).claim(100)
    (mine,) = [each for each in deliveries if each.agent_id == agent_id]
    assert mine.sources == [recalled.memory_id]


class Overtaking(FakeSafety):
    """While it judges, somebody else acts."""

    def __init__(self, act: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self._act: Callable[[], Awaitable[object]] | None = act

    async def validate(self, request: ValidateRequest) -> Verdict:
        act, self._act = self._act, None
        if act is not None:
            await act()
        return await super().validate(request)


def with_persona(agent: Agent) -> Agent:
    return replace(agent, persona="I am merry.")


async def test_changes_made_at_once_are_both_kept(
    database: Database, agent_id: str
) -> None:
    store = AgentStore(database)
    limits = Limits(Decimal(99), 7)

    async def overtake() -> None:
        await store.put(replace(await store.get(agent_id), limits=limits))

    agents = Agents(store, Gate(Overtaking(overtake)))
    changed = await agents.change(agent_id, with_persona)
    assert (changed.persona, changed.limits) == ("I am merry.", limits)


async def test_a_change_does_not_bring_a_removed_agent_back(
    database: Database, agent_id: str
) -> None:
    store = AgentStore(database)
    agents = Agents(store, Gate(Overtaking(lambda: store.delete(agent_id))))
    with pytest.raises(AgentUnknown):
        await agents.change(agent_id, with_persona)
    assert await store.page("", [agent_id], 1) == []


async def test_what_an_agent_thought_in_months_may_take_long_to_remove(
    dsn: str, database: Database, agent_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "COMMAND_TIMEOUT_S", 0.6)
    monkeypatch.setattr(agents_module, "THOUGHTS_DELETED_AT_ONCE", 2)
    for _ in range(5):
        await ThoughtStore(database, "r").commit(draft(agent_id), None)
    await database.fetch(
        "CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.2); RETURN OLD; END $$"
    )
    await database.fetch(
        "CREATE TRIGGER slow BEFORE DELETE ON thoughts FOR EACH ROW"
        " EXECUTE FUNCTION be_slow()"
    )
    impatient = Database("test", PACKAGE, SecretStr(dsn), None)
    await impatient.open()
    try:
        await AgentStore(impatient).delete(agent_id)
        assert await AgentStore(database).page("", [agent_id], 1) == []
    finally:
        await impatient.close()
        await database.fetch("DROP FUNCTION be_slow CASCADE")


async def test_a_replica_does_not_take_what_another_has_just_claimed(
    database: Database,
) -> None:
    name = f"a-{uuid4().hex}"
    await AgentStore(database).put(agent_named(name, streams=3))
    quick = LeaseStore(database, f"{name}-quick", LEASE)
    slow = f"{name}-slow"
    query = "SELECT owner, epoch FROM streams WHERE agent_id = $1 ORDER BY stream"
    before = await database.fetch(query, name)
    await quick.renew()
    # Its snapshot is taken first, its rows are looked at last.
    slowed = SQL["claim_streams"].replace(
        "WHERE\n", "WHERE\n(SELECT true FROM pg_sleep(0.3)) AND\n", 1
    )
    assert slowed != SQL["claim_streams"]
    claiming = asyncio.create_task(database.fetch(slowed, slow, MANY))
    await asyncio.sleep(0.1)
    await quick.claim(MANY)
    await claiming
    after = await database.fetch(query, name)
    assert after == [(f"{name}-quick", row["epoch"] + 1) for row in before]
    await quick.release()
    await AgentStore(database).delete(name)


async def test_a_stream_that_was_handed_over_is_free_at_once(
    database: Database,
) -> None:
    name = f"a-{uuid4().hex}"
    await AgentStore(database).put(agent_named(name))
    first, second = (LeaseStore(database, f"{name}-{n}", LEASE) for n in (1, 2))
    for store in (first, second):
        await store.renew()
    await first.claim(MANY)
    await second.claim(MANY)
    assert name not in {lease.agent_id for lease, _ in await second.owned()}
    await first.release()
    await second.claim(MANY)
    assert name in {lease.agent_id for lease, _ in await second.owned()}
    assert name not in {lease.agent_id for lease, _ in await first.owned()}
    await second.release()
    await AgentStore(database).delete(name)


async def test_a_thinker_frozen_in_a_transaction_is_put_out(
    dsn: str, agent_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "MAX_IDLE_IN_TRANSACTION_S", 0.3)
    database = Database("test", PACKAGE, SecretStr(dsn), None)
    await database.open()
    agents = AgentStore(database)

    async def freeze() -> None:
        async with database.transaction() as connection:
            await connection.execute(
                "SELECT 1 FROM agents WHERE agent_id = $1 FOR UPDATE", agent_id
            )
            await asyncio.Event().wait()

    frozen = asyncio.create_task(freeze())
    await asyncio.sleep(0.1)
    try:
        await agents.set_paused(agent_id, True)
    finally:
        frozen.cancel()
        await asyncio.gather(frozen, return_exceptions=True)
        await database.close()
