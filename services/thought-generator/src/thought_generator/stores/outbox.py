"""Thoughts on their way to memory, in PostgreSQL."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from servicekit.database import Database, load_queries

SQL = load_queries("thought_generator.stores")
# A deliverer that dies keeps its thoughts from the others for this long.
CLAIM = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A thought that memory does not have yet."""

    agent_id: str
    thought_id: UUID
    stream: str
    seq: int
    content: str
    created_at: datetime
    verdict: dict[str, str] | None
    # The memories that it was thought from.
    sources: Sequence[UUID] = ()
    session_id: str | None = None


class OutboxStore:
    """Claims, then finishes or returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, limit: int) -> list[Delivery]:
        """Deliveries that nobody else works on, oldest first."""
        rows = await self._database.fetch(SQL["claim_deliveries"], limit, CLAIM)
        return [
            Delivery(
                agent_id=row["agent_id"],
                thought_id=row["id"],
                stream=row["stream"],
                seq=row["seq"],
                content=row["content"],
                created_at=row["created_at"],
                verdict=row["verdict"],
                sources=row["sources"],
                session_id=row["session_id"],
            )
            for row in rows
        ]

    async def finish(self, deliveries: Iterable[Delivery]) -> None:
        """Memory has them."""
        await self._database.fetch(SQL["finish_deliveries"], *_keys(deliveries))

    async def give_back(self, deliveries: Iterable[Delivery]) -> None:
        """They are to be tried again."""
        await self._database.fetch(SQL["return_deliveries"], *_keys(deliveries))

    async def waiting(self) -> tuple[int, datetime | None]:
        """How many wait, and since when the oldest does."""
        row = await self._database.fetch_one(SQL["outbox_age"])
        assert row is not None
        return row["waiting"], row["oldest"]


def _keys(deliveries: Iterable[Delivery]) -> tuple[list[str], list[UUID]]:
    chosen = list(deliveries)
    return [d.agent_id for d in chosen], [d.thought_id for d in chosen]
