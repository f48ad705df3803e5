"""The scheduler: one task for each owned stream, at its pace, ended with its lease."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from thought_generator.domain import streams
from thought_generator.domain.streams import StreamScheduler
from thought_generator.errors import BudgetSpent, Fenced, SafetyUnavailable
from thought_generator.models import Lease

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BREATH_S", 0.005)
    monkeypatch.setattr(streams, "STAGGER_S", 0.0)
    monkeypatch.setattr(streams, "FIRST_DOZE_S", 0.001)


def lease(stream: str = "primary", epoch: int = 1, interval_s: float = 0.01) -> Lease:
    return Lease("a", stream, epoch, interval_s, None, None)


class Table:
    """The leases of this replica."""

    def __init__(self, *owned: Lease) -> None:
        self.mine = list(owned)
        self.released = False

    async def renew(self) -> None: ...

    async def claim(self) -> None: ...

    async def owned(self) -> list[tuple[Lease, datetime]]:
        return [(each, NOW) for each in self.mine]

    async def release(self) -> None:
        self.released = True


class Beats:
    """Counts the beats of each lease; one may raise."""

    def __init__(self, raising: Callable[[int], Exception | None]) -> None:
        self._raising = raising
        self.begun: list[Lease] = []
        self.counts: dict[tuple[str, int], int] = {}

    def begin(self, taken: Lease):  # type: ignore[no-untyped-def]
        self.begun.append(taken)

        async def beat() -> None:
            key = taken.stream, taken.epoch
            self.counts[key] = self.counts.get(key, 0) + 1
            if (error := self._raising(self.counts[key])) is not None:
                raise error

        return beat

    async def reach(self, stream: str, epoch: int, count: int) -> None:
        async with asyncio.timeout(5):
            while self.counts.get((stream, epoch), 0) < count:
                await asyncio.sleep(0.001)


@asynccontextmanager
async def scheduled(
    table: Table, raising: Callable[[int], Exception | None] = lambda _: None
) -> AsyncIterator[tuple[Beats, StreamScheduler]]:
    beats = Beats(raising)
    scheduler = StreamScheduler(table, timedelta(seconds=10), beats.begin)
    running = asyncio.create_task(scheduler.run())
    try:
        yield beats, scheduler
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_each_owned_stream_beats_again_and_again() -> None:
    async with scheduled(Table(lease("primary"), lease("creative"))) as (beats, _):
        await beats.reach("primary", 1, 3)
        await beats.reach("creative", 1, 3)
    assert len(beats.begun) == 2


async def test_a_lost_stream_stops() -> None:
    table = Table(lease())
    async with scheduled(table) as (beats, _):
        await beats.reach("primary", 1, 1)
        table.mine.clear()
        await asyncio.sleep(0.05)
        seen = beats.counts["primary", 1]
        await asyncio.sleep(0.05)
        assert beats.counts["primary", 1] == seen


async def test_a_fenced_stream_goes_on_only_under_a_new_epoch() -> None:
    table = Table(lease())

    def raising(count: int) -> Exception | None:
        if count < 2 or table.mine == [lease(epoch=2)]:
            return None
        table.mine = [lease(epoch=2)]
        return Fenced()

    async with scheduled(table, raising) as (beats, _):
        await beats.reach("primary", 2, 3)
    assert beats.counts["primary", 1] == 2


async def test_an_outage_makes_a_stream_doze_and_then_go_on() -> None:
    def raising(count: int) -> Exception | None:
        return SafetyUnavailable() if count in {2, 3, 4} else None

    async with scheduled(Table(lease()), raising) as (beats, _):
        await beats.reach("primary", 1, 6)
    assert len(beats.begun) == 1


async def test_a_spent_budget_is_asked_about_again_before_the_reset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "LONGEST_BUDGET_DOZE_S", 0.001)

    def raising(count: int) -> Exception | None:
        return BudgetSpent(80_000) if count == 1 else None

    async with scheduled(Table(lease()), raising) as (beats, _):
        await beats.reach("primary", 1, 2)


async def test_a_defect_is_logged_and_dozed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "LONGEST_DOZE_S", 0.001)

    def raising(count: int) -> Exception | None:
        return ValueError("a defect") if count == 2 else None

    with capture_logs() as logs:
        async with scheduled(Table(lease()), raising) as (beats, _):
            await beats.reach("primary", 1, 4)
    assert [each["event"] for each in logs] == ["beat failed"]
    assert len(beats.begun) == 1


async def test_changed_settings_take_effect() -> None:
    table = Table(lease(interval_s=60))
    async with scheduled(table) as (beats, _):
        await beats.reach("primary", 1, 1)
        table.mine = [replace(lease(), interval_seconds=0.01)]
        await beats.reach("primary", 1, 4)


async def test_a_stream_waits_out_the_beat_of_whoever_had_it_before() -> None:
    recent = replace(lease(interval_s=30), last_beat_at=NOW - timedelta(seconds=1))
    overdue = replace(
        lease("creative", interval_s=30), last_beat_at=NOW - timedelta(seconds=90)
    )
    async with scheduled(Table(recent, overdue)) as (beats, _):
        await beats.reach("creative", 1, 1)
        await asyncio.sleep(0.05)
        assert ("primary", 1) not in beats.counts


async def test_stopping_hands_over() -> None:
    table = Table(lease())
    async with scheduled(table) as (beats, scheduler):
        await beats.reach("primary", 1, 1)
        await scheduler.stop()
        assert table.released
