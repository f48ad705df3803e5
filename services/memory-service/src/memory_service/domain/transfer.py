"""Memories in bulk: in, line by line, and out."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from memory_service import metrics
from memory_service.domain.writing import Writing
from memory_service.errors import QueueFull
from memory_service.models import Draft, Exported, Kept, Outcome
from memory_service.stores.reads import MemoryReads
from servicekit.errors import AppError, Overloaded, Unavailable

# Imports at once: each may have a batch waiting to be embedded.
MAX_IMPORTS = 4
# What a batch waits before it is tried again, where something was out or full.
RETRY_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0)
# Memories read at once by an export.
EXPORT_PAGE = 500

# A line's number, and the memory in it or what is wrong with it.
Line = tuple[int, Draft | AppError]


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

    def __init__(self, writing: Writing, reads: MemoryReads) -> None:
        self._writing = writing
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
        self, batches: AsyncIterator[Sequence[Line]]
    ) -> AsyncIterator[BatchReport]:
        """Stores batch by batch; each is durable when its report comes."""
        totals = Totals()
        async for batch in batches:
            failures = []
            for (number, _), outcome in zip(
                batch, await self._store(batch), strict=True
            ):
                totals.line = number
                if isinstance(outcome, AppError):
                    totals.failed += 1
                    failures.append(Failed(number, outcome))
                elif outcome is not None and outcome.fresh:
                    totals.imported += 1
                else:
                    totals.skipped += 1
                metrics.IMPORT_LINES.labels(_name(outcome)).inc()
            yield BatchReport(failures, totals)

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

    async def _store(self, batch: Sequence[Line]) -> list[Outcome | None]:
        """Outcomes by line; None for a memory whose time was over before it came."""
        now = datetime.now(UTC)
        current = [
            item for _, item in batch if isinstance(item, Draft) and _lives(item, now)
        ]
        stored = iter(await self._remember(current))
        return [
            item
            if isinstance(item, AppError)
            else (next(stored) if _lives(item, now) else None)
            for _, item in batch
        ]

    async def _remember(self, drafts: Sequence[Draft]) -> Sequence[Outcome]:
        if not drafts:
            return []
        for pause_s in RETRY_PAUSES_S:
            try:
                return await self._writing.remember(drafts)
            except (Overloaded, Unavailable):
                await asyncio.sleep(pause_s)
            except AppError as error:
                return [error] * len(drafts)
        try:
            return await self._writing.remember(drafts)
        except AppError as error:
            return [error] * len(drafts)


def _lives(draft: Draft, now: datetime) -> bool:
    return draft.expires_at is None or draft.expires_at > now


def _name(outcome: Outcome | None) -> str:
    if isinstance(outcome, Kept):
        return "imported" if outcome.fresh else "skipped"
    return "skipped" if outcome is None else outcome.kind
