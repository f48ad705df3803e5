"""No call to a model without its worst case reserved."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

import structlog

from contracts.ids import new_id
from servicekit.errors import AppError
from thought_generator.domain.flights import Flights
from thought_generator.domain.ladder import Ladder
from thought_generator.domain.prices import Price, cost_usd, worst_usd
from thought_generator.errors import (
    BudgetSpent,
    EngineEndUnknown,
    EngineUnavailable,
    PriceUnknown,
)
from thought_generator.metrics import COST_USD, TOKENS
from thought_generator.models.agents import Agent
from thought_generator.models.budget import (
    Limits,
    Offer,
    Payment,
    Reserved,
    Rung,
    Standing,
)
from thought_generator.models.prompts import Completion, Usage

# What a server adds around our text: roles, separators, a preamble, the format.
OVERHEAD_TOKENS = 512
# A failed call is not held up by its bill; what is not settled expires as spent.
SETTLE_TIMEOUT_S = 2.0

log = structlog.get_logger()


class Budgets(Protocol):
    """Where reservations are kept; days and times are the database's."""

    async def reserve(
        self, agent_id: str, reservation: UUID, offers: Sequence[Offer]
    ) -> Reserved:
        """Reserves the first offer that fits into the day."""
        ...

    async def settle(self, agent_id: str, payment: Payment) -> None:
        """Replaces the reservation by what was used."""
        ...

    async def standing(self, agent_id: str) -> Standing:
        """Where the agent's day stands."""
        ...

    async def pressed(self) -> list[tuple[Limits, float, bool]]:
        """Of each agent near its limit: limits, part used, whether refused."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A call that may be made; its text has at most as many tokens as bytes."""

    model: str
    text_bytes: int
    max_tokens: int
    make: Callable[[], Awaitable[Completion]]

    @property
    def input_tokens(self) -> int:
        """The most it can take in."""
        return self.text_bytes + OVERHEAD_TOKENS


@dataclass(frozen=True, slots=True)
class Bought:
    """An answer, which call brought it, and what is still to be settled for it."""

    completion: Completion
    place: int
    payment: Payment
    slower: bool


class Governor:
    """Reserves before a call, knows its price after it, settles what failed."""

    def __init__(
        self,
        budgets: Budgets,
        find_price: Callable[[str], Price | None],
        ladder: Ladder,
    ) -> None:
        self._budgets = budgets
        self._find_price = find_price
        self._ladder = ladder
        self._looks: Flights[list[tuple[Limits, float, bool]]] = Flights()

    async def spend(self, agent: Agent, calls: Sequence[Call]) -> Bought:
        """Makes the first of `calls` that the agent's budget allows; a second one is
        that of the rung `cheaper`.

        Whoever gets the answer settles its payment: the commit of the thought, or
        `settled_on_failure`. A call that failed costs what the engine says it used;
        one whose end is not known (cancelled, cut off) keeps its reservation until it
        expires as spent.

        Raises:
            BudgetSpent, PriceUnknown, EngineUnavailable.
        """
        offers = self._offers(agent.limits, calls)
        reservation = new_id()
        reserved = await self._budgets.reserve(agent.agent_id, reservation, offers)
        if reserved.place is None:
            raise BudgetSpent(reserved.resets_in_s)
        call = calls[reserved.place]
        offer = offers[reserved.place]
        worst = Payment(reservation, reserved.day, offer.usd, offer.tokens)
        try:
            completion = await call.make()
        except EngineEndUnknown:
            raise
        except EngineUnavailable as error:
            payment = self._paid(worst, call.model, error.usage or Usage())
            await self._settle_anyway(agent.agent_id, payment)
            raise
        payment = self._paid(worst, call.model, completion.usage)
        usage = replace(completion.usage, cost_usd=payment.usd)
        return Bought(
            replace(completion, usage=usage),
            reserved.place,
            payment,
            self._is_slower(agent.limits, reserved.used),
        )

    @asynccontextmanager
    async def settled_on_failure(
        self, agent_id: str, payment: Payment | None
    ) -> AsyncIterator[None]:
        """Settles the payment of an answer that the block could not use."""
        try:
            yield
        except BaseException:
            await self._settle_anyway(agent_id, payment)
            raise

    async def standing(self, agent_id: str) -> Standing:
        """Where the agent's day stands, and on which rung; AgentUnknown if there is
        no such agent."""
        standing = await self._budgets.standing(agent_id)
        rung = self._ladder.rung(standing.limits, standing.used, standing.refused)
        return replace(standing, rung=rung)

    async def agents_on(self, rung: Rung) -> float:
        """How many agents are on this rung now; of several rungs at once it costs one
        look at the budgets."""
        pressed, _ = await self._looks.join("pressed", self._budgets.pressed)
        return sum(self._ladder.rung(*each) is rung for each in pressed)

    async def settle(self, agent_id: str, payment: Payment | None) -> None:
        """Settles the payment of an answer that did not become a thought."""
        if payment is not None:
            await self._budgets.settle(agent_id, payment)

    async def _settle_anyway(self, agent_id: str, payment: Payment | None) -> None:
        """What failed counts, not that its bill was not settled either."""
        with suppress(AppError, TimeoutError):
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                await self.settle(agent_id, payment)

    def _offers(self, limits: Limits, calls: Sequence[Call]) -> list[Offer]:
        cheaper = self._ladder.start(limits, Rung.CHEAPER)
        return [
            Offer(
                worst_usd(
                    self._price(call.model),
                    call.input_tokens,
                    call.max_tokens,
                ),
                call.input_tokens + call.max_tokens,
                below=None if place == len(calls) - 1 else cheaper,
            )
            for place, call in enumerate(calls)
        ]

    def _price(self, model: str) -> Price:
        price = self._find_price(model)
        if price is None:
            raise PriceUnknown(f"give {model!r} a price in THOUGHT_PRICES")
        return price

    def _is_slower(self, limits: Limits, used: float) -> bool:
        start = self._ladder.start(limits, Rung.SLOWER)
        return start is not None and used >= start

    def _paid(self, worst: Payment, model: str, usage: Usage) -> Payment:
        """The payment for this usage; for one that cannot be, the worst case."""
        counts = (
            usage.input_tokens,
            usage.cache_read_input_tokens or 0,
            usage.cache_creation_input_tokens or 0,
            usage.output_tokens,
        )
        payment = worst
        if min(counts) >= 0:
            usd = cost_usd(self._price(model), usage)
            payment = replace(worst, usd=usd, tokens=sum(counts))
        if payment.usd > worst.usd:
            log.warning("a call cost more than its bound", model=model, usage=counts)
        COST_USD.inc(float(payment.usd))
        TOKENS.labels("input").inc(max(0, sum(counts[:-1])))
        TOKENS.labels("output").inc(max(0, counts[-1]))
        return payment
