"""Costs to the cent, nothing called without a reservation, rung after rung."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from pydantic import ValidationError

from contracts import agent as api
from servicekit.errors import DatabaseUnavailable
from thought_generator.domain.budget import Bought, Call, Governor
from thought_generator.domain.ladder import Ladder
from thought_generator.domain.prices import cost_usd, worst_usd
from thought_generator.errors import (
    BudgetSpent,
    EngineAnswerUnusable,
    EngineEndUnknown,
    EngineUnavailable,
    PriceUnknown,
)
from thought_generator.models.agents import Agent, AgentState
from thought_generator.models.budget import (
    Limits,
    Offer,
    Payment,
    Reserved,
    Rung,
    Standing,
)
from thought_generator.models.prompts import Completion, Usage
from thought_generator.settings import DEFAULT_MODEL, Price, Settings

PRICE = Price(input=1.0, output=5.0, cache_read=0.1, cache_write=1.25)
CHEAP = Price(input=0.1, output=0.5)
PRICES = {"m": PRICE, "cheap": CHEAP}
TODAY = date(2026, 5, 1)
AGENT = Agent("a", "I am calm.", {}, Limits(Decimal(1), None), AgentState.RUNNING)
USED = Usage(400, 28, 300, 0)


@pytest.mark.parametrize(
    ("price", "usage", "dollars"),
    [
        (PRICE, Usage(1_000_000, 0, 0, 0), "1"),
        (PRICE, Usage(0, 1_000_000, 0, 0), "5"),
        (PRICE, USED, "0.00057"),
        (PRICE, Usage(0, 0, 0, 1_000_000), "1.25"),
        (PRICE, Usage(10, 0, None, None), "0.00001"),
        (Price(input=2.0, output=3.0), Usage(0, 0, 1_000_000, 1_000_000), "4"),
        (Price(input=0.0, output=0.0), Usage(9, 9, 9, 9), "0"),
        (Price(input=0.00004, output=0.0), Usage(1, 0, 0, 0), "0.000000001"),
    ],
)
def test_cost(price: Price, usage: Usage, dollars: str) -> None:
    assert cost_usd(price, usage) == Decimal(dollars)


@pytest.mark.parametrize(
    "price",
    [
        PRICE,
        Price(input=1.0, output=5.0, cache_read=3.0),
        Price(input=1.0, output=5.0, cache_write=0.5),
    ],
)
@pytest.mark.parametrize(
    "usage", [Usage(900, 300, 0, 0), Usage(0, 300, 900, 0), Usage(0, 300, 0, 900)]
)
def test_the_worst_case_bounds_every_way_to_read_a_text(
    price: Price, usage: Usage
) -> None:
    assert cost_usd(price, usage) <= worst_usd(price, 900, 300)


class Ledger:
    """One agent's day in memory; `away` is a database that is out."""

    def __init__(self, room: str, used: float = 0.0) -> None:
        self.room = Decimal(room)
        self.used = used
        self.away = False
        self.reserved: dict[UUID, Offer] = {}
        self.settled: list[Payment] = []
        self.looks = 0

    async def reserve(
        self, agent_id: str, reservation: UUID, offers: Sequence[Offer]
    ) -> Reserved:
        for place, offer in enumerate(offers):
            held = sum((each.usd for each in self.reserved.values()), Decimal(0))
            fits = held + offer.usd <= self.room
            if fits and (offer.below is None or self.used < offer.below):
                self.reserved[reservation] = offer
                return Reserved(TODAY, self.used, 60.0, place)
        return Reserved(TODAY, self.used, 60.0, None)

    async def settle(self, agent_id: str, payment: Payment) -> None:
        if self.away:
            raise DatabaseUnavailable
        del self.reserved[payment.reservation]
        self.settled.append(payment)

    async def standing(self, agent_id: str) -> Standing:
        return Standing(
            AGENT.limits,
            Decimal(0),
            Decimal(0),
            0,
            self.used,
            False,
            datetime(2026, 5, 2, tzinfo=UTC),
        )

    async def pressed(self) -> list[tuple[Limits, float, bool]]:
        self.looks += 1
        return [
            (AGENT.limits, 0.85, False),
            (AGENT.limits, 0.7, True),
            (replace(AGENT.limits, ladder=(Rung.OFFLINE,)), 1.0, False),
        ]


def governor_of(ledger: Ledger, *, has_cheaper: bool = True) -> Governor:
    return Governor(ledger, PRICES.get, Ladder(has_cheaper))


Make = Callable[[], Awaitable[Completion]]


async def answered() -> Completion:
    return Completion("a thought", "end_turn", "anthropic", "m", USED)


async def spend(ledger: Ledger, make: Make, model: str = "m") -> Bought:
    return await governor_of(ledger).spend(AGENT, [Call(model, 2000, 300, make)])


async def test_a_payment_is_what_was_used_on_the_day_it_was_reserved() -> None:
    ledger = Ledger("1")
    bought = await spend(ledger, answered)
    assert bought.completion.usage.cost_usd == Decimal("0.00057")
    (reservation,) = ledger.reserved
    assert bought.payment == Payment(reservation, TODAY, Decimal("0.00057"), 728)


async def test_the_worst_case_bounds_the_real_cost() -> None:
    ledger = Ledger("1")

    async def look() -> Completion:
        # Every byte a token that is written to the cache, and all output used.
        return Completion("x", "max_tokens", "anthropic", "m", Usage(0, 300, 0, 2000))

    bought = await spend(ledger, look)
    (offer,) = ledger.reserved.values()
    assert bought.payment.usd <= offer.usd
    assert bought.payment.tokens <= offer.tokens


async def test_usage_that_cannot_be_costs_the_worst() -> None:
    ledger = Ledger("1")

    async def owes() -> Completion:
        return Completion("x", "end_turn", "anthropic", "m", Usage(10, -5_000))

    bought = await spend(ledger, owes)
    (offer,) = ledger.reserved.values()
    assert (bought.payment.usd, bought.payment.tokens) == (offer.usd, offer.tokens)


async def test_what_does_not_fit_is_not_called() -> None:
    async def never() -> Completion:
        raise AssertionError("called without a reservation")

    with pytest.raises(BudgetSpent) as refused:
        await spend(Ledger("0.001"), never)
    assert refused.value.retry_after_s == 60.0


async def test_a_model_without_a_price_is_refused() -> None:
    with pytest.raises(PriceUnknown):
        await spend(Ledger("1"), answered, "another")


@pytest.mark.parametrize(
    ("error", "usd"),
    [
        (EngineUnavailable(), "0"),
        (EngineAnswerUnusable("cut", USED), "0.00057"),
    ],
    ids=["no answer", "an unusable answer"],
)
async def test_a_failed_call_costs_what_it_used(error: Exception, usd: str) -> None:
    ledger = Ledger("1")

    async def fails() -> Completion:
        raise error

    with pytest.raises(type(error)):
        await spend(ledger, fails)
    assert [payment.usd for payment in ledger.settled] == [Decimal(usd)]
    assert not ledger.reserved


@pytest.mark.parametrize("error", [ConnectionResetError(), EngineEndUnknown()])
async def test_a_call_whose_end_is_unknown_keeps_its_reservation(
    error: Exception,
) -> None:
    ledger = Ledger("1")

    async def vanishes() -> Completion:
        raise error

    with pytest.raises(type(error)):
        await spend(ledger, vanishes)
    assert len(ledger.reserved) == 1


@pytest.mark.parametrize("away", [False, True], ids=["", "the database is away"])
async def test_what_could_not_be_used_is_paid_for(away: bool) -> None:
    ledger = Ledger("1")
    governor = governor_of(ledger)
    bought = await governor.spend(AGENT, [Call("m", 2000, 300, answered)])
    ledger.away = away
    with pytest.raises(ZeroDivisionError):
        async with governor.settled_on_failure("a", bought.payment):
            raise ZeroDivisionError
    # Left as it is, the reservation expires as spent.
    assert (len(ledger.settled), len(ledger.reserved)) == ((0, 1) if away else (1, 0))


async def test_what_could_be_used_is_paid_by_whoever_uses_it() -> None:
    ledger = Ledger("1")
    governor = governor_of(ledger)
    bought = await governor.spend(AGENT, [Call("m", 2000, 300, answered)])
    async with governor.settled_on_failure("a", bought.payment):
        pass
    assert ledger.settled == []


@pytest.mark.parametrize(
    ("room", "used", "place"),
    [("1", 0.0, 0), ("1", 0.89, 0), ("1", 0.9, 1), ("0.0015", 0.0, 1)],
    ids=["", "on the rung before", "on the rung", "the usual model does not fit"],
)
async def test_a_cheaper_model_thinks_on_its_rung(
    room: str, used: float, place: int
) -> None:
    calls = [Call(model, 2000, 300, answered) for model in ("m", "cheap")]
    bought = await governor_of(Ledger(room, used)).spend(AGENT, calls)
    assert bought.place == place
    assert bought.payment.usd == Decimal("0.00057" if place == 0 else "0.000084")


@pytest.mark.parametrize("used", [0.79, 0.8, 0.95])
async def test_streams_are_slower_on_their_rung(used: float) -> None:
    assert (await spend(Ledger("1", used), answered)).slower is (used >= 0.8)


SLOWER, CHEAPER, OFFLINE, SLEEP = Rung


@pytest.mark.parametrize(
    ("ladder", "has_cheaper", "taken"),
    [
        ((SLOWER, CHEAPER, SLEEP), True, [None, SLOWER, CHEAPER, CHEAPER, SLEEP]),
        ((SLOWER, CHEAPER, SLEEP), False, [None, SLOWER, SLOWER, SLOWER, SLEEP]),
        ((CHEAPER, OFFLINE), True, [None, CHEAPER, CHEAPER, CHEAPER, OFFLINE]),
        ((CHEAPER, OFFLINE), False, [None, None, None, None, OFFLINE]),
        ((SLOWER,), True, [None, SLOWER, SLOWER, SLOWER, SLEEP]),
        ((), True, [None, None, None, None, SLEEP]),
    ],
)
def test_rungs_share_the_way_to_the_limit(
    ladder: tuple[Rung, ...], has_cheaper: bool, taken: list[Rung | None]
) -> None:
    limits = replace(AGENT.limits, ladder=ladder)
    rungs = [
        Ladder(has_cheaper).rung(limits, used, refused=False)
        for used in (0.79, 0.8, 0.9, 0.999, 1.0)
    ]
    assert rungs == taken
    assert Ladder(has_cheaper).rung(limits, 0.1, refused=True) is taken[-1]


async def test_agents_are_counted_by_the_rung_in_force() -> None:
    ledger = Ledger("1")
    governor = governor_of(ledger)
    for looks in (1, 2):
        counts = await asyncio.gather(*map(governor.agents_on, Rung))
        assert counts == [1, 0, 1, 1]
        # Measured at once, they are looked up once.
        assert ledger.looks == looks


@pytest.mark.parametrize(
    "ladder", [["cheaper", "slower"], ["sleep", "slower"], ["slower", "slower"]]
)
def test_a_ladder_is_climbed_from_its_foot(ladder: list[str]) -> None:
    with pytest.raises(ValidationError, match="in the order"):
        api.Budget.model_validate({"ladder": ladder})


def test_offline_and_sleep_are_one_or_the_other() -> None:
    with pytest.raises(ValidationError, match="offline or sleep"):
        api.Budget.model_validate({"ladder": ["offline", "sleep"]})


def settings(**given: object) -> Settings:
    return Settings.model_validate(
        {"database_url": "postgresql://nobody@127.0.0.1/none", **given}
    )


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("mine", 2.0),
        ("mine-20251001", 2.0),
        ("mine@20251001", 2.0),
        ("dated-20250101", 3.0),
        (DEFAULT_MODEL, 1.0),
        ("dated", None),
        ("dated-20260101", None),
        ("mine-5", None),
        ("mine-2025", None),
    ],
)
def test_a_dated_model_has_the_price_of_its_family_if_one_is_given(
    model: str, price: float | None
) -> None:
    given = settings(
        thought_prices={
            "mine": {"input": 2, "output": 9},
            "dated-20250101": {"input": 3, "output": 9},
        }
    )
    found = given.price_of(model)
    assert (found and found.input) == price


@pytest.mark.parametrize(
    "price",
    [
        {"input": 1, "output": 5, "cache_reed": 0.1},
        {"input": 1},
        {"input": -1, "output": 5},
        {"input": 1, "output": float("inf")},
        {"input": 1, "output": float("nan")},
    ],
)
def test_a_price_that_is_none_is_refused(price: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        settings(thought_prices={"mine": price})


def test_a_cheaper_model_needs_a_price() -> None:
    with pytest.raises(ValidationError, match="THOUGHT_CHEAPER_MODEL needs a price"):
        settings(thought_cheaper_model="mine")
    given = {"mine": {"input": 0, "output": 0}}
    settings(thought_cheaper_model="mine-20260101", thought_prices=given)
