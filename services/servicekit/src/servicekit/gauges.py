"""Gauges that nobody counts on the way: measured again and again, or unknown."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import Gauge

from servicekit.errors import Unavailable

__all__ = ["Source", "keep_measuring"]

# Each scrape finds new figures, and the database hardly notices.
MEASURE_EVERY_S = 15.0

# None where nothing is known.
Source = Callable[[], Awaitable[float | None]]


async def keep_measuring(sources: Mapping[Gauge, Source]) -> None:
    """Measures for ever; a gauge whose source does not answer is NaN."""
    while True:
        values = await asyncio.gather(*map(_measure, sources.values()))
        for gauge, value in zip(sources, values, strict=True):
            gauge.set(value)
        await asyncio.sleep(MEASURE_EVERY_S)


async def _measure(source: Source) -> float:
    try:
        value = await source()
    except Unavailable:
        value = None
    return math.nan if value is None else value
