"""Money on a real PostgreSQL: many replicas, kills between any two steps, faults."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from pydantic import SecretStr
from tests.support.servers import own_primary, server_folder
from tests.support.waiting import until

from contracts.ids import new_id
from devstack.postgres import SUPERUSER, Postgres, Replica, make_dsn
from servicekit.database import Database
from servicekit.errors import AppError, DatabaseUnavailable
from servicekit.idempotency import IdempotencyKey
from servicekit.migrations import apply_migrations
from thought_generator.domain.budget import Call, Governor
from thought_generator.domain.ladder import Ladder
from thought_generator.errors import (
    AgentUnknown,
    BudgetSpent,
    Fenced,
)
from thought_generator.models.agents import Agent, AgentState, Stream
from thought_generator.models.budget import Limits, Offer, Payment, Reserved
from thought_generator.models.leases import Lease
from thought_generator.models.prompts import Completion, Usage
from thought_generator.models.thoughts import Draft
from thought_generator.settings import Price
from thought_generator.stores import budgets as budgets_module
from thought_generator.stores.agents import AgentStore
from thought_generator.stores.budgets import BudgetStore
from thought_generator.stores.thoughts import ThoughtStore

PACKAGE = "thought_generator"
PRICE = Price(input=1.0, output=5.0)
CENT = Decimal("0.01")
# As many rounds as showed every circle of waiting that there was.
ROUNDS = 25
# Of the machine that spends at random.
EXAMPLES, STEPS = 25, 30


@dataclass(frozen=True)
class Bank:
    """A database, its superuser, and the replicas that spend from it."""

    server: Postgres
    replicas: list[Database]
    superuser: asyncpg.Connection


@pytest_asyncio.fixture(scope="module")
async def server() -> AsyncIterator[Postgres]:
    """A migrated database of this module."""
    async with own_primary() as primary:
        await asyncio.to_thread(apply_migrations, primary.dsn(), PACKAGE)
        yield primary


@pytest_asyncio.fixture
async def bank(server: Postgres) -> AsyncIterator[Bank]:
    """Three replicas."""
    opened = await open_bank(server)
    yield opened
    await close_bank(opened)


async def open_bank(server: Postgres) -> Bank:
    """Connected."""
    replicas = [
        Database("test", PACKAGE, SecretStr(server.dsn()), None) for _ in range(3)
    ]
    for database in replicas:
        await database.open()
    return Bank(server, replicas, await server.connect())


async def close_bank(bank: Bank) -> None:
    """Its connections; the server goes on."""
    await bank.superuser.close()
    for database in bank.replicas:
        await database.close()


async def new_agent(
    bank: Bank, usd: Decimal = CENT, tokens: int | None = None
) -> Agent:
    agent = agent_with(usd, tokens)
    await AgentStore(bank.replicas[0]).put(agent)
    return agent


def agent_with(usd: Decimal, tokens: int | None) -> Agent:
    return Agent(
        f"a-{uuid4().hex}",
        "I am calm.",
        {"s": Stream()},
        Limits(usd, tokens),
        AgentState.RUNNING,
    )


def draft_of(agent: Agent, payment: Payment | None) -> Draft:
    return Draft(
        id=new_id(),
        agent_id=agent.agent_id,
        stream="s",
        content="a thought",
        engine="anthropic",
        model="m",
        cached=False,
        context_digest="0",
        recalled=(),
        safety={},
        verdict=None,
        usage=Usage(),
        timings_ms={"total": 1.0},
        stop_reason="end_turn",
        payment=payment,
    )


async def test_nobody_waits_in_a_circle(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reserving, settling, committing, expiring, changing and removing one agent."""
    monkeypatch.setattr(budgets_module, "RESERVATION_TTL", timedelta(0))
    agent = await new_agent(bank, Decimal(1000))
    deadlocks = "SELECT sum(deadlocks) FROM pg_stat_database"

    async def spend(database: Database) -> None:
        budgets, thoughts = BudgetStore(database), ThoughtStore(database, "r")
        for n in range(ROUNDS):
            reservation = new_id()
            with suppress(AgentUnknown, Fenced, AppError):
                reserved = await budgets.reserve(
                    agent.agent_id, reservation, [Offer(CENT, 10, None)]
                )
                payment = Payment(reservation, reserved.day, CENT / 2, 5)
                if n % 2:
                    await thoughts.commit(draft_of(agent, payment), None)
                else:
                    await budgets.settle(agent.agent_id, payment)

    async def expire(database: Database) -> None:
        for _ in range(ROUNDS):
            with suppress(AppError):
                await BudgetStore(database).expire()

    async def come_and_go(database: Database) -> None:
        agents = AgentStore(database)
        for _ in range(ROUNDS):
            with suppress(AppError):
                await agents.put(agent)
                await agents.delete(agent.agent_id)

    await asyncio.gather(
        *(spend(database) for database in bank.replicas for _ in range(3)),
        expire(bank.replicas[0]),
        expire(bank.replicas[1]),
        come_and_go(bank.replicas[2]),
    )
    await bank.superuser.execute("SELECT pg_stat_force_next_flush()")
    assert await bank.superuser.fetchval(deadlocks) == 0


@pytest.mark.parametrize("commits", [True, False], ids=["commit", "settle"])
async def test_a_call_is_paid_on_the_day_it_was_reserved(
    bank: Bank, commits: bool
) -> None:
    """Over midnight, by the database's clock."""
    agent = await new_agent(bank)
    budgets = BudgetStore(bank.replicas[0])
    payment = await reserve(budgets, agent)
    for table in ("budgets", "reservations"):
        await bank.superuser.execute(
            f"UPDATE {table} SET day = day - 1 WHERE agent_id = $1", agent.agent_id
        )
    yesterday = replace(
        payment, day=payment.day - timedelta(days=1), usd=CENT / 2, tokens=5
    )
    if commits:
        thoughts = ThoughtStore(bank.replicas[1], "r")
        await thoughts.commit(draft_of(agent, yesterday), None)
    else:
        await budgets.settle(agent.agent_id, yesterday)
    assert await days_of(bank, agent) == {yesterday.day: (CENT / 2, 0, 5, 0)}
    standing = await budgets.standing(agent.agent_id)
    assert standing.spent_usd == standing.reserved_usd == standing.tokens == 0
    assert (await reserve(budgets, agent)).day == payment.day


async def test_a_thought_and_its_payment_are_committed_together(bank: Bank) -> None:
    agent = await new_agent(bank)
    budgets = BudgetStore(bank.replicas[0])
    thoughts = ThoughtStore(bank.replicas[1], "r")
    payment = replace(await reserve(budgets, agent), usd=CENT / 4, tokens=3)
    draft = draft_of(agent, payment)
    stolen = Lease(agent.agent_id, "s", 99, 8.0, None, None)
    with pytest.raises(Fenced):
        await thoughts.commit(draft, stolen)
    assert await days_of(bank, agent) == {payment.day: (0, CENT, 0, 10)}
    key = IdempotencyKey(agent.agent_id, "generate", "k", b"digest")
    with pytest.raises(ZeroDivisionError):
        await thoughts.commit_once(draft, key, lambda _: str(1 / 0))
    assert await days_of(bank, agent) == {payment.day: (0, CENT, 0, 10)}
    await thoughts.commit(draft, None)
    assert await days_of(bank, agent) == {payment.day: (CENT / 4, 0, 3, 0)}


async def test_new_limits_are_asked_anew(bank: Bank) -> None:
    agent = await new_agent(bank, CENT / 2)
    budgets = BudgetStore(bank.replicas[0])
    with pytest.raises(BudgetSpent):
        await reserve(budgets, agent)
    assert (await budgets.standing(agent.agent_id)).refused
    await AgentStore(bank.replicas[1]).put(replace(agent, limits=Limits(CENT, None)))
    assert not (await budgets.standing(agent.agent_id)).refused
    await reserve(budgets, agent)


async def test_who_is_near_a_limit_is_known(bank: Bank) -> None:
    budgets = BudgetStore(bank.replicas[0])
    # By a number of tokens that no other test has.
    near, far, refused = [
        await new_agent(bank, usd, 123_456) for usd in (CENT, 2 * CENT, CENT / 2)
    ]
    await reserve(budgets, near)
    await reserve(budgets, far)
    with pytest.raises(BudgetSpent):
        await reserve(budgets, refused)
    pressed = sorted(await budgets.pressed(), key=lambda each: each[1])
    assert [each for each in pressed if each[0].tokens_per_day == 123_456] == [
        (refused.limits, 0.0, True),
        (near.limits, 1.0, False),
    ]


async def test_a_read_only_database_makes_no_call(bank: Bank) -> None:
    """As after a failover: the connections lead to what is a replica now."""
    agent = await new_agent(bank)
    asked: list[str] = []

    async def answer() -> Completion:
        asked.append("before")
        await read_only(bank, True)
        return Completion("x", "end_turn", "anthropic", "m", Usage(100, 0))

    governor = Governor(
        BudgetStore(bank.replicas[0]), lambda _: PRICE, Ladder(has_cheaper=False)
    )
    calls = [Call("m", 1000, 100, answer)]
    try:
        bought = await governor.spend(agent, calls)
        thoughts = ThoughtStore(bank.replicas[0], "r")
        with pytest.raises(DatabaseUnavailable):
            async with governor.settled_on_failure(agent.agent_id, bought.payment):
                await thoughts.commit(draft_of(agent, bought.payment), None)
        with pytest.raises(DatabaseUnavailable):
            await governor.spend(agent, calls)
    finally:
        await read_only(bank, False)
    assert asked == ["before"]
    day = bought.payment.day
    worst = (await days_of(bank, agent))[day][1]
    assert worst > 0
    await outlive(bank, agent)
    await BudgetStore(bank.replicas[1]).expire()
    assert (await days_of(bank, agent))[day][:2] == (worst, 0)


async def test_a_failover_in_the_middle_of_a_call_loses_no_bill() -> None:
    with server_folder() as folder:
        async with (
            Postgres.primary(folder) as primary,
            Postgres.replica(folder, of=primary) as standby,
        ):
            await asyncio.to_thread(apply_migrations, primary.dsn(), PACKAGE)
            password = primary.credentials.postgres
            dsn = make_dsn(SUPERUSER, password, "postgres", primary, standby)
            database = Database("test", PACKAGE, SecretStr(dsn), None)
            await database.open()
            await fail_over(database, primary, standby)
            await database.close()


async def fail_over(database: Database, primary: Postgres, standby: Replica) -> None:
    """The primary dies while the model thinks, and another takes over."""
    budgets = BudgetStore(database)
    agent = agent_with(CENT, None)
    await AgentStore(database).put(agent)
    governor = Governor(budgets, lambda _: PRICE, Ladder(has_cheaper=False))

    async def answer() -> Completion:
        written = await database.fetch("SELECT pg_current_wal_lsn()::text AS place")
        connection = await standby.connect()

        async def followed() -> bool:
            return bool(
                await connection.fetchval(
                    "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn",
                    written[0]["place"],
                )
            )

        await until(followed)
        await connection.close()
        os.kill(primary.pid, signal.SIGKILL)
        await standby.promote()
        return Completion("x", "end_turn", "anthropic", "m", Usage(1000, 0))

    bought = await governor.spend(agent, [Call("m", 1000, 100, answer)])
    with suppress(DatabaseUnavailable):
        async with governor.settled_on_failure(agent.agent_id, bought.payment):
            await ThoughtStore(database, "r").commit(
                draft_of(agent, bought.payment), None
            )
    await until(partial(answers, database))
    held = await budgets.standing(agent.agent_id)
    assert held.spent_usd + held.reserved_usd >= bought.payment.usd
    await database.fetch("UPDATE reservations SET expires_at = now() - interval '1s'")
    await budgets.expire()
    after = await budgets.standing(agent.agent_id)
    # To the cent where the bill could be written, the worst case where not.
    assert after.spent_usd in {bought.payment.usd, held.reserved_usd}
    assert after.reserved_usd == 0


async def test_a_cancelled_commit_is_paid_for(bank: Bank) -> None:
    agent = await new_agent(bank)
    budgets = BudgetStore(bank.replicas[0])
    governor = Governor(budgets, lambda _: PRICE, Ladder(has_cheaper=False))
    payment = replace(await reserve(budgets, agent), usd=CENT / 4, tokens=3)
    begun = asyncio.Event()

    async def commit() -> None:
        async with governor.settled_on_failure(agent.agent_id, payment):
            begun.set()
            await asyncio.Event().wait()

    committing = asyncio.create_task(commit())
    await begun.wait()
    committing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await committing
    assert await days_of(bank, agent) == {payment.day: (CENT / 4, 0, 3, 0)}


async def reserve(budgets: BudgetStore, agent: Agent) -> Payment:
    """A reservation of a cent and ten tokens."""
    reservation = new_id()
    offer = Offer(CENT, 10, None)
    reserved = await budgets.reserve(agent.agent_id, reservation, [offer])
    if reserved.place is None:
        raise BudgetSpent(reserved.resets_in_s)
    return Payment(reservation, reserved.day, CENT, 10)


async def days_of(bank: Bank, agent: Agent) -> dict[date, tuple[Any, ...]]:
    """By day: dollars spent and reserved, tokens spent and reserved."""
    rows = await bank.superuser.fetch(
        "SELECT * FROM budgets WHERE agent_id = $1", agent.agent_id
    )
    return {
        row["day"]: (
            row["spent_usd"],
            row["reserved_usd"],
            row["spent_tokens"],
            row["reserved_tokens"],
        )
        for row in rows
    }


async def outlive(bank: Bank, agent: Agent) -> None:
    """Time passes until every reservation has run out."""
    await bank.superuser.execute(
        "UPDATE reservations SET expires_at = now() - interval '1 s'"
        " WHERE agent_id = $1",
        agent.agent_id,
    )


async def read_only(bank: Bank, on: bool) -> None:
    """All connections from now on, and those that are open."""
    await bank.superuser.execute(
        f"ALTER SYSTEM SET default_transaction_read_only = {'on' if on else 'off'}"
    )
    await bank.superuser.execute("SELECT pg_reload_conf()")

    async def told() -> bool:
        shown = await bank.replicas[0].fetch("SHOW default_transaction_read_only")
        return bool(shown[0][0] == ("on" if on else "off"))

    await until(told)


MILL = Decimal("0.001")
LIMIT_USD, LIMIT_TOKENS = 10 * MILL, 100
replicas = st.integers(0, 2)
mills = st.integers(1, 6)
places = st.integers(0, 9)
asked = st.lists(st.tuples(replicas, mills, mills), min_size=1, max_size=6)


@dataclass
class Day:
    """What the books must say: mills and tens of tokens."""

    spent: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)


@dataclass(frozen=True)
class Held:
    """A reservation, and the day whose books it is in."""

    payment: Payment
    day: Day


T = TypeVar("T")
# How far the clock of the processes has jumped.
jumped_s = [0.0]
CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'test' AND state = 'active'
"""
# Further than any day of a test, out of the way of the others.
MANY_DAYS = 1000


class Spending(RuleBasedStateMachine):
    """Replicas that die at any step, by clocks that jump, against an exact model.

    A token is asked for with each mill times ten, so both limits bind alike.
    """

    bank: Bank
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.agent = self._run(new_agent(self.bank, LIMIT_USD, LIMIT_TOKENS))
        self.days = [Day()]
        # Which of a number at once are granted is chance, so none of them is drawn.
        self.held: list[Held] = []
        self.open: dict[UUID, tuple[Day, Decimal]] = {}

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def _budgets(self, replica: int) -> BudgetStore:
        return BudgetStore(self.bank.replicas[replica])

    @rule(calls=asked)
    def reserve(self, calls: list[tuple[int, int, int]]) -> None:
        """Some replicas at once, each for a dear call or, failing that, a cheaper."""

        async def one(replica: int, dear: int, cheap: int) -> tuple[UUID, Reserved]:
            reservation = new_id()
            offers = [Offer(n * MILL, n * 10, None) for n in (dear, cheap)]
            budgets = self._budgets(replica)
            return reservation, await budgets.reserve(
                self.agent.agent_id, reservation, offers
            )

        async def all_at_once() -> list[tuple[UUID, Reserved]]:
            return await asyncio.gather(*(one(*call) for call in calls))

        today, granted = self.days[-1], 0
        left = LIMIT_USD - today.spent - today.reserved
        for call, (reservation, reserved) in zip(
            calls, self._run(all_at_once()), strict=True
        ):
            if reserved.place is None:
                continue
            worst = call[1 + reserved.place] * MILL
            today.reserved += worst
            self.open[reservation] = today, worst
            payment = Payment(reservation, reserved.day, worst, int(worst / MILL) * 10)
            self.held.append(Held(payment, today))
            granted += 1
        if len(calls) == 1:
            assert bool(granted) is (min(calls[0][1:]) * MILL <= left)

    @rule(place=places, replica=replicas, used=st.integers(0, 6), again=st.booleans())
    def settle(self, place: int, replica: int, used: int, again: bool) -> None:
        """The call is over; one whose commit was not answered may be settled again."""
        for one in self._take(place, keep=again):
            payment = self._paid(one, used)
            self._run(self._budgets(replica).settle(self.agent.agent_id, payment))

    @rule(place=places, replica=replicas, used=st.integers(0, 6))
    def commit(self, place: int, replica: int, used: int) -> None:
        """The call became a thought."""
        thoughts = ThoughtStore(self.bank.replicas[replica], "r")
        for one in self._take(place):
            draft = draft_of(self.agent, self._paid(one, used))
            self._run(thoughts.commit(draft, None))

    @rule(
        place=places,
        replica=replicas,
        commits=st.booleans(),
        after_ms=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    )
    def cut(self, place: int, replica: int, commits: bool, after_ms: float) -> None:
        """The connection is lost while the books are written: it is or it is not."""
        database = self.bank.replicas[replica]

        async def write(payment: Payment) -> None:
            with suppress(DatabaseUnavailable):
                if commits:
                    draft = draft_of(self.agent, payment)
                    await ThoughtStore(database, "r").commit(draft, None)
                else:
                    await BudgetStore(database).settle(self.agent.agent_id, payment)

        async def write_and_cut(payment: Payment) -> bool:
            writing = asyncio.create_task(write(payment))
            await asyncio.sleep(after_ms / 1000)
            await self.bank.superuser.execute(CUT)
            await writing
            await until(partial(answers, database))
            held = await self.bank.superuser.fetchval(
                "SELECT count(*) FROM reservations WHERE agent_id = $1 AND id = $2",
                self.agent.agent_id,
                payment.reservation,
            )
            return bool(held)

        for one in self._take(place):
            if not self._run(write_and_cut(self._dated(one))):
                self._paid(one, int(one.payment.usd / MILL))

    @rule(place=places)
    def kill(self, place: int) -> None:
        """Whoever made the call is gone."""
        self._take(place)

    @rule(first=replicas, second=replicas)
    def expire(self, first: int, second: int) -> None:
        """Reservations run out, and two replicas notice at once."""

        async def both() -> None:
            await outlive(self.bank, self.agent)
            await asyncio.gather(
                self._budgets(first).expire(), self._budgets(second).expire()
            )
            # Who skips what the other holds finds it the next time.
            await self._budgets(first).expire()

        self._run(both())
        for day, worst in self.open.values():
            day.reserved -= worst
            day.spent += worst
        self.open.clear()

    @rule()
    def midnight(self) -> None:
        """The database's day begins; calls go on over it."""
        self.days.append(Day())

        async def turn() -> None:
            for table in ("reservations", "budgets"):
                await self.bank.superuser.execute(
                    f"UPDATE {table} SET day = day - $2::int WHERE agent_id = $1",
                    self.agent.agent_id,
                    MANY_DAYS,
                )
                await self.bank.superuser.execute(
                    f"UPDATE {table} SET day = day + $2::int WHERE agent_id = $1",
                    self.agent.agent_id,
                    MANY_DAYS - 1,
                )

        self._run(turn())

    @rule(hours=st.sampled_from([-1, 1]))
    def clock_jumps(self, hours: int) -> None:
        """That of the processes, by which nothing may be counted."""
        jumped_s[0] += hours * 3600

    def _take(self, place: int, *, keep: bool = False) -> list[Held]:
        """One of the calls that are not over, none if there is none."""
        if not self.held:
            return []
        place %= len(self.held)
        return [self.held[place] if keep else self.held.pop(place)]

    def _paid(self, one: Held, used: int) -> Payment:
        """What is paid, at most the worst; the model pays it too, unless it has."""
        worst = one.payment.usd
        usd = min(used * MILL, worst)
        payment = replace(self._dated(one), usd=usd, tokens=int(usd / MILL) * 10)
        if self.open.pop(one.payment.reservation, None) is not None:
            one.day.reserved -= worst
            one.day.spent += usd
        return payment

    def _dated(self, one: Held) -> Payment:
        """As if its day had been so many midnights ago."""
        (place,) = [place for place, day in enumerate(self.days) if day is one.day]
        age = timedelta(days=len(self.days) - 1 - place)
        return replace(one.payment, day=one.payment.day - age)

    @invariant()
    def books_are_right(self) -> None:
        """And never above the limit, nor reserved below nothing."""
        booked = sorted(self._run(days_of(self.bank, self.agent)).items())
        expected = [day for day in self.days if day.spent or day.reserved]
        found = [
            Day(spent, reserved)
            for _, (spent, reserved, *_) in booked
            if spent or reserved
        ]
        assert found == expected
        for _, (spent, reserved, spent_tokens, reserved_tokens) in booked:
            assert reserved >= 0
            assert reserved_tokens == reserved / MILL * 10
            assert spent_tokens == spent / MILL * 10
            assert spent + reserved <= LIMIT_USD

    def teardown(self) -> None:
        """When all has expired nothing is reserved."""
        self.expire(0, 1)
        assert not any(day.reserved for day in self.days)
        self.books_are_right()


async def answers(database: Database) -> bool:
    """Whether a lost connection is back."""
    with suppress(DatabaseUnavailable):
        await database.fetch("SELECT 1")
        return True
    return False


def test_no_order_of_events_spends_a_cent_too_much(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jumped_s[0])
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        bank = loop.run_until_complete(open_bank(server))
        machine = type("Run", (Spending,), {"bank": bank, "loop": loop})
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    database=None,
                    # Smaller cases would take minutes to find.
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            loop.run_until_complete(close_bank(bank))
