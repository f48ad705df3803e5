"""How long records of decisions are kept.

A chain loses its oldest records; what stays of them is the hash of the last one,
sealed, from which the rest is verified.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from safety_validator.domain.chain import Seals
from safety_validator.models import ChainEnd
from servicekit.errors import Unavailable

__all__ = ["Retention"]

# Records are kept for days; an hour more is none.
EVERY_S = 3600.0
# While PostgreSQL is out, it is asked this often.
RETRY_S = 1.0
# One statement takes some milliseconds.
PAGE = 1_000


class Store(Protocol):
    """Where the chains are."""

    async def prunable_writers(self, number: int, limit: int) -> list[tuple[int, UUID]]:
        """Writers that have records, by number, from the one after `number` on."""
        ...

    async def first_links(
        self, writer_id: UUID, limit: int
    ) -> list[tuple[ChainEnd, datetime]]:
        """A writer's oldest records, and when they were made."""
        ...

    async def drop_links(
        self, writer_id: UUID, anchor: ChainEnd, seal: bytes | None
    ) -> None:
        """Removes a writer's records up to the anchor, which takes their place."""
        ...

    async def drop_unchained(self, before: datetime, limit: int) -> int:
        """Removes records that are in no chain; how many."""
        ...


class Retention:
    """Removes what is older than so many days; any number of replicas may."""

    def __init__(self, store: Store, seals: Seals, days: int) -> None:
        self._store = store
        self._seals = seals
        self._kept = timedelta(days=days)

    async def keep(self) -> None:
        """Removes what has grown too old, until cancelled."""
        while True:
            try:
                await self._prune(datetime.now(UTC) - self._kept)
            except Unavailable:
                await asyncio.sleep(RETRY_S)
            else:
                await asyncio.sleep(EVERY_S)

    async def _prune(self, before: datetime) -> None:
        number = 0
        while writers := await self._store.prunable_writers(number, PAGE):
            for number, writer_id in writers:
                while await self._prune_chain(number, writer_id, before):
                    pass
        while await self._store.drop_unchained(before, PAGE) == PAGE:
            pass

    async def _prune_chain(
        self, number: int, writer_id: UUID, before: datetime
    ) -> bool:
        """Removes a page of a chain; whether there may be more."""
        links = await self._store.first_links(writer_id, PAGE)
        count = _leading(links, before)
        if count == 0:
            return False
        anchor = links[count - 1][0]
        seal = self._seals.seal("anchor", writer_id, number, anchor)
        await self._store.drop_links(writer_id, anchor, seal)
        return count == PAGE


def _leading(links: Sequence[tuple[ChainEnd, datetime]], before: datetime) -> int:
    """How many of them, from the first on, are old; a clock may have gone back."""
    for count, (_, created_at) in enumerate(links):
        if created_at >= before:
            return count
    return len(links)
