"""A table of decisions that is no database."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from safety_validator.models import Link, Record
from servicekit.errors import Unavailable


class Table:
    """A store that is out for its first `outages` calls.

    Where `loses_answers` it writes all the same, and only its answer does not come.
    """

    def __init__(self, outages: int = 0, loses_answers: bool = False) -> None:
        self.outages = outages
        self.loses_answers = loses_answers
        self.batches: list[list[Record]] = []
        self.links: list[Link] = []
        self.seals: list[bytes | None] = []
        self.asked = asyncio.Event()

    @property
    def rows(self) -> list[Record]:
        """All that was written, each once."""
        return [record for batch in self.batches for record in batch]

    async def add_writer(self, writer_id: UUID, genesis: bytes) -> int:
        """The only writer."""
        return 1

    async def insert(
        self, linked: Sequence[tuple[Record, Link]], head_seal: bytes | None
    ) -> None:
        """Takes what it has not taken before."""
        self.asked.set()
        if self.outages and not self.loses_answers:
            self.outages -= 1
            raise Unavailable
        await asyncio.sleep(0)
        known = set(self.links)
        new = [(record, link) for record, link in linked if link not in known]
        self.batches.append([record for record, _ in new])
        self.links += [link for _, link in new]
        self.seals.append(head_seal)
        if self.outages:
            self.outages -= 1
            raise Unavailable

    async def until(self, count: int) -> None:
        """Waits for so many."""
        async with asyncio.timeout(10):
            while len(self.rows) < count:
                await asyncio.sleep(0.005)
