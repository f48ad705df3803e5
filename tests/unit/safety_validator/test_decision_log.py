"""Decisions are written soon, together and once; when they cannot be, none is taken."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

import pytest
from tests.unit.safety_validator.table import Table

from contracts.ids import new_id
from contracts.safety import VerdictName
from safety_validator.domain import decision_log as log_module
from safety_validator.domain.chain import GENESIS, Seals, record_hash
from safety_validator.domain.decision_log import (
    MAX_BATCH,
    MAX_BATCH_CHARS,
    MAX_WAITING,
    MAX_WAITING_CHARS,
    DecisionLog,
)
from safety_validator.errors import DecisionLogFull
from safety_validator.models import ChainEnd, Decision, Record
from servicekit.errors import Unavailable

pytestmark = pytest.mark.usefixtures("patient")


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


def ids(records: Iterable[Record | Decision]) -> list[UUID]:
    return [record.id for record in records]


def opened(table: Table) -> DecisionLog:
    return DecisionLog(table, Seals("service-key"))


@asynccontextmanager
async def writing(table: Table) -> AsyncIterator[DecisionLog]:
    log = opened(table)
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
    assert [ids(batch) for batch in table.batches] == [ids(told)]


async def test_batches_are_bounded_and_in_order() -> None:
    table, told = Table(), decisions(2 * MAX_BATCH + 1)
    async with writing(table) as log:
        log.record(told)
        await table.until(len(told))
    assert [len(batch) for batch in table.batches] == [MAX_BATCH, MAX_BATCH, 1]
    assert ids(table.rows) == ids(told)


async def test_an_outage_loses_and_doubles_nothing() -> None:
    table, told = Table(outages=2), decisions(3)
    async with writing(table) as log:
        log.record(told[:2])
        await table.asked.wait()
        log.record(told[2:])
        await table.until(3)
    assert ids(table.rows) == ids(told)


async def test_a_full_log_takes_nothing() -> None:
    table = Table()
    log = opened(table)
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
    assert ids(table.rows) == ids(told)


async def test_a_flush_that_fails_says_so() -> None:
    log = opened(Table(outages=1))
    log.record(decisions(1))
    with pytest.raises(Unavailable):
        await log.flush()


async def test_a_record_that_waits_too_long_ends_verdicts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = Table()
    log = opened(table)
    log.record(decisions(1))
    log.check_room()
    monkeypatch.setattr(log_module, "MAX_AGE_S", 0.0)
    with pytest.raises(DecisionLogFull):
        log.check_room()
    await log.flush()
    log.check_room()


async def test_contents_that_wait_are_bounded() -> None:
    table = Table()
    log = opened(table)
    long = decisions(1)[0]._replace(content="x" * MAX_BATCH_CHARS)
    for _ in range(MAX_WAITING_CHARS // MAX_BATCH_CHARS + 1):
        log.record([long._replace(id=new_id())])
    with pytest.raises(DecisionLogFull):
        log.check_room()
    await log.flush()
    assert {len(batch) for batch in table.batches} == {1}
    log.check_room()


@pytest.mark.parametrize("loses_answers", [False, True])
async def test_records_are_one_chain_whatever_becomes_of_their_batches(
    loses_answers: bool,
) -> None:
    table, told = Table(3, loses_answers), decisions(MAX_BATCH + 40)
    async with writing(table) as log:
        log.record(told[:2])
        await table.asked.wait()
        for decision in told[2:]:
            log.record([decision])
        await table.until(len(told))
    links = table.links
    assert ids(table.rows) == ids(told)
    assert [link.writer_seq for link in links] == list(range(1, len(told) + 1))
    assert links[0].prev_hash == GENESIS
    assert all(later.prev_hash == link.hash for link, later in pairwise(links))
    assert all(
        link.hash == record_hash(row, link)
        for row, link in zip(table.rows, links, strict=True)
    )
    last = links[-1]
    end = ChainEnd(last.writer_seq, last.hash)
    assert table.seals[-1] == Seals("service-key").seal("head", last.writer_id, 1, end)
    assert table.seals[-1] != Seals("other-key").seal("head", last.writer_id, 1, end)
    assert Seals(None).seal("head", last.writer_id, 1, end) is None
