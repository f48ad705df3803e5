"""No call to a model without its worst case reserved."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from contracts.ids import new_id
from thought_generator.errors import (
    BudgetSpent,
    EngineEndUnknown,
    EngineUnavailable,
    PriceUnknown,
)
from thought_generator.metrics import COST_USD, TOKENS
from thought_generator.models import Completion, Usage

PER_MILLION = Decimal(1_000_000)
# What a server adds around our text: roles, separators, its own preamble.
OVERHEAD_TOKENS = 256


class Price(Protocol):
    """Dollars per million tokens."""

    input: float
    output: float
    cache_read: float | None
    cache_write: float | None


class Budgets(Protocol):
    """Where reservations are kept."""

    async def reserve(
        self, agent_id: str, day: date, reservation: UUID, usd: Decimal, tokens: int
    ) -> bool:
        """Whether it still fits; reserved if so."""
        ...

    async def settle(
        self, agent_id: str, reservation: UUID, usd: Decimal, tokens: int
    ) -> None:
        """Replaces the reservation by what was used."""
        ...


def today() -> date:
    """The day that budgets count by, UTC."""
    return datetime.now(UTC).date()


def resets_at(day: date) -> datetime:
    """When a day's budget is renewed."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def cost_usd(price: Price, usage: Usage) -> Decimal:
    """Dollars for a call; cached tokens at full price where no other is known."""
    read = price.input if price.cache_read is None else price.cache_read
    write = price.input if price.cache_write is None else price.cache_write
    parts = (
        (usage.input_tokens, price.input),
        (usage.output_tokens, price.output),
        (usage.cache_read_input_tokens or 0, read),
        (usage.cache_creation_input_tokens or 0, write),
    )
    return sum((Decimal(n) * Decimal(str(p)) for n, p in parts), Decimal(0)) / (
        PER_MILLION
    )


class Governor:
    """Reserves before a call, settles after it, releases when it failed."""

    def __init__(self, budgets: Budgets, prices: Mapping[str, Price]) -> None:
        self._budgets = budgets
        self._prices = prices

    async def spend(
        self,
        agent_id: str,
        model: str,
        text_bytes: int,
        max_tokens: int,
        call: Callable[[], Awaitable[Completion]],
    ) -> Completion:
        """Runs `call` within the agent's budget and returns it with its cost.

        A text of n bytes has at most n tokens, so the reservation is a true bound.
        A call that failed costs what the engine says it used; one whose end is not
        known (cancelled, cut off) keeps its reservation until it expires as spent.
        """
        price = self._prices.get(model)
        if price is None:
            raise PriceUnknown(f"give {model!r} a price in THOUGHT_PRICES")
        input_tokens = text_bytes + OVERHEAD_TOKENS
        worst = _worst_usd(price, input_tokens, max_tokens)
        day, reservation = today(), new_id()
        tokens = input_tokens + max_tokens
        if not await self._budgets.reserve(agent_id, day, reservation, worst, tokens):
            raise BudgetSpent((resets_at(day) - datetime.now(UTC)).total_seconds())
        try:
            completion = await call()
        except EngineEndUnknown:
            raise
        except EngineUnavailable as error:
            await self._settle(agent_id, reservation, price, error.usage or Usage())
            raise
        usage = completion.usage
        spent = await self._settle(agent_id, reservation, price, usage)
        return replace(completion, usage=replace(usage, cost_usd=spent))

    async def _settle(
        self, agent_id: str, reservation: UUID, price: Price, usage: Usage
    ) -> Decimal:
        spent = cost_usd(price, usage)
        taken_in = usage.input_tokens + _cached(usage)
        await self._budgets.settle(
            agent_id, reservation, spent, taken_in + usage.output_tokens
        )
        COST_USD.inc(float(spent))
        TOKENS.labels("input").inc(taken_in)
        TOKENS.labels("output").inc(usage.output_tokens)
        return spent


def _worst_usd(price: Price, input_tokens: int, max_tokens: int) -> Decimal:
    dearest = max(price.input, price.cache_write or 0.0)
    total = Decimal(input_tokens) * Decimal(str(dearest)) + Decimal(
        max_tokens
    ) * Decimal(str(price.output))
    return total / PER_MILLION


def _cached(usage: Usage) -> int:
    return (usage.cache_read_input_tokens or 0) + (
        usage.cache_creation_input_tokens or 0
    )
