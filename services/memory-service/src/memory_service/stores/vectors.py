"""What an index is loaded from, and what a snapshot of one is held against."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
import structlog

from memory_service.models.vectors import (
    MAX_SEQ,
    Change,
    Part,
    Position,
    Vector,
    VectorPage,
)
from memory_service.stores.queries import QUERIES
from memory_service.stores.rows import in_contexts, unpack_vector
from servicekit.database import Database
from servicekit.errors import DatabaseUnavailable

# A replica that lacks more changes is no help: they come one by one by the feed.
MAX_REPLICA_LAG = 50_000

REPLICA = "replica"
PRIMARY = "primary"

log = structlog.get_logger()


@dataclass
class _Seen:
    """The oldest moment that the statements of a page saw, and where."""

    seq: int = MAX_SEQ
    source: str = REPLICA


class VectorReads:
    """Reads from a replica that tells the primary's own history, else from that."""

    def __init__(self, database: Database, model: str) -> None:
        self._database = database
        self._model = model

    async def position(self, agent_id: str) -> Position:
        """Where the primary is; number 0 for an agent without memories."""
        (row,) = await self._database.fetch(QUERIES["position"], agent_id)
        return Position(row["seq"], row["timeline"])

    async def page(
        self, agent_id: str, after: int, limit: int, position: Position
    ) -> VectorPage:
        """Vectors of the memories after `after`, at most `limit`; deleted ones lack.

        Each statement may see another moment, and another server: the page counts as
        the oldest of them, and the change feed makes up for what came later.
        """
        seen = _Seen()
        read = partial(self._read, position, seen)
        rows = await read("load_vectors", agent_id, after, limit, self._model)
        if not rows:
            return VectorPage((), after, seen.seq, last=True, source=seen.source)
        upto = rows[-1]["seq"]
        parts = await read("load_parts", agent_id, after, upto)
        own = {row["seq"]: row["vector"] for row in rows}
        before = {row["previous_seq"] for row in rows} - own.keys() - {None}
        if before:
            others = await read("load_previous", agent_id, list(before), self._model)
            previous = own | {row["seq"]: row["vector"] for row in others}
        else:
            previous = own
        vectors = in_contexts(
            list(own.values()), [previous.get(row["previous_seq"]) for row in rows]
        )
        found = dict(zip(own, vectors, strict=True))
        return VectorPage(
            [
                Change(row["seq"], Part(row["part"]), found[row["seq"]])
                for row in parts
                if row["seq"] in found
            ],
            upto,
            seen.seq,
            last=len(rows) < limit,
            source=seen.source,
        )

    async def newest(self, agent_id: str, upto: int, limit: int) -> dict[int, Vector]:
        """The newest vectors that no change after `upto` concerns, by memory."""
        rows = await self._database.fetch(
            QUERIES["newest_vectors"], agent_id, upto, limit, self._model
        )
        vectors = in_contexts(
            [row["vector"] for row in rows], [row["previous"] for row in rows]
        )
        return {
            row["seq"]: unpack_vector(vector)
            for row, vector in zip(rows, vectors, strict=True)
        }

    async def outdated(self, positions: Mapping[str, Position]) -> set[str]:
        """The agents that are gone, or lost a memory after that, or are not there."""
        rows = await self._database.fetch(
            QUERIES["outdated_snapshots"],
            list(positions),
            [position.seq for position in positions.values()],
            [position.timeline for position in positions.values()],
        )
        return {row["agent_id"] for row in rows}

    async def _read(
        self, position: Position, seen: _Seen, query: str, *args: Any
    ) -> list[asyncpg.Record]:
        rows = await self._read_replica(position, query, *args)
        if rows is None:
            rows = await self._database.fetch(QUERIES[query], *args)
            seen.source = PRIMARY
        seen.seq = min(seen.seq, rows[0]["agent_seq"] if rows else 0)
        return [row for row in rows if row["seq"] is not None]

    async def _read_replica(
        self, position: Position, query: str, *args: Any
    ) -> list[asyncpg.Record] | None:
        """None where no replica tells the same history, and late enough."""
        if not self._database.has_replica:
            return None
        try:
            rows = await self._database.read_replica(QUERIES[query], *args)
        except (DatabaseUnavailable, asyncpg.SyntaxOrAccessError) as error:
            log.info("replica is not loaded from", error=repr(error))
            return None
        if not rows or rows[0]["timeline"] != position.timeline:
            return None
        late = rows[0]["agent_seq"] >= position.seq - MAX_REPLICA_LAG
        return rows if late else None
