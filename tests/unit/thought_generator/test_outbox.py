"""The deliverer: nothing that one thought meets holds up the others."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from contracts.fakes import FakeMemory
from contracts.ids import new_id
from contracts.memory import MemoryBatchRequest, MemoryBatchResponse
from contracts.problem import Problem, ServiceError
from thought_generator.domain import outbox as outbox_module
from thought_generator.domain.outbox import Deliverer
from thought_generator.stores.outbox import Delivery


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "POLL_S", 0.01)
    monkeypatch.setattr(outbox_module, "FIRST_PAUSE_S", 0.001)


def delivery(content: str) -> Delivery:
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    return Delivery("a", new_id(), "primary", 1, content, an_hour_ago, None)


class Waiting:
    """An outbox in memory."""

    def __init__(self, *deliveries: Delivery) -> None:
        self.rows = list(deliveries)

    async def claim(self, limit: int) -> list[Delivery]:
        return self.rows[:limit]

    async def finish(self, deliveries: Iterable[Delivery]) -> None:
        for each in deliveries:
            self.rows.remove(each)

    async def give_back(self, deliveries: Iterable[Delivery]) -> None: ...

    async def waiting(self) -> tuple[int, datetime | None]:
        return len(self.rows), self.rows[0].created_at if self.rows else None


class Attentive(FakeMemory):
    """Knows what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[MemoryBatchRequest] = []

    async def remember(self, request: MemoryBatchRequest) -> MemoryBatchResponse:
        self.requests.append(request)
        return await super().remember(request)


class Strict(FakeMemory):
    """Refuses a whole batch for one bad memory in it."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self._status = status

    async def remember(self, request: MemoryBatchRequest) -> MemoryBatchResponse:
        if any(each.content == "bad" for each in request.memories):
            problem = Problem(title="refused", status=self._status)
            raise ServiceError("memory-service", problem, None)
        return await super().remember(request)


@asynccontextmanager
async def delivering(outbox: Waiting, memory: FakeMemory) -> AsyncIterator[None]:
    running = asyncio.create_task(Deliverer(outbox, memory).run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.001)


def gauge(name: str) -> float:
    return REGISTRY.get_sample_value(f"claude_agi_outbox_{name}") or 0.0


async def test_an_outage_of_memory_shows_in_the_gauges() -> None:
    out = True
    memory = FakeMemory(fail_on=lambda _: out)
    outbox = Waiting(delivery("one"), delivery("two"))
    async with delivering(outbox, memory):
        await until(lambda: gauge("thoughts") == 2)
        assert gauge("age_seconds") >= 3600
        out = False
        await until(lambda: gauge("thoughts") == 0)
    assert [each.content for each in memory.memories] == ["one", "two"]


async def test_memory_is_told_what_a_thought_was_made_from() -> None:
    sources = (new_id(), new_id())
    outbox = Waiting(replace(delivery("one"), sources=sources))
    memory = Attentive()
    async with delivering(outbox, memory):
        await until(lambda: not outbox.rows)
    assert memory.requests[0].memories[0].sources == [*sources]


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_thought_that_memory_cannot_take_holds_up_nobody(status: int) -> None:
    memory = Strict(status)
    outbox = Waiting(delivery("one"), delivery("bad"), delivery("two"))
    async with delivering(outbox, memory):
        await until(lambda: not outbox.rows)
    assert [each.content for each in memory.memories] == ["one", "two"]


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503, 504])
async def test_what_may_be_put_right_is_kept(status: int) -> None:
    outbox = Waiting(delivery("bad"))
    async with delivering(outbox, Strict(status)):
        await asyncio.sleep(0.05)
    assert len(outbox.rows) == 1
