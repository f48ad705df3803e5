"""Memories in bulk: in, line by line, and out."""

import asyncio
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import repeat
from typing import TypeVar

from memory_service import metrics
from memory_service.domain.judging import Judging
from memory_service.domain.writing import Writing
from memory_service.errors import QueueFull
from memory_service.models.memories import Draft, Exported, Kept, Outcome, Scrutiny
from memory_service.stores.reads import MemoryReads
from servicekit.errors import AppError, Overloaded, Unavailable

# Imports at once: each holds some batches in memory.
MAX_IMPORTS = 4
# Of one import: one is stored and the next waits for it, while a third is read or
# judged.
MAX_BATCHES_UNDER_WAY = 3
# What a batch waits before it is tried again, where something was out or full.
RETRY_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0)
# Memories read at once by an export.
EXPORT_PAGE = 500

# A line's number, and the memory in it or what is wrong with it.
Line = tuple[int, Draft | AppError]
# By line; None for a memory whose time was over before it came.
Outcomes = list[Outcome | None]
# When the batches before it queue for being stored, and when a batch itself does.
Turn = asyncio.Event
Work = Callable[[Sequence[Line], Turn, Turn], Coroutine[None, None, Outcomes]]
T = TypeVar("T")
R = TypeVar("R")
Step = Callable[[Sequence[T]], Awaitable[list[R]]]


@dataclass(frozen=True, slots=True)
class Failed:
    """A line that was not stored, and why."""

    line: int
    error: AppError


@dataclass(slots=True)
class Totals:
    """What became of the lines so far."""

    line: int = 0
    imported: int = 0
    skipped: int = 0
    failed: int = 0


@dataclass(slots=True)
class BatchReport:
    """What one batch adds to the answer."""

    failures: list[Failed]
    totals: Totals = field(default_factory=Totals)


class Transfer:
    """Import and export."""

    def __init__(self, writing: Writing, reads: MemoryReads, judging: Judging) -> None:
        self._writing = writing
        self._judging = judging
        self._reads = reads
        self._imports = 0

    def begin(self) -> None:
        """Takes room for one more import, to be given back; raises QueueFull."""
        if self._imports >= MAX_IMPORTS:
            raise QueueFull(f"{MAX_IMPORTS} imports run at once at most")
        self._imports += 1

    def end(self) -> None:
        """Gives the room back."""
        self._imports -= 1

    async def take_in(
        self, batches: AsyncIterator[Sequence[Line]], scrutiny: Scrutiny
    ) -> AsyncIterator[BatchReport]:
        """Stores batch by batch; each is durable when its report comes.

        While one is stored the next are read, judged and embedded. They are stored in
        order, but for one that has to be tried again.
        """
        totals = Totals()
        prepare = partial(self._writing.prepare, scrutiny=scrutiny)
        work = partial(self._take_in_one, prepare)
        async with aclosing(_in_order(batches, work)) as settled:
            async for batch, outcomes in settled:
                if scrutiny is Scrutiny.LATER:
                    self._judging.tell()
                yield BatchReport(_count(totals, batch, outcomes), totals)

    async def export(
        self, agent_id: str, with_vectors: bool
    ) -> AsyncIterator[list[Exported]]:
        """The agent's memories by pages, in the order in which they were made."""
        after = 0
        while page := await self._reads.export_page(
            agent_id, after, EXPORT_PAGE, with_vectors
        ):
            yield page
            after = page[-1].memory.seq

    async def _take_in_one(
        self,
        prepare: Step[Draft, Draft | Outcome],
        batch: Sequence[Line],
        before: Turn,
        after: Turn,
    ) -> Outcomes:
        """What becomes of the lines.

        They queue for being stored after those `before`, and then those `after` do.
        """
        now = datetime.now(UTC)
        current = [
            item for _, item in batch if isinstance(item, Draft) and _lives(item, now)
        ]
        try:
            prepared = await self._patiently(prepare, current)
            await before.wait()
            outcomes = (
                prepared
                if isinstance(prepared, AppError)
                else await self._store(prepared, after)
            )
        finally:
            after.set()
        stored: Iterator[Outcome] = (
            repeat(outcomes) if isinstance(outcomes, AppError) else iter(outcomes)
        )
        return [
            item
            if isinstance(item, AppError)
            else (next(stored) if _lives(item, now) else None)
            for _, item in batch
        ]

    async def _store(
        self, prepared: Sequence[Draft | Outcome], after: Turn
    ) -> list[Outcome] | AppError:
        storing = asyncio.create_task(
            self._patiently(self._writing.store, prepared, self._writing.store_again)
        )
        after.set()
        return await storing

    async def _patiently(
        self, step: Step[T, R], items: Sequence[T], again: Step[T, R] | None = None
    ) -> list[R] | AppError:
        """What a step makes of a batch, tried again while something is out or full."""
        if not items:
            return []
        for pause_s in RETRY_PAUSES_S:
            try:
                return await step(items)
            except (Overloaded, Unavailable):
                await asyncio.sleep(pause_s)
                step = again or step
            except AppError as error:
                return error
        try:
            return await step(items)
        except AppError as error:
            return error


async def _in_order(
    batches: AsyncIterator[Sequence[Line]], work: Work
) -> AsyncGenerator[tuple[Sequence[Line], Outcomes]]:
    """What becomes of the batches, in order, with some of them under way at once."""
    room = asyncio.Semaphore(MAX_BATCHES_UNDER_WAY)
    begun: asyncio.Queue[tuple[Sequence[Line], asyncio.Task[Outcomes]] | None]
    begun = asyncio.Queue()
    tasks: set[asyncio.Task[Outcomes]] = set()

    async def begin() -> None:
        before = asyncio.Event()
        before.set()
        try:
            await room.acquire()
            async for batch in batches:
                after = asyncio.Event()
                task = asyncio.create_task(work(batch, before, after))
                tasks.add(task)
                begun.put_nowait((batch, task))
                before = after
                await room.acquire()
        finally:
            begun.put_nowait(None)

    beginning = asyncio.create_task(begin())
    try:
        while (one := await begun.get()) is not None:
            batch, task = one
            yield batch, await task
            tasks.discard(task)
            room.release()
        await beginning
    finally:
        for unfinished in (beginning, *tasks):
            unfinished.cancel()
        await asyncio.gather(beginning, *tasks, return_exceptions=True)


def _count(totals: Totals, batch: Sequence[Line], outcomes: Outcomes) -> list[Failed]:
    """Adds a batch to the totals; the lines of it that failed."""
    failures = []
    for (number, _), outcome in zip(batch, outcomes, strict=True):
        totals.line = number
        if isinstance(outcome, AppError):
            totals.failed += 1
            failures.append(Failed(number, outcome))
        elif outcome is not None and outcome.fresh:
            totals.imported += 1
        else:
            totals.skipped += 1
    for name, lines in Counter(map(_name, outcomes)).items():
        metrics.IMPORT_LINES.labels(name).inc(lines)
    return failures


def _lives(draft: Draft, now: datetime) -> bool:
    return draft.expires_at is None or draft.expires_at > now


def _name(outcome: Outcome | None) -> str:
    if isinstance(outcome, Kept):
        return "imported" if outcome.fresh else "skipped"
    return "skipped" if outcome is None else outcome.kind
