"""Work beside requests: begun again after a failure, ended in order."""

import asyncio
from contextlib import suppress

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from servicekit import background
from servicekit.background import Background


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(background, "LONGEST_PAUSE_S", 0.004)


def failures(task: str) -> float:
    name = "claude_agi_background_failures_total"
    return REGISTRY.get_sample_value(name, {"task": task}) or 0.0


async def test_work_that_fails_is_begun_again() -> None:
    begun = 0
    done = asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 4:
            raise ConnectionError("away")
        done.set()

    before = failures("stubborn")
    tasks = Background()
    with capture_logs() as lines:
        tasks.start("stubborn", work)
        await asyncio.wait_for(done.wait(), 5)
    await tasks.close()
    assert begun == 4
    assert failures("stubborn") - before == 3
    assert [line["task"] for line in lines] == ["stubborn"] * 3
    assert "away" in lines[0]["error"]


async def test_pauses_grow_to_a_limit_and_begin_anew_after_steady_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep
    # A busy machine would make a failing run look like a steady one.
    now_s = 0.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now_s)

    async def note(pause_s: float) -> None:
        # What else runs in this process may sleep too.
        if asyncio.current_task() is working:
            pauses.append(pause_s)
        await sleep(0)

    runs = 0
    working: asyncio.Task[None] | None = None

    async def work() -> None:
        nonlocal runs, working, now_s
        working = asyncio.current_task()
        runs += 1
        if runs == 6:
            now_s += 2 * background.LONGEST_PAUSE_S
        if runs < 8:
            raise ConnectionError

    monkeypatch.setattr(asyncio, "sleep", note)
    tasks = Background()
    tasks.start("pausing", work)
    while runs < 8:
        await sleep(0)
    await tasks.close()
    assert pauses == [0.001, 0.002, 0.004, 0.004, 0.004, 0.001, 0.002]


async def test_work_that_returns_is_done() -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1

    tasks = Background()
    tasks.start("short", work)
    for _ in range(5):
        await asyncio.sleep(0)
    await tasks.close()
    assert begun == 1


class Steady:
    """Works until it is cancelled, and writes down when that was."""

    def __init__(self, name: str, ended: list[str]) -> None:
        self._name = name
        self._ended = ended
        self.begun = asyncio.Event()

    async def work(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            # Whoever ends takes its time; the next one waits for it.
            await asyncio.sleep(0)
            self._ended.append(self._name)


async def test_work_ends_last_begun_first() -> None:
    ended: list[str] = []
    tasks = Background()
    for name in ("first", "second", "third"):
        steady = Steady(name, ended)
        tasks.start(name, steady.work)
        await steady.begun.wait()
    await tasks.stop("second")
    assert ended == ["second"]
    await tasks.stop("second")
    await tasks.stop("never begun")
    await tasks.close()
    assert ended == ["second", "third", "first"]
    await tasks.close()


async def test_work_may_be_begun_again_after_it_was_stopped() -> None:
    ended: list[str] = []
    tasks = Background()
    for _ in range(2):
        steady = Steady("again", ended)
        tasks.start("again", steady.work)
        await steady.begun.wait()
        await tasks.stop("again")
    assert ended == ["again", "again"]


async def test_work_that_fails_while_it_is_stopped_stays_stopped() -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        try:
            await asyncio.Event().wait()
        finally:
            raise ConnectionError

    tasks = Background()
    tasks.start("stubborn", work)
    await asyncio.sleep(0)
    await asyncio.wait_for(tasks.close(), 5)
    assert begun == 1


async def test_work_that_swallows_a_cancellation_is_stopped_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "CANCEL_AGAIN_S", 0.01)
    swallowed = 0

    async def work() -> None:
        nonlocal swallowed
        while swallowed < 2:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            swallowed += 1
        await asyncio.Event().wait()

    tasks = Background()
    tasks.start("deaf", work)
    await asyncio.sleep(0)
    await asyncio.wait_for(tasks.close(), 5)
    assert swallowed == 2


async def test_a_group_of_tasks_is_begun_again_when_one_of_them_fails() -> None:
    """The group cancels its parent to tell it, and that stays noted on the parent."""
    begun = 0
    done = asyncio.Event()

    async def part() -> None:
        if begun < 3:
            raise ConnectionError("away")
        done.set()

    async def work() -> None:
        nonlocal begun
        begun += 1
        async with asyncio.TaskGroup() as group:
            group.create_task(part())

    tasks = Background()
    tasks.start("group", work)
    await asyncio.wait_for(done.wait(), 5)
    await tasks.close()
    assert begun == 3
