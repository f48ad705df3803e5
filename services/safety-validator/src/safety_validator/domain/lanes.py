"""Two threads for the model, so that long texts do not hold up short ones.

In a lane the text with the least left to read goes first, window by window, and the
longer one has waited, the fewer go before it.
"""

import asyncio
import heapq
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol

from embedding.freed_memory import give_back
from safety_validator.metrics import WINDOWS_WAITING
from servicekit.errors import Overloaded

__all__ = ["SHORT_WINDOWS", "Lane", "Lanes", "Work"]

# Up to about 500 characters.
SHORT_WINDOWS = 2
# Some seconds of work for one core.
MAX_SHORT_TEXTS = 512
MAX_SHORT_WINDOWS = MAX_SHORT_TEXTS * SHORT_WINDOWS
# Their texts are kept while they wait: the longest have a megabyte.
MAX_LONG_TEXTS = 64
# Two minutes of work; one text alone may be longer.
MAX_LONG_WINDOWS = 24_576
# About twice what the model takes for one: as long as reading all of a text takes,
# doubled, shorter ones may come and go before it.
AGEING_S_A_WINDOW = 0.01
# By then what was read is let go of.
REST_S = 1.0
# On one core it leaves nine tenths to short texts and the event loop.
LONG_NICENESS = 10


class Work(Protocol):
    """A text on its way through the model."""

    @property
    def windows_left(self) -> int:
        """How much is left; an estimate at first."""
        ...

    def step(self) -> bool:
        """Does a window's worth of work; True when there is nothing left to do."""
        ...


@dataclass(slots=True, order=True)
class _Entry:
    due_s: float
    number: int
    arrived_s: float = field(compare=False)
    work: Work = field(compare=False)
    windows: int = field(compare=False)
    loop: asyncio.AbstractEventLoop = field(compare=False)
    done: asyncio.Future[None] = field(compare=False)

    def set_due(self) -> None:
        """The moment from which newcomers no longer go before it."""
        self.due_s = self.arrived_s + self.work.windows_left * AGEING_S_A_WINDOW


class Lane:
    """One thread, and what waits for it.

    What waits is counted in the event loop alone, and ordered in the thread alone:
    neither ever waits for the other.
    """

    def __init__(
        self,
        name: str,
        max_texts: int,
        max_windows: int,
        niceness: int = 0,
        at_rest: Callable[[], None] | None = None,
    ) -> None:
        """`at_rest` is called in the thread when nothing has come for a while."""
        self._max_texts = max_texts
        self._max_windows = max_windows
        self._niceness = niceness
        self._at_rest = at_rest
        self._gauge = WINDOWS_WAITING.labels(name)
        self._entries: set[int] = set()
        self._windows = 0
        self._number = 0
        self._arrived: SimpleQueue[_Entry | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still works."""
        return self._thread.is_alive()

    async def do(self, work: Work) -> None:
        """Returns when the work is done; raises what a step raised.

        Raises:
            Overloaded: as much as can waits already.
        """
        windows = work.windows_left
        self._check_room(windows)
        loop = asyncio.get_running_loop()
        self._number += 1
        now_s = time.monotonic()
        entry = _Entry(
            0.0, self._number, now_s, work, windows, loop, loop.create_future()
        )
        entry.set_due()
        self._count(entry, 1)
        self._arrived.put(entry)
        try:
            await entry.done
        finally:
            self._count(entry, -1)

    def close(self) -> None:
        """Ends the thread after the window it reads; what waits stays undone."""
        self._arrived.put(None)
        self._thread.join()

    def _check_room(self, windows: int) -> None:
        full = len(self._entries) >= self._max_texts
        # What is longer than all that may wait is read when nothing else is.
        if self._entries and self._windows + windows > self._max_windows:
            full = True
        if full:
            raise Overloaded("too many texts wait for the classifier")

    def _count(self, entry: _Entry, by: int) -> None:
        (self._entries.add if by > 0 else self._entries.discard)(entry.number)
        self._windows += by * entry.windows
        self._gauge.set(self._windows)

    def _run(self) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._niceness)
        waiting: list[_Entry] = []
        while self._take_in(waiting):
            _advance(waiting)

    def _take_in(self, waiting: list[_Entry]) -> bool:
        """Adds what arrived and drops what was cancelled; False at the end."""
        waiting[:] = [entry for entry in waiting if not entry.done.cancelled()]
        heapq.heapify(waiting)
        while True:
            try:
                entry = self._next(wait=not waiting)
            except Empty:
                return True
            if entry is None:
                return False
            if not entry.done.cancelled():
                heapq.heappush(waiting, entry)

    def _next(self, wait: bool) -> _Entry | None:
        """What arrived; raises Empty where it may not wait and there is nothing."""
        if wait and self._at_rest is not None:
            try:
                return self._arrived.get(timeout=REST_S)
            except Empty:
                self._at_rest()
        return self._arrived.get(block=wait)


def _advance(waiting: list[_Entry]) -> None:
    """One step of the first of them; it stays unless that was its last."""
    entry = heapq.heappop(waiting)
    if _worked(entry):
        heapq.heappush(waiting, entry)


def _worked(entry: _Entry) -> bool:
    """Does one step, and says whether more are to follow."""
    try:
        done = entry.work.step()
    except Exception as error:  # noqa: BLE001 - it is the caller's to see
        _tell(entry, partial(entry.done.set_exception, error))
        return False
    if done:
        _tell(entry, partial(entry.done.set_result, None))
        return False
    entry.set_due()
    return True


def _tell(entry: _Entry, settle: Callable[[], None]) -> None:
    def unless_done() -> None:
        if not entry.done.done():
            settle()

    # The loop may have ended without it.
    with suppress(RuntimeError):
        entry.loop.call_soon_threadsafe(unless_done)


class Lanes:
    """The lane of short texts and that of long ones."""

    def __init__(self) -> None:
        self._short = Lane("short", MAX_SHORT_TEXTS, MAX_SHORT_WINDOWS)
        self._long = Lane(
            "long", MAX_LONG_TEXTS, MAX_LONG_WINDOWS, LONG_NICENESS, give_back
        )

    @property
    def alive(self) -> bool:
        """Whether both work."""
        return self._short.alive and self._long.alive

    async def do(self, work: Work) -> None:
        """In the lane of its length; see `Lane.do`."""
        short = work.windows_left <= SHORT_WINDOWS
        await (self._short if short else self._long).do(work)

    def close(self) -> None:
        """Ends both threads."""
        self._short.close()
        self._long.close()
