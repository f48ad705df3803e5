"""Many replicas share the streams of one database: fairly, and none of them twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY
from pydantic import SecretStr
from tests.support.servers import own_primary
from tests.support.waiting import until

from contracts.ids import new_id
from servicekit.database import Database
from servicekit.errors import DatabaseUnavailable
from servicekit.migrations import apply_migrations
from thought_generator.domain.beating import Beat
from thought_generator.domain.streams import StreamScheduler
from thought_generator.errors import EngineUnavailable, Fenced, SafetyUnavailable
from thought_generator.models.agents import Agent, AgentState, Doze, Stream
from thought_generator.models.budget import Limits
from thought_generator.models.feed import Notice
from thought_generator.models.leases import Lease
from thought_generator.models.prompts import Usage
from thought_generator.models.thoughts import Draft
from thought_generator.stores.agents import AgentStore
from thought_generator.stores.leases import LeaseStore
from thought_generator.stores.thoughts import ThoughtStore

LEASE = timedelta(seconds=2)
PACKAGE = "thought_generator"
# The lease, a breath, and a machine that does something else at the same time.
WITHIN_S = 10.0


@pytest_asyncio.fixture(scope="module")
async def dsn() -> AsyncIterator[str]:
    """A migrated database of this module, its first agent gone."""
    async with own_primary() as primary:
        await asyncio.to_thread(apply_migrations, primary.dsn(), PACKAGE)
        connection = await primary.connect()
        await connection.execute("DELETE FROM agents")
        await connection.close()
        yield primary.dsn()


@pytest_asyncio.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """Connected; what a test made is gone after it."""
    opened = Database("test", PACKAGE, SecretStr(dsn), None)
    await opened.open()
    yield opened
    await opened.fetch("DELETE FROM agents")
    await opened.fetch("DELETE FROM replicas")
    await opened.close()


def an_agent(name: str, streams: int, interval_s: float = 0.3) -> Agent:
    return Agent(
        name,
        "I am calm.",
        {f"s{n:02d}": Stream(interval_seconds=interval_s) for n in range(streams)},
        Limits(Decimal(10), None),
        AgentState.RUNNING,
    )


def a_draft(lease: Lease) -> Draft:
    return Draft(
        id=new_id(),
        agent_id=lease.agent_id,
        stream=lease.stream,
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


class Replica:
    """A scheduler whose beats commit a thought, with connections of its own."""

    def __init__(self, name: str, database: Database) -> None:
        self.begun: list[Lease] = []
        self.fenced = 0
        self.raising: Exception | None = None
        self.told: list[str] = []
        self._database = database
        self._thoughts = ThoughtStore(database, name)
        self._scheduler = StreamScheduler(
            LeaseStore(database, name, LEASE), LEASE, self._begin, self
        )
        self._task = asyncio.create_task(self._scheduler.run())

    def _begin(self, lease: Lease) -> Beat:
        self.begun.append(lease)

        async def beat() -> float:
            if self.raising is not None:
                raise self.raising
            try:
                await self._thoughts.commit(a_draft(lease), lease)
            except Fenced:
                self.fenced += 1
                raise
            return 1.0

        return beat

    async def notice(self, agent_id: str, notice: Notice) -> None:
        self.told.append(notice.kind)

    async def stop(self) -> None:
        """As SIGTERM does."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with suppress(DatabaseUnavailable):
            await self._scheduler.stop()

    async def kill(self) -> None:
        """As `kill -9` does: cut off before it can hand anything over."""
        await self._database.close()
        await self.stop()


Start = Callable[[str], Awaitable[Replica]]


@pytest_asyncio.fixture
async def start(database: Database, dsn: str) -> AsyncIterator[Start]:
    """Starts replicas, ended after the test."""
    async with AsyncExitStack() as stack:

        async def begin(name: str) -> Replica:
            own = Database(name, PACKAGE, SecretStr(dsn), None, pool_size=4)
            await own.open()
            stack.push_async_callback(own.close)
            replica = Replica(name, own)
            stack.push_async_callback(replica.stop)
            return replica

        yield begin


async def until_shared(database: Database, **wanted: int) -> None:
    """Waits until so many streams have each owner."""

    async def check() -> bool:
        rows = await database.fetch("SELECT owner FROM streams WHERE owner IS NOT NULL")
        return Counter(row["owner"] for row in rows) == wanted

    await until(check, within_s=WITHIN_S)


async def thinks(database: Database, *agent_ids: str) -> None:
    """Waits until every stream of the agents has thought once more."""
    query = "SELECT sum(last_seq) FROM streams WHERE agent_id = $1 GROUP BY stream"

    async def counts() -> list[int]:
        rows = [row for each in agent_ids for row in await database.fetch(query, each)]
        return [int(row[0]) for row in rows]

    before = await counts()

    async def all_more() -> bool:
        return all(b > a for a, b in zip(before, await counts(), strict=True))

    await until(all_more, within_s=WITHIN_S)


def assert_none_was_thought_twice(*replicas: Replica) -> None:
    taken = Counter(
        (lease.agent_id, lease.stream, lease.epoch)
        for replica in replicas
        for lease in replica.begun
    )
    assert set(taken.values()) == {1}


async def test_who_joins_and_leaves_moves_streams_in_good_order(
    database: Database, start: Start
) -> None:
    await AgentStore(database).put(an_agent("a", 10))
    first = await start("first")
    await until_shared(database, first=10)
    second = await start("second")
    await until_shared(database, first=5, second=5)
    third = await start("third")
    await until_shared(database, first=4, second=3, third=3)
    await thinks(database, "a")
    await second.stop()
    await until_shared(database, first=5, third=5)
    await third.stop()
    await until_shared(database, first=10)
    await thinks(database, "a")
    # A stream moves between two beats: no thought was made for nothing.
    assert first.fenced == second.fenced == third.fenced == 0
    assert_none_was_thought_twice(first, second, third)


async def test_there_are_fewer_streams_than_replicas(
    database: Database, start: Start
) -> None:
    await AgentStore(database).put(an_agent("a", 2))
    for name in ("r1", "r2", "r3"):
        await start(name)
    await until_shared(database, r1=1, r2=1)


async def test_streams_of_a_killed_replica_are_taken_when_its_lease_ends(
    database: Database, start: Start
) -> None:
    await AgentStore(database).put(an_agent("a", 10))
    first, second = await start("first"), await start("second")
    await until_shared(database, first=5, second=5)
    await second.kill()
    await until_shared(database, first=10)
    await thinks(database, "a")
    assert_none_was_thought_twice(first, second)


async def test_a_thousand_streams_over_four(database: Database, start: Start) -> None:
    for number in range(50):
        await AgentStore(database).put(an_agent(f"a{number}", 20, interval_s=3600))
    replicas = [await start(f"r{number}") for number in range(4)]
    await until_shared(database, r0=250, r1=250, r2=250, r3=250)
    await replicas[1].stop()
    await until_shared(database, r0=334, r2=333, r3=333)
    assert_none_was_thought_twice(*replicas)


async def test_an_owner_that_was_too_slow_cannot_commit(
    database: Database, start: Start
) -> None:
    await AgentStore(database).put(an_agent("a", 1))
    slow = LeaseStore(database, "slow", LEASE)
    assert not await slow.renew()
    assert await slow.renew()
    ((lease, _),) = await slow.claim(10)
    await start("quick")
    await until_shared(database, quick=1)
    assert not await slow.renew()
    with pytest.raises(Fenced):
        await ThoughtStore(database, "slow").commit(a_draft(lease), lease)
    await slow.release()


async def test_an_owner_that_lost_its_streams_meanwhile_takes_its_share_again(
    database: Database, start: Start
) -> None:
    """It does not wait for a beat, which may be far away, to find out."""
    await AgentStore(database).put(an_agent("a", 4, interval_s=3600))
    first = await start("first")
    await until_shared(database, first=4)

    async def all_thought() -> bool:
        rows = await database.fetch("SELECT last_seq FROM streams")
        return [row["last_seq"] for row in rows] == [1] * 4

    await until(all_thought, within_s=WITHIN_S)
    # As after a pause of the process: another had all of them, and is gone again.
    other = LeaseStore(database, "other", LEASE)
    async with database.transaction() as meanwhile:
        await meanwhile.execute(
            "UPDATE replicas SET lease_until = now() - interval '1 s'"
        )
        await meanwhile.execute("UPDATE streams SET owner = 'other', epoch = epoch + 1")
    await other.release()

    async def taken_again() -> bool:
        epochs: dict[str, list[int]] = {lease.stream: [] for lease in first.begun}
        for lease in first.begun:
            epochs[lease.stream].append(lease.epoch)
        return all(each == [each[0], each[0] + 2] for each in epochs.values())

    await until(taken_again, within_s=WITHIN_S)


async def test_a_pause_a_change_and_a_removal_are_felt(
    database: Database, start: Start
) -> None:
    agents = AgentStore(database)
    await agents.put(an_agent("a", 2))
    replica = await start("r")
    await thinks(database, "a")
    await agents.set_paused("a", True)

    async def stands() -> bool:
        return REGISTRY.get_sample_value("active_consciousness_streams") == 0

    await until(stands, within_s=WITHIN_S)
    assert (await agents.page("", ["a"], 1))[0].dozing == {}
    await agents.set_paused("a", False)
    await thinks(database, "a")
    await agents.put(an_agent("a", 3, interval_s=0.2))
    await thinks(database, "a")
    assert {lease.interval_seconds for lease in replica.begun[-3:]} == {0.2}
    await agents.put(an_agent("b", 1))
    await thinks(database, "a", "b")
    await agents.delete("a")
    await agents.delete("b")
    await until(stands, within_s=WITHIN_S)


async def test_a_doze_is_shown_until_the_next_thought(
    database: Database, start: Start
) -> None:
    agents = AgentStore(database)
    await agents.put(an_agent("a", 2))
    replica = await start("r")
    await thinks(database, "a")
    replica.raising = SafetyUnavailable()

    async def dozing() -> dict[str, Doze]:
        return (await agents.get("a")).dozing

    async def both_doze() -> bool:
        return set(await dozing()) == {"s00", "s01"}

    await until(both_doze)
    first = await dozing()
    assert {doze.problem for doze in first.values()} == {"safety-unavailable"}
    # Somebody else who finds it out tells since when.
    await replica.stop()
    second = await start("second")
    second.raising = EngineUnavailable()

    async def known_to_the_second() -> bool:
        return {doze.problem for doze in (await dozing()).values()} == {
            "engine-unavailable"
        }

    await until(known_to_the_second)
    for name, doze in (await dozing()).items():
        assert doze.since == first[name].since
    second.raising = None

    async def awake() -> bool:
        return await dozing() == {}

    await until(awake)
    assert second.told.count("wake") == 2


async def test_what_is_shown_of_a_doze(database: Database) -> None:
    agents, thoughts = AgentStore(database), ThoughtStore(database, "r")
    agent = an_agent("a", 1)
    await agents.put(agent)
    known = await agents.get("a")
    leases = LeaseStore(database, "r", LEASE)
    await leases.renew()
    ((lease, _),) = await leases.claim(10)

    async def shown() -> Doze | None:
        return (await agents.get("a")).dozing.get("s00")

    pause = timedelta(seconds=0.5)
    begun = await leases.doze(lease, "engine-unavailable", pause)
    assert begun is not None
    assert begun.until == begun.since + pause
    assert await shown() == begun
    # What is past is no time to try again at.
    await until(lambda: equals(shown, replace(begun, until=None)))
    # A thought on request says nothing of the stream's own.
    await thoughts.commit(a_draft(lease), None)
    assert await shown() is not None
    await agents.set_paused("a", True)
    assert await shown() is None
    await agents.set_paused("a", False)
    await agents.put(replace(agent, streams={"s00": Stream(enabled=False)}))
    assert await shown() is None
    await agents.put(agent)
    # Whoever changes the agent meanwhile is not told that somebody else did.
    assert await agents.replace(known, replace(known, persona="I am merry."))
    await thoughts.commit(a_draft(lease), lease)
    assert await shown() is None


async def equals(of: Callable[[], Awaitable[object]], wanted: object) -> bool:
    return await of() == wanted


async def test_a_doze_of_a_stream_that_was_lost_is_not_recorded(
    database: Database,
) -> None:
    await AgentStore(database).put(an_agent("a", 1))
    loser, winner = (LeaseStore(database, name, LEASE) for name in ("l", "w"))
    await loser.renew()
    ((lease, _),) = await loser.claim(10)
    await loser.release()
    await winner.renew()
    await winner.claim(10)
    assert await loser.doze(lease, "engine-unavailable", LEASE) is None
    assert (await AgentStore(database).get("a")).dozing == {}


async def test_what_was_begun_before_an_agent_was_removed_ends_with_it(
    database: Database,
) -> None:
    """Also where the same agent is made anew and thought by the same replica."""
    agents, leases = AgentStore(database), LeaseStore(database, "r", LEASE)
    await agents.put(an_agent("a", 1))
    await leases.renew()
    ((former, _),) = await leases.claim(10)
    await agents.delete("a")
    await agents.put(an_agent("a", 1))
    ((lease, _),) = await leases.claim(10)
    thoughts = ThoughtStore(database, "r")
    with pytest.raises(Fenced):
        await thoughts.commit(a_draft(former), former)
    assert (await thoughts.commit(a_draft(lease), lease)).seq == 1


async def test_the_streams_of_an_agent_made_anew_begin_from_nothing(
    database: Database, start: Start
) -> None:
    agents = AgentStore(database)
    await agents.put(an_agent("a", 2, interval_s=3600))
    replica = await start("r")
    await thinks(database, "a")
    await agents.delete("a")
    await agents.put(an_agent("a", 2, interval_s=3600))
    await thinks(database, "a")
    assert len(replica.begun) == 4
    assert_none_was_thought_twice(replica)


async def test_a_breath_reads_that_something_changed_even_when_it_is_late(
    database: Database,
) -> None:
    """A transaction that began before others and ends after them is seen as well."""
    agents, leases = AgentStore(database), LeaseStore(database, "r", LEASE)
    await agents.put(an_agent("a", 1))
    await agents.put(an_agent("b", 1))
    await leases.renew()
    async with database.transaction() as late:
        await late.execute("UPDATE streams SET enabled = false WHERE agent_id = 'a'")
        await agents.set_paused("b", True)
        before = await leases.signs()
        assert await leases.signs() == before
    assert await leases.signs() != before


async def test_a_change_by_hand_is_noted_wherever_that_hand_looks_for_tables(
    database: Database,
) -> None:
    await AgentStore(database).put(an_agent("a", 1))
    leases = LeaseStore(database, "r", LEASE)
    before = await leases.signs()
    async with database.transaction() as hand:
        await hand.execute("SET LOCAL search_path = pg_catalog")
        await hand.execute("UPDATE public.agents SET paused = true")
    assert await leases.signs() != before


async def test_thoughts_change_nothing_that_a_breath_reads(database: Database) -> None:
    await AgentStore(database).put(an_agent("a", 1))
    leases = LeaseStore(database, "r", LEASE)
    await leases.renew()
    ((lease, _),) = await leases.claim(10)
    before = await leases.signs()
    await ThoughtStore(database, "r").commit(a_draft(lease), lease)
    await leases.doze(lease, "engine-unavailable", None)
    await leases.renew()
    assert await leases.signs() == before


async def test_changes_are_forgotten_when_all_have_seen_them(
    database: Database,
) -> None:
    await AgentStore(database).put(an_agent("a", 1))
    leases = LeaseStore(database, "r", LEASE)
    await leases.renew()
    assert (await leases.signs()).changes[0] > 0
    await database.fetch(
        "UPDATE stream_changes SET changed_at = now() - interval '2 minutes'"
    )
    await leases.renew()
    assert (await leases.signs()).changes == (0, 0)
