"""Who goes first in a lane, how many may wait, and what becomes of who leaves."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from safety_validator.domain import lanes
from safety_validator.domain.lanes import (
    AGEING_S_A_WINDOW,
    MAX_LONG_TEXTS,
    MAX_LONG_WINDOWS,
    SHORT_WINDOWS,
    Lane,
    Lanes,
)
from safety_validator.metrics import WINDOWS_WAITING
from servicekit.errors import Overloaded


class Windows:
    """So many windows, each noted where it is read."""

    def __init__(self, name: str, windows: int, read: list[str]) -> None:
        self.windows_left = windows
        self.thread: str | None = None
        self._name = name
        self._read = read

    def step(self) -> bool:
        self.thread = threading.current_thread().name
        self._read.append(self._name)
        self.windows_left -= 1
        return self.windows_left == 0


class Gate(Windows):
    """Holds the lane in its first window until it is opened."""

    def __init__(self, windows: int, read: list[str]) -> None:
        super().__init__("gate", windows, read)
        self.entered, self.opened = threading.Event(), threading.Event()

    def step(self) -> bool:
        self.entered.set()
        self.opened.wait()
        return super().step()


class Broken(Windows):
    """Fails as a runtime without memory does."""

    def step(self) -> bool:
        raise MemoryError("no more")


@contextmanager
def lane(max_texts: int = 10, max_windows: int = 1_000) -> Iterator[Lane]:
    opened = Lane("of-the-test", max_texts, max_windows)
    try:
        yield opened
    finally:
        opened.close()


@asynccontextmanager
async def held(lane: Lane, read: list[str], windows: int = 1) -> AsyncIterator[None]:
    """The lane reads on when the block ends."""
    gate = Gate(windows, read)
    first = asyncio.ensure_future(lane.do(gate))
    await asyncio.to_thread(gate.entered.wait)
    try:
        yield
    finally:
        gate.opened.set()
    await first


async def begun(lane: Lane, *works: Windows) -> list["asyncio.Task[None]"]:
    """All of them wait in the lane, in this order."""
    tasks = [asyncio.ensure_future(lane.do(work)) for work in works]
    await asyncio.sleep(0)
    return tasks


async def test_the_least_left_goes_first_window_by_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # However slow this machine is, nobody has waited long.
    monkeypatch.setattr(lanes, "AGEING_S_A_WINDOW", 60.0)
    read: list[str] = []
    with lane() as one:
        async with held(one, read, windows=60):
            works = [Windows("longer", 50, read), Windows("short", 2, read)]
            tasks = await begun(one, *works)
        await asyncio.gather(*tasks)
    assert read == ["gate", *["short"] * 2, *["longer"] * 50, *["gate"] * 59]


async def test_who_has_waited_goes_before_newcomers() -> None:
    read: list[str] = []
    with lane() as one:
        async with held(one, read):
            tasks = await begun(one, Windows("longer", 5, read))
            await asyncio.sleep(6 * AGEING_S_A_WINDOW)
            tasks += await begun(one, Windows("newcomer", 1, read))
        await asyncio.gather(*tasks)
    assert read == ["gate", *["longer"] * 5, "newcomer"]


@pytest.mark.parametrize(
    ("waiting", "further"), [([1, 1], 1), ([60], 41), ([60, 40], 1)]
)
async def test_a_full_lane_refuses(waiting: list[int], further: int) -> None:
    read: list[str] = []
    with lane(max_texts=3, max_windows=101) as one:
        async with held(one, read):
            tasks = await begun(one, *(Windows("a", n, read) for n in waiting))
            with pytest.raises(Overloaded) as refused:
                await one.do(Windows("b", further, read))
            assert refused.value.retry_after_s
        await asyncio.gather(*tasks)
        await one.do(Windows("b", further, read))
    assert read.count("a") == sum(waiting)
    assert read.count("b") == further


async def test_what_is_longer_than_a_lane_is_read_alone() -> None:
    read: list[str] = []
    with lane(max_windows=10) as one:
        await one.do(Windows("a", 11, read))
    assert len(read) == 11


async def test_who_leaves_makes_room_and_is_not_read() -> None:
    read: list[str] = []
    with lane(max_texts=2) as one:
        async with held(one, read):
            [task] = await begun(one, Windows("gone", 5, read))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            tasks = await begun(one, Windows("stays", 1, read))
        await asyncio.gather(*tasks)
    assert read == ["gate", "stays"]
    assert WINDOWS_WAITING.labels("of-the-test")._value.get() == 0


async def test_who_leaves_half_read_is_not_read_on() -> None:
    read: list[str] = []
    with lane() as one:
        gate = Gate(1_000, read)
        task = asyncio.ensure_future(one.do(gate))
        await asyncio.to_thread(gate.entered.wait)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gate.opened.set()
        await one.do(Windows("next", 1, read))
    assert read == ["gate", "next"]


async def test_a_failure_is_its_callers_alone() -> None:
    read: list[str] = []
    with lane() as one:
        with pytest.raises(MemoryError):
            await one.do(Broken("broken", 1, read))
        await one.do(Windows("next", 1, read))
        assert one.alive
    assert not one.alive


async def test_a_lane_at_rest_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "REST_S", 0.01)
    rested = threading.Event()
    one = Lane("of-the-test", 10, 1_000, at_rest=rested.set)
    try:
        assert await asyncio.to_thread(rested.wait, 60)
        rested.clear()
        await one.do(Windows("a", 1, []))
        assert await asyncio.to_thread(rested.wait, 60)
    finally:
        one.close()


async def test_short_and_long_texts_have_a_thread_each() -> None:
    read: list[str] = []
    both = Lanes()
    works = [Windows("a", n, read) for n in (1, SHORT_WINDOWS, SHORT_WINDOWS + 1)]
    for work in works:
        await both.do(work)
    assert both.alive
    both.close()
    assert [work.thread for work in works] == ["short", "short", "long"]
    assert not both.alive


async def test_long_texts_leave_room_for_short_ones() -> None:
    read: list[str] = []
    both = Lanes()
    gate = Gate(MAX_LONG_WINDOWS, read)
    tasks = [asyncio.ensure_future(both.do(gate))]
    await asyncio.to_thread(gate.entered.wait)
    with pytest.raises(Overloaded):
        await both.do(Windows("long", SHORT_WINDOWS + 1, read))
    await both.do(Windows("short", 1, read))
    assert read == ["short"]
    assert MAX_LONG_TEXTS > 1
    tasks[0].cancel()
    gate.opened.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    both.close()
