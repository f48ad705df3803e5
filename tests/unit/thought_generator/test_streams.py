"""The scheduler: one task for each owned stream, at its pace, ended with its lease."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from servicekit.errors import DatabaseUnavailable
from thought_generator.domain import dozes, streams
from thought_generator.domain.beating import Beat
from thought_generator.domain.streams import StreamScheduler, fair_share
from thought_generator.errors import (
    BudgetSpent,
    EngineUnavailable,
    Fenced,
    SafetyUnavailable,
)
from thought_generator.models.agents import Doze
from thought_generator.models.feed import Notice
from thought_generator.models.leases import Lease, Signs

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BREATH_S", 0.005)
    monkeypatch.setattr(streams, "STAGGER_S", 0.0)
    monkeypatch.setattr(dozes, "FIRST_DOZE_S", 0.001)


def lease(stream: str = "primary", epoch: int = 1, interval_s: float = 0.01) -> Lease:
    return Lease("a", stream, epoch, interval_s, None, None)


class Table:
    """The leases of this replica, of as many streams as it has."""

    def __init__(self, *owned: Lease) -> None:
        self.mine = list(owned)
        self.living: tuple[str, ...] = ("me",)
        self.released = False
        self.looks = 0
        self.renewals = 0
        self.handed_back: list[str] = []
        self.dozing: list[tuple[str, timedelta | None]] = []
        self.notices: list[Notice] = []
        self.out: Exception | None = None
        self.away = False

    @property
    def changes(self) -> tuple[int, int]:
        return hash(tuple(self.mine)), 0

    async def renew(self) -> bool:
        if self.away:
            raise DatabaseUnavailable("away")
        self.renewals += 1
        return True

    async def signs(self) -> Signs:
        if self.away:
            raise DatabaseUnavailable("away")
        place = self.living.index("me") if "me" in self.living else None
        return Signs(self.living, place, self.changes)

    async def streams(self) -> int:
        return len(self.mine) + len(self.handed_back)

    async def claim(self, at_most: int) -> list[tuple[Lease, datetime]]:
        return []

    async def owned(self) -> list[tuple[Lease, datetime]]:
        self.looks += 1
        return [(each, NOW) for each in self.mine]

    async def hand_back(self, leases: Sequence[Lease]) -> None:
        self.handed_back += [each.stream for each in leases]
        self.mine = [each for each in self.mine if each not in leases]

    async def doze(
        self, lease: Lease, problem: str, pause: timedelta | None
    ) -> Doze | None:
        if self.out is not None:
            raise self.out
        self.dozing.append((problem, pause))
        return Doze(NOW, problem, NOW + pause if pause else None)

    async def release(self) -> None:
        self.released = True

    async def notice(self, agent_id: str, notice: Notice) -> None:
        self.notices.append(notice)


class Beats:
    """Counts the beats of each lease; one may raise."""

    def __init__(self, raising: Callable[[int], Exception | None]) -> None:
        self._raising = raising
        self.begun: list[Lease] = []
        self.counts: dict[tuple[str, int], int] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.factor = 1.0

    def begin(self, taken: Lease):  # type: ignore[no-untyped-def]
        self.begun.append(taken)

        async def beat() -> float:
            key = taken.stream, taken.epoch
            self.counts[key] = self.counts.get(key, 0) + 1
            if (error := self._raising(self.counts[key])) is not None:
                raise error
            await self.gate.wait()
            return self.factor

        return beat

    async def reach(self, stream: str, epoch: int, count: int) -> None:
        async with asyncio.timeout(5):
            while self.counts.get((stream, epoch), 0) < count:
                await asyncio.sleep(0.001)


@asynccontextmanager
async def scheduled(
    table: Table,
    raising: Callable[[int], Exception | None] = lambda _: None,
    lease_s: float = 10.0,
) -> AsyncIterator[tuple[Beats, StreamScheduler]]:
    beats = Beats(raising)
    scheduler = StreamScheduler(table, timedelta(seconds=lease_s), beats.begin, table)
    running = asyncio.create_task(scheduler.run())
    try:
        yield beats, scheduler
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def events(logs: Sequence[Mapping[str, object]]) -> list[object]:
    return [line["event"] for line in logs]


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
    monkeypatch.setattr(dozes, "LONGEST_BUDGET_DOZE_S", 0.001)

    def raising(count: int) -> Exception | None:
        return BudgetSpent(80_000) if count == 1 else None

    async with scheduled(Table(lease()), raising) as (beats, _):
        await beats.reach("primary", 1, 2)


async def test_a_defect_is_logged_and_dozed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dozes, "LONGEST_DOZE_S", 0.001)

    def raising(count: int) -> Exception | None:
        return ValueError("a defect") if count == 2 else None

    with capture_logs() as logs:
        async with scheduled(Table(lease()), raising) as (beats, _):
            await beats.reach("primary", 1, 4)
    assert events(logs).count("beat failed") == 1
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


async def test_nothing_changed_means_no_look() -> None:
    table = Table(lease("primary"), lease("creative"))
    async with scheduled(table) as (beats, _):
        await beats.reach("primary", 1, 1)
        seen = table.looks
        await beats.reach("primary", 1, 10)
        assert table.looks == seen == 1


async def test_a_change_that_nobody_noted_is_found_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(Table, "changes", (0, 0))
    table = Table(lease("primary"))
    async with scheduled(table) as (beats, _):
        await beats.reach("primary", 1, 1)
        table.mine = [lease("primary"), lease("creative")]
        await beats.reach("creative", 1, 1)


async def test_without_the_database_streams_go_on_while_they_are_leased() -> None:
    table = Table(lease())
    with capture_logs() as logs:
        async with scheduled(table, lease_s=1.0) as (beats, _):
            await beats.reach("primary", 1, 1)
            table.away = True
            await beats.reach("primary", 1, beats.counts["primary", 1] + 3)
            await asyncio.sleep(1.3)
            stopped_at = beats.counts["primary", 1]
            await asyncio.sleep(0.1)
            assert beats.counts["primary", 1] == stopped_at
            table.away = False
            await beats.reach("primary", 1, stopped_at + 3)
    assert len(beats.begun) == 2
    assert events(logs).count("streams are not looked after") == 1


async def test_a_lease_that_runs_out_unseen_is_renewed_at_once() -> None:
    table = Table(lease())
    async with scheduled(table) as (beats, _):
        await beats.reach("primary", 1, 1)
        table.living = ("other",)
        async with asyncio.timeout(5):
            while table.renewals < 3:
                await asyncio.sleep(0.001)
        table.living = ("me",)
        await beats.reach("primary", 1, beats.counts["primary", 1] + 3)
    assert len(beats.begun) == 1


def test_shares_are_all_streams_and_nearly_equal() -> None:
    for count in range(50):
        for living in range(1, 8):
            shares = [fair_share(count, living, place) for place in range(living)]
            assert sum(shares) == count
            assert max(shares) - min(shares) <= 1


async def test_one_that_joins_gets_its_share_when_the_beats_under_way_are_over() -> (
    None
):
    table = Table(lease("primary"), lease("creative"))
    async with scheduled(table) as (beats, _):
        beats.gate.clear()
        await beats.reach("primary", 1, 1)
        await beats.reach("creative", 1, 1)
        table.living = ("me", "other")
        await asyncio.sleep(0.05)
        assert table.handed_back == []
        beats.gate.set()
        async with asyncio.timeout(5):
            while not table.handed_back:
                await asyncio.sleep(0.001)
        (left,) = table.handed_back
        (kept,) = table.mine
        stopped_at = beats.counts[left, 1]
        await beats.reach(kept.stream, 1, beats.counts[kept.stream, 1] + 10)
    assert beats.counts[left, 1] == stopped_at
    assert len(table.handed_back) == 1


async def test_of_streams_at_rest_those_go_first_whose_beat_is_furthest() -> None:
    table = Table(
        replace(lease("near", interval_s=30), last_beat_at=NOW),
        replace(lease("far", interval_s=3000), last_beat_at=NOW),
    )
    table.living = ("me", "other")
    async with scheduled(table):
        async with asyncio.timeout(5):
            while not table.handed_back:
                await asyncio.sleep(0.001)
    assert table.handed_back == ["far"]


async def test_no_more_beats_than_the_bound_are_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "MAX_BEATS_AT_ONCE", 3)
    table = Table(*(lease(f"s{n}") for n in range(10)))
    async with scheduled(table) as (beats, _):
        beats.gate.clear()
        await asyncio.sleep(0.1)
        assert len(beats.counts) == 3
        beats.gate.set()
        for number in range(10):
            await beats.reach(f"s{number}", 1, 2)


def skipped() -> float:
    return REGISTRY.get_sample_value("claude_agi_stream_beats_skipped_total") or 0.0


async def test_a_stream_that_falls_behind_skips_beats_and_says_so() -> None:
    before = skipped()
    with capture_logs() as logs:
        async with scheduled(Table(lease(interval_s=0.01))) as (beats, _):
            for count in (1, 3):
                beats.gate.clear()
                await beats.reach("primary", 1, count)
                await asyncio.sleep(0.1)
                beats.gate.set()
                await beats.reach("primary", 1, count + 1)
    assert skipped() - before >= 16
    (line,) = [each for each in logs if each["event"] == "stream falls behind"]
    assert line["beats_skipped"] >= 8


async def test_a_row_of_dozes_is_recorded_once_and_told_with_its_end() -> None:
    def raising(count: int) -> Exception | None:
        return SafetyUnavailable() if count in {1, 2, 3} else None

    table = Table(lease())
    async with scheduled(table, raising) as (beats, _):
        await beats.reach("primary", 1, 6)
    assert table.dozing == [("safety-unavailable", None)]
    assert [(each.kind, each.data) for each in table.notices] == [
        (
            "doze",
            {
                "since": "2026-01-01T00:00:00Z",
                "problem": "safety-unavailable",
                "until": None,
            },
        ),
        ("wake", {}),
    ]


async def test_an_engine_is_left_alone_for_as_long_as_it_asks_within_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dozes, "LONGEST_DOZE_S", 0.001)
    monkeypatch.setattr(dozes, "LONGEST_ASKED_DOZE_S", 0.2)

    def raising(count: int) -> Exception | None:
        error = EngineUnavailable()
        error.retry_after_s = 50 * 86_400.0
        return error if count == 1 else None

    table = Table(lease())
    begun_s = asyncio.get_running_loop().time()
    async with scheduled(table, raising) as (beats, _):
        await beats.reach("primary", 1, 2)
    assert asyncio.get_running_loop().time() - begun_s >= 0.2
    ((problem, pause),) = table.dozing
    assert problem == "engine-unavailable"
    assert pause is not None
    assert 0.2 <= pause.total_seconds() <= 0.25


@pytest.mark.parametrize(
    "out", [DatabaseUnavailable("away"), RuntimeError("a defect")], ids=repr
)
async def test_a_doze_that_cannot_be_recorded_is_recorded_later(
    out: Exception,
) -> None:
    table = Table(lease())
    table.out = out

    def raising(count: int) -> Exception | None:
        if count == 3:
            table.out = None
        return SafetyUnavailable() if count < 5 else None

    async with scheduled(table, raising) as (beats, _):
        await beats.reach("primary", 1, 6)
    assert table.dozing == [("safety-unavailable", None)]
    # It did not end the stream, to be begun anew with every breath.
    assert len(beats.begun) == 1


async def test_the_doze_of_the_owner_before_ends_with_the_first_thought() -> None:
    table = Table(replace(lease(), dozing_since=NOW))
    async with scheduled(table) as (beats, _):
        await beats.reach("primary", 1, 2)
    assert [each.kind for each in table.notices] == ["wake"]


async def test_ended_from_outside_it_hands_over_before_the_beats_are_over() -> None:
    table = Table(lease())
    async with scheduled(table) as (beats, _):
        beats.gate.clear()
        await beats.reach("primary", 1, 1)
    assert table.released


async def test_a_beat_says_how_far_away_the_next_one_is() -> None:
    async with scheduled(Table(lease())) as (beats, _):
        await beats.reach("primary", 1, 3)
        beats.factor = 6000.0
        await asyncio.sleep(0.05)
        seen = beats.counts["primary", 1]
        await asyncio.sleep(0.1)
        assert beats.counts["primary", 1] == seen


async def test_a_beat_that_swallows_its_end_stops_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "END_S", 0.01)
    released, counts = asyncio.Event(), [0]

    def begin(taken: Lease) -> Beat:
        async def stubborn() -> float:
            while not released.is_set():
                with suppress(asyncio.CancelledError):
                    await released.wait()
            return 1.0

        async def beat() -> float:
            counts[0] += 1
            return 1.0

        return stubborn if taken.stream == "primary" else beat

    table = Table(lease("primary"))
    scheduler = StreamScheduler(table, timedelta(seconds=10), begin, table)
    running = asyncio.create_task(scheduler.run())
    with capture_logs() as logs:
        await asyncio.sleep(0.05)
        table.mine = [lease("creative")]
        async with asyncio.timeout(5):
            while not counts[0]:
                await asyncio.sleep(0.001)
    assert "beats go on though cancelled" in events(logs)
    released.set()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
