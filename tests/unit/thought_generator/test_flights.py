"""Equal work at once: done once, whoever goes meanwhile."""

import asyncio

import pytest

from thought_generator.domain.flights import Flights


class Work:
    """Ends when it is told to, with a number or an error."""

    def __init__(self) -> None:
        self.begun = 0
        self.called_off = 0
        self.may_end = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.called_off += 1
            raise
        if self.error is not None:
            raise self.error
        return self.begun


async def breathe() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def join_all(
    flights: Flights[int], work: Work, callers: int
) -> list[asyncio.Task[tuple[int, bool]]]:
    return [asyncio.create_task(flights.join("key", work)) for _ in range(callers)]


async def test_equal_work_is_done_once_and_one_is_the_first_to_have_it() -> None:
    flights, work = Flights[int](), Work()
    callers = join_all(flights, work, 100)
    other = asyncio.create_task(flights.join("another", work))
    await breathe()
    work.may_end.set()
    found = await asyncio.gather(*callers)
    assert sorted(found) == [(2, False)] * 99 + [(2, True)]
    assert (await other)[1]
    assert work.begun == 2
    assert not flights.begun("key")


async def test_what_it_raises_is_raised_to_all_and_the_next_begins_anew() -> None:
    flights, work = Flights[int](), Work()
    work.error = ValueError("no")
    callers = join_all(flights, work, 3)
    await breathe()
    work.may_end.set()
    found = await asyncio.gather(*callers, return_exceptions=True)
    assert found == [work.error] * 3
    work.error = None
    assert await flights.join("key", work) == (2, True)


@pytest.mark.parametrize("gone", [0, 1, 2])
async def test_one_that_goes_takes_nothing_from_the_others(gone: int) -> None:
    flights, work = Flights[int](), Work()
    callers = join_all(flights, work, 3)
    await breathe()
    callers.pop(gone).cancel()
    await breathe()
    work.may_end.set()
    assert sorted(await asyncio.gather(*callers)) == [(1, False), (1, True)]
    assert work.called_off == 0


async def test_work_that_nobody_waits_for_is_called_off() -> None:
    flights, work = Flights[int](), Work()
    callers = join_all(flights, work, 3)
    await breathe()
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    assert (work.begun, work.called_off) == (1, 1)
    assert not flights.begun("key")
    work.may_end.set()
    assert await flights.join("key", work) == (2, True)


@pytest.mark.parametrize(
    ("turns", "is_abandoned"), [(0, True), (1, True), (2, True), (3, False)]
)
async def test_a_result_is_had_by_one_or_abandoned(
    turns: int, is_abandoned: bool
) -> None:
    """All go some turns of the loop after the work may end: before its task wakes,
    before they are woken, before they run, and too late."""
    flights, work = Flights[int](), Work()
    abandoned: list[int] = []

    async def abandon(result: int) -> None:
        abandoned.append(result)

    callers = [
        asyncio.create_task(flights.join("key", work, abandon)) for _ in range(3)
    ]
    await breathe()
    work.may_end.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    for caller in callers:
        caller.cancel()
    found = await asyncio.gather(*callers, return_exceptions=True)
    assert abandoned == ([1] if is_abandoned else [])
    assert found.count((1, True)) == (0 if is_abandoned else 1)
    assert not flights.begun("key")
