"""Gauges that are measured: what their source says, or NaN, never an old figure."""

import asyncio
import math
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry, Gauge

from servicekit import gauges
from servicekit.errors import DatabaseUnavailable
from servicekit.gauges import Source, keep_measuring
from servicekit.metrics import REPLICA_LAG_SECONDS, measured_gauge

Answer = float | None | Exception
REGISTRY = CollectorRegistry()


def source(*answers: Answer) -> Callable[[], Awaitable[float | None]]:
    """Gives the answers one after another, then the last for ever."""
    left = list(answers)

    async def answer() -> float | None:
        now = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(now, Exception):
            raise now
        return now

    return answer


class Series(Gauge):
    """A gauge that remembers what it was set to."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "of a test", registry=REGISTRY)
        self.told: list[float] = []

    def set(self, value: float) -> None:
        self.told.append(value)


def same(one: list[float], other: list[float]) -> bool:
    return [repr(value) for value in one] == [repr(value) for value in other]


async def test_each_is_set_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "MEASURE_EVERY_S", 0.0)
    one, other = Series("one"), Series("other")
    sources: dict[Gauge, Source] = {
        one: source(1.0, DatabaseUnavailable(), 3.0),
        other: source(None, 5.0, None),
    }
    running = asyncio.create_task(keep_measuring(sources))
    async with asyncio.timeout(5):
        while len(other.told) < 3:
            await asyncio.sleep(0)
    running.cancel()
    assert same(one.told[:3], [1.0, math.nan, 3.0])
    assert same(other.told[:3], [math.nan, 5.0, math.nan])


async def test_a_defect_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        await keep_measuring({Series("wrong"): source(ZeroDivisionError())})


def test_before_the_first_measurement_nothing_is_known() -> None:
    gauge = measured_gauge("claude_agi_gauge_of_a_test", "Of a test.")
    for each in (gauge, REPLICA_LAG_SECONDS):
        (family,) = each.collect()
        (sample,) = family.samples
        assert math.isnan(sample.value)
