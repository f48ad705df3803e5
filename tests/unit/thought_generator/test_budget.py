"""Costs to the cent, and nothing called without a reservation."""

from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest

from thought_generator.domain.budget import Governor, cost_usd
from thought_generator.errors import (
    BudgetSpent,
    EngineAnswerUnusable,
    EngineEndUnknown,
    EngineUnavailable,
    PriceUnknown,
)
from thought_generator.models import Completion, Usage
from thought_generator.settings import Price

PRICE = Price(input=1.0, output=5.0, cache_read=0.1, cache_write=1.25)


@pytest.mark.parametrize(
    ("price", "usage", "dollars"),
    [
        (PRICE, Usage(1_000_000, 0, 0, 0), "1"),
        (PRICE, Usage(0, 1_000_000, 0, 0), "5"),
        (PRICE, Usage(400, 28, 300, 0), "0.00057"),
        (PRICE, Usage(0, 0, 0, 1_000_000), "1.25"),
        (PRICE, Usage(10, 0, None, None), "0.00001"),
        (Price(input=2.0, output=3.0), Usage(0, 0, 1_000_000, 1_000_000), "4"),
        (Price(input=0.0, output=0.0), Usage(9, 9, 9, 9), "0"),
    ],
)
def test_cost(price: Price, usage: Usage, dollars: str) -> None:
    assert cost_usd(price, usage) == Decimal(dollars)


class Ledger:
    """Reservations in memory, with room for a number of dollars."""

    def __init__(self, room: str) -> None:
        self.room = Decimal(room)
        self.reserved: dict[UUID, Decimal] = {}
        self.spent = Decimal(0)
        self.tokens = 0

    async def reserve(
        self, agent_id: str, day: date, reservation: UUID, usd: Decimal, tokens: int
    ) -> bool:
        if self.spent + sum(self.reserved.values()) + usd > self.room:
            return False
        self.reserved[reservation] = usd
        return True

    async def settle(
        self, agent_id: str, reservation: UUID, usd: Decimal, tokens: int
    ) -> None:
        del self.reserved[reservation]
        self.spent += usd
        self.tokens += tokens


async def answered() -> Completion:
    return Completion("a thought", "end_turn", "anthropic", "m", Usage(400, 28, 300, 0))


async def test_real_usage_replaces_the_worst_case() -> None:
    ledger = Ledger("1")
    governor = Governor(ledger, {"m": PRICE})
    completion = await governor.spend("a", "m", 2000, 300, answered)
    assert completion.usage.cost_usd == Decimal("0.00057")
    assert (ledger.spent, ledger.tokens) == (Decimal("0.00057"), 728)
    assert not ledger.reserved


async def test_the_worst_case_bounds_the_real_cost() -> None:
    ledger = Ledger("1")
    worst: list[Decimal] = []

    async def look() -> Completion:
        worst.extend(ledger.reserved.values())
        # Every byte a token that is written to the cache, and all output used.
        return Completion("x", "max_tokens", "anthropic", "m", Usage(0, 300, 0, 2000))

    completion = await Governor(ledger, {"m": PRICE}).spend("a", "m", 2000, 300, look)
    assert completion.usage.cost_usd <= worst[0]


async def test_what_does_not_fit_is_not_called() -> None:
    ledger = Ledger("0.001")

    async def never() -> Completion:
        raise AssertionError("called without a reservation")

    with pytest.raises(BudgetSpent) as refused:
        await Governor(ledger, {"m": PRICE}).spend("a", "m", 2000, 300, never)
    assert 0 < (refused.value.retry_after_s or 0) <= 86_400


async def test_a_model_without_a_price_is_refused() -> None:
    with pytest.raises(PriceUnknown):
        await Governor(Ledger("1"), {}).spend("a", "m", 1, 1, answered)


async def test_a_failed_call_costs_nothing() -> None:
    ledger = Ledger("1")

    async def fails() -> Completion:
        raise EngineUnavailable

    with pytest.raises(EngineUnavailable):
        await Governor(ledger, {"m": PRICE}).spend("a", "m", 2000, 300, fails)
    assert ledger.spent == 0
    assert not ledger.reserved


async def test_a_call_whose_end_is_unknown_keeps_its_reservation() -> None:
    ledger = Ledger("1")

    async def vanishes() -> Completion:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await Governor(ledger, {"m": PRICE}).spend("a", "m", 2000, 300, vanishes)
    assert len(ledger.reserved) == 1


async def test_a_call_without_an_end_may_have_cost_its_worst() -> None:
    ledger = Ledger("1")

    async def silent() -> Completion:
        raise EngineEndUnknown

    with pytest.raises(EngineEndUnknown):
        await Governor(ledger, {"m": PRICE}).spend("a", "m", 2000, 300, silent)
    assert len(ledger.reserved) == 1


async def test_an_unusable_answer_costs_what_it_cost() -> None:
    ledger = Ledger("1")

    async def cut() -> Completion:
        raise EngineAnswerUnusable("cut", Usage(400, 28, 300, 0))

    with pytest.raises(EngineAnswerUnusable):
        await Governor(ledger, {"m": PRICE}).spend("a", "m", 2000, 300, cut)
    assert ledger.spent == Decimal("0.00057")
