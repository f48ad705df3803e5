"""Takes committed thoughts to memory, each of them once."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import structlog

from contracts.clients import MemoryApi
from contracts.memory import (
    Evidence,
    MemoryBatchItem,
    MemoryBatchRequest,
    MemoryType,
    MemoryWrite,
    SignedVerdict,
)
from contracts.problem import Problem, ServiceError
from servicekit.tracing import span
from thought_generator.metrics import (
    OUTBOX_AGE_SECONDS,
    OUTBOX_REFUSED,
    OUTBOX_WAITING,
)
from thought_generator.stores.outbox import Delivery

MAX_DELIVERED_AT_ONCE = 64
# A delivery costs the same for one and for many, and after each memory looks up anew
# what it had cached of the agent: what is thought within this time goes together.
GATHER_S = 0.1
# News of a commit wakes the deliverer; this finds what another replica left behind.
POLL_S = 1.0
# While memory is out.
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
# What a request's content meets; a wrong key or address may yet be put right.
REFUSALS = frozenset({400, 413, 422})

log = structlog.get_logger()


class Outbox(Protocol):
    """Where thoughts wait."""

    async def claim(self, limit: int) -> list[Delivery]:
        """Deliveries that nobody else works on."""
        ...

    async def finish(self, deliveries: Sequence[Delivery]) -> None:
        """Memory has them."""
        ...

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """They are to be tried again."""
        ...

    async def waiting(self) -> tuple[int, datetime | None]:
        """How many wait, and since when the oldest does."""
        ...


class Deliverer:
    """A memory's id is its thought's id, so that a repeat changes nothing."""

    def __init__(self, outbox: Outbox, memory: MemoryApi) -> None:
        self._outbox = outbox
        self._memory = memory
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There is something to deliver."""
        self._news.set()

    async def run(self) -> None:
        """Delivers until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            self._news.clear()
            deliveries = await self._outbox.claim(MAX_DELIVERED_AT_ONCE)
            if not deliveries:
                await self._measure()
                await self._wait(POLL_S)
            elif await self._deliver(deliveries):
                pause_s = FIRST_PAUSE_S
            else:
                await self._measure()
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _wait(self, at_most_s: float) -> None:
        try:
            async with asyncio.timeout(at_most_s):
                await self._news.wait()
        except TimeoutError:
            return
        await asyncio.sleep(GATHER_S)

    async def _deliver(self, deliveries: list[Delivery]) -> bool:
        request = MemoryBatchRequest(memories=[_memory(d) for d in deliveries])
        try:
            with span("deliver"):
                response = await self._memory.remember(request)
        except ServiceError as error:
            log.warning("memory does not take thoughts", error=str(error))
            if error.problem.status in REFUSALS:
                return await self._single_out(deliveries, error.problem)
            await self._outbox.give_back(deliveries)
            return False
        pairs = list(zip(deliveries, response.results, strict=True))
        again = [d for d, item in pairs if _to_be_tried_again(item)]
        done = [d for d, item in pairs if not _to_be_tried_again(item)]
        await self._outbox.finish(done)
        if again:
            await self._outbox.give_back(again)
        return not again

    async def _single_out(self, deliveries: list[Delivery], problem: Problem) -> bool:
        """Finds which of them memory refuses, so that it holds up no other."""
        if len(deliveries) > 1:
            return all([await self._deliver([each]) for each in deliveries])
        OUTBOX_REFUSED.labels(problem.kind).inc()
        await self._outbox.finish(deliveries)
        return True

    async def _measure(self) -> None:
        waiting, oldest = await self._outbox.waiting()
        OUTBOX_WAITING.set(waiting)
        age = datetime.now(UTC) - oldest if oldest else None
        OUTBOX_AGE_SECONDS.set(max(0.0, age.total_seconds()) if age else 0.0)


def _to_be_tried_again(item: MemoryBatchItem) -> bool:
    """A refusal for good (it was forgotten, say) is an end of the delivery too."""
    if item.problem is None:
        return False
    if item.problem.status in {429, 500, 502, 503, 504}:
        return True
    OUTBOX_REFUSED.labels(item.problem.kind).inc()
    return False


def _memory(delivery: Delivery) -> MemoryWrite:
    return MemoryWrite(
        id=delivery.thought_id,
        content=delivery.content,
        agent_id=delivery.agent_id,
        session_id=delivery.session_id,
        memory_type=MemoryType.THOUGHT,
        evidence=Evidence.THOUGHT,
        timestamp=delivery.created_at,
        metadata={"stream": delivery.stream, "seq": delivery.seq},
        verdict=SignedVerdict(**delivery.verdict) if delivery.verdict else None,
        # Deleting one of them deletes what still carries it.
        sources=list(delivery.sources),
    )
