"""Whether the log of decisions is as it was written."""

import asyncio
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from safety_validator.domain.chain import GENESIS, Seals, record_hash
from safety_validator.models import ChainEnd, Link, Record, Writer

__all__ = ["Audit", "Verification"]

# Hashed in a millisecond or two, in which no verdict is given.
PAGE = 200
WRITERS_A_PAGE = 1_000
# Pods of a version that made no chains may serve so long beside this one.
UNCHAINED_GRACE = timedelta(days=1)


class Store(Protocol):
    """Where the chains are."""

    async def writers_after(self, number: int, limit: int) -> list[tuple[int, UUID]]:
        """Writers by number, from the one after `number` on."""
        ...

    async def next_links(
        self, writer_id: UUID, after_seq: int | None, limit: int
    ) -> tuple[Writer, list[tuple[Record, Link]]]:
        """A writer as it is now, and its records that follow."""
        ...

    async def next_stray(self) -> UUID | None:
        """A decision of a writer who is not known."""
        ...

    async def unchained(self, grace: timedelta) -> tuple[int, UUID | None]:
        """How many are in no chain, and one that should be in one."""
        ...


@dataclass(slots=True)
class Verification:
    """What a walk over all chains found.

    `first_broken` is the first record that is not as it was written, or the last one
    before a gap at an end (a writer's id where it has no record left); `reason` says
    what is wrong. `unchained` are records from before there were chains, `unsealed`
    chains whose ends bear no seal of this service key: of both, nothing is proved
    against somebody who may write to the tables.
    """

    records: int = 0
    unchained: int = 0
    chains: int = 0
    unsealed: int = 0
    first_broken: UUID | None = None
    reason: str | None = None

    @property
    def valid(self) -> bool:
        """Whether nothing was found."""
        return self.first_broken is None


class _Broken(Exception):
    """The chain does not hold from this record on."""

    def __init__(self, place: UUID, reason: str) -> None:
        super().__init__(reason)
        self.place = place


class Audit:
    """Walks the chains page by page; one walk at a time."""

    def __init__(self, store: Store, seals: Seals) -> None:
        self._store = store
        self._seals = seals
        self._walking = asyncio.Lock()

    async def verify(self) -> Verification:
        """Walks all chains up to the first fault; raises Unavailable when PostgreSQL
        is out."""
        found = Verification()
        async with self._walking:
            try:
                await self._walk_all(found)
            except _Broken as broken:
                found.first_broken, found.reason = broken.place, str(broken)
        return found

    async def _walk_all(self, found: Verification) -> None:
        number = 0
        while writers := await self._store.writers_after(number, WRITERS_A_PAGE):
            for own_number, writer_id in writers:
                number += 1
                if own_number != number:
                    raise _Broken(writer_id, "the writer before this one is gone")
                await _Walk(self._store, self._seals, found, number, writer_id).walk()
        if (stray := await self._store.next_stray()) is not None:
            raise _Broken(stray, "its writer is gone")
        found.unchained, late = await self._store.unchained(UNCHAINED_GRACE)
        found.records += found.unchained
        if late is not None:
            raise _Broken(late, "it is in no chain")


class _Walk:
    """Over the chain of one writer.

    Each page brings the writer's ends as they were in the same moment, so that records
    which are written or removed meanwhile disturb nothing.
    """

    def __init__(
        self,
        store: Store,
        seals: Seals,
        found: Verification,
        number: int,
        writer_id: UUID,
    ) -> None:
        self._store = store
        self._seals = seals
        self._found = found
        self._number = number
        self._writer_id = writer_id
        self._last = writer_id
        self._end: ChainEnd | None = None

    async def walk(self) -> None:
        """Raises _Broken at the first fault."""
        self._found.chains += 1
        full = True
        while full:
            after = self._end and self._end.seq
            writer, linked = await self._store.next_links(self._writer_id, after, PAGE)
            self._begin(writer)
            self._follow(linked)
            full = len(linked) == PAGE
        if self._end != writer.head:
            raise _Broken(self._last, "what was written after it is gone")
        self._check_seals(writer)

    def _begin(self, writer: Writer) -> None:
        anchor = writer.anchor
        if self._end is None or self._end.seq < anchor.seq:
            # The first page, or retention was faster than this walk.
            self._end = anchor

    def _follow(self, linked: Sequence[tuple[Record, Link]]) -> None:
        assert self._end is not None
        for record, link in linked:
            seq, before = self._end
            if link.writer_seq != seq + 1:
                raise _Broken(record.id, "a record before it is gone or was put there")
            if link.prev_hash != before:
                raise _Broken(record.id, "it does not follow the record before it")
            if link.hash != record_hash(record, link):
                raise _Broken(record.id, "it was changed")
            self._end = ChainEnd(link.writer_seq, link.hash)
            self._last = record.id
        self._found.records += len(linked)

    def _check_seals(self, writer: Writer) -> None:
        ends = [("head", writer.head, writer.head_seal)]
        if writer.anchor != ChainEnd(0, GENESIS):
            ends.append(("anchor", writer.anchor, writer.anchor_seal))
        if writer.head.seq and not all(self._holds(*end) for end in ends):
            self._found.unsealed += 1

    def _holds(self, name: str, end: ChainEnd, seal: bytes | None) -> bool:
        own = self._seals.seal(name, self._writer_id, self._number, end)
        return own is not None and seal is not None and hmac.compare_digest(own, seal)
