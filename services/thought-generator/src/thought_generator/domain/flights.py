"""Equal work at once is done once, for all who wait for it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


async def _let_go(_: object) -> None:
    """Nothing is owed for a result that nobody takes."""


@dataclass(slots=True)
class _Flight(Generic[Result]):
    task: asyncio.Task[Result]
    waiting: int = 0
    taken: bool = False


class Flights(Generic[Result]):
    """Of this process. Work goes on while anybody waits for it, whoever began it; what
    it raises is raised to all who wait.

    It runs in a task of its own, with the context variables of who began it.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[Result]] = {}

    def begun(self, key: Hashable) -> bool:
        """Whether somebody waits for this work now."""
        return key in self._flights

    async def join(
        self,
        key: Hashable,
        work: Callable[[], Coroutine[Any, Any, Result]],
        abandon: Callable[[Result], Awaitable[None]] = _let_go,
    ) -> tuple[Result, bool]:
        """The result of the work, and whether this caller is the first to have it.

        `abandon` is given a result that came when nobody waited any more.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(work()))
        flight.waiting += 1
        try:
            await asyncio.wait([flight.task])
        except asyncio.CancelledError:
            flight.waiting -= 1
            if not (flight.waiting or flight.taken):
                self._forget(key, flight)
                await _call_off(flight.task, abandon)
            raise
        flight.waiting -= 1
        self._forget(key, flight)
        first, flight.taken = not flight.taken, True
        return flight.task.result(), first

    def _forget(self, key: Hashable, flight: _Flight[Result]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


async def _call_off(
    task: asyncio.Task[Result], abandon: Callable[[Result], Awaitable[None]]
) -> None:
    """It may have ended, or end well all the same."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and task.exception() is None:
        await abandon(task.result())
