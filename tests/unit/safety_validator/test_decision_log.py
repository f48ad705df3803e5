"""Decisions are written soon, together and once; when they cannot be, none is taken."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest

from contracts.ids import new_id
from contracts.safety import VerdictName
from safety_validator.domain.decision_log import MAX_BATCH, MAX_WAITING, DecisionLog
from safety_validator.errors import DecisionLogFull
from safety_validator.models import Decision
from servicekit.errors import Unavailable


def decisions(count: int) -> list[Decision]:
    return [
        Decision(
            id=new_id(),
            agent_id="default",
            kind="thought",
            stream=None,
            verdict=VerdictName.ALLOW,
            findings=(),
            content_digest=b"",
            policy_version="1",
            created_at=datetime.now(UTC),
        )
        for _ in range(count)
    ]


class Table:
    """A store that is out for its first `outages` calls."""

    def __init__(self, outages: int = 0) -> None:
        self.batches: list[list[Decision]] = []
        self.outages = outages
        self.asked = asyncio.Event()

    @property
    def rows(self) -> list[Decision]:
        return [decision for batch in self.batches for decision in batch]

    async def insert(self, told: Sequence[Decision]) -> None:
        self.asked.set()
        if self.outages:
            self.outages -= 1
            raise Unavailable
        await asyncio.sleep(0)
        self.batches.append(list(told))

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.rows) < count:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def writing(table: Table) -> AsyncIterator[DecisionLog]:
    log = DecisionLog(table)
    task = asyncio.create_task(log.write())
    yield log
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_what_comes_together_is_written_together() -> None:
    table, told = Table(), decisions(5)
    async with writing(table) as log:
        for decision in told:
            log.record([decision])
        await table.until(5)
    assert table.batches == [told]


async def test_batches_are_bounded_and_in_order() -> None:
    table, told = Table(), decisions(2 * MAX_BATCH + 1)
    async with writing(table) as log:
        log.record(told)
        await table.until(len(told))
    assert [len(batch) for batch in table.batches] == [MAX_BATCH, MAX_BATCH, 1]
    assert table.rows == told


async def test_an_outage_loses_and_doubles_nothing() -> None:
    table, told = Table(outages=2), decisions(3)
    async with writing(table) as log:
        log.record(told[:2])
        await table.asked.wait()
        log.record(told[2:])
        await table.until(3)
    assert table.rows == told


async def test_a_full_log_takes_nothing() -> None:
    table = Table()
    log = DecisionLog(table)
    log.record(decisions(MAX_WAITING - 1))
    with pytest.raises(DecisionLogFull):
        log.record(decisions(2))
    log.record(decisions(1))
    with pytest.raises(DecisionLogFull) as full:
        log.check_room()
    assert full.value.status == 503
    await log.flush()
    assert len(table.rows) == MAX_WAITING
    log.check_room(MAX_WAITING)


async def test_a_cut_off_batch_is_flushed_at_the_end() -> None:
    table, told = Table(outages=1), decisions(4)
    async with writing(table) as log:
        log.record(told)
        await table.asked.wait()
    assert table.rows == []
    await log.flush()
    assert table.rows == told


async def test_a_flush_that_fails_says_so() -> None:
    log = DecisionLog(Table(outages=1))
    log.record(decisions(1))
    with pytest.raises(Unavailable):
        await log.flush()
