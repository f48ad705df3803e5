"""Decisions in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from contracts.safety import VerdictName
from safety_validator.models import ChainEnd, Link, Record, Writer
from servicekit.database import Database, load_queries

__all__ = ["Decisions", "Wanted"]

_QUERIES = load_queries("safety_validator.stores")
# An id is made just before its decision is dated, by the same clock.
_DATED_WITHIN = timedelta(minutes=1)
_LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)
_LAST_ID = UUID(int=2**128 - 1)
# Contents of one page; at least one record is given.
MAX_PAGE_BYTES = 8 * 1024 * 1024


class Wanted(NamedTuple):
    """Which decisions a list is of; None leaves the choice open."""

    agent_ids: list[str] | None = None
    verdict: str | None = None
    since: datetime | None = None


class Decisions:
    """The tables `decisions` and `writers`; all raise Unavailable when PostgreSQL is
    out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_writer(self, writer_id: UUID, genesis: bytes) -> int:
        """The writer's number; the next one where it is new."""
        async with self._database.transaction() as connection:
            # Two at once would be given the same.
            await connection.execute(_QUERIES["lock_writers"])
            number: int = await connection.fetchval(
                _QUERIES["add_writer"], writer_id, genesis
            )
            return number

    async def insert(
        self, linked: Sequence[tuple[Record, Link]], head_seal: bytes | None
    ) -> None:
        """Writes a writer's next records in one statement, and its head with them;
        those already there stay as they are."""
        head = linked[-1][1]
        columns = zip(*(_columns(*each) for each in linked), strict=True)
        await self._database.fetch(
            _QUERIES["insert_decisions"],
            *(head.writer_id, head.writer_seq, head.hash, head_seal),
            *(list(column) for column in columns),
        )

    async def listed(
        self, wanted: Wanted, before: UUID | None, limit: int
    ) -> tuple[list[tuple[Record, Link | None]], bool]:
        """Records newest first, those before `before`, and whether there are more;
        fewer than `limit` where their contents are long."""
        since = wanted.since or _LONG_AGO
        query, agents = _list_query(wanted)
        rows = await self._database.fetch(
            _QUERIES[query],
            *(before or _LAST_ID, _oldest_id(since), since),
            *(wanted.verdict, limit + 1),
            *agents,
        )
        sizes_bytes = [row["content_bytes"] or 0 for row in rows[:limit]]
        page = rows[: _page_size(sizes_bytes)]
        contents = await self._contents([r for r in page if r["content_bytes"]])
        listed = [(_record(row, contents.get(row["id"])), _link(row)) for row in page]
        return listed, len(rows) > len(page)

    async def _contents(self, rows: Sequence[Mapping[str, Any]]) -> dict[UUID, str]:
        if not rows:
            return {}
        keys = ([row["agent_id"] for row in rows], [row["id"] for row in rows])
        found = await self._database.fetch(_QUERIES["contents"], *keys)
        return {row["id"]: row["content"] for row in found}

    async def writers_after(self, number: int, limit: int) -> list[tuple[int, UUID]]:
        """Writers by number, from the one after `number` on."""
        rows = await self._database.fetch(_QUERIES["writers_after"], number, limit)
        return [(row["number"], row["id"]) for row in rows]

    async def next_links(
        self, writer_id: UUID, after_seq: int | None, limit: int
    ) -> tuple[Writer, list[tuple[Record, Link]]]:
        """A writer as it is now, and its records that follow `after_seq` (None: all),
        without their contents."""
        rows = await self._database.fetch(
            _QUERIES["next_links"], writer_id, after_seq, limit
        )
        linked = [
            (_record(row), Link(writer_id, *_place(row)))
            for row in rows
            if row["id"] is not None
        ]
        return _writer(rows[0]), linked

    async def prunable_writers(self, number: int, limit: int) -> list[tuple[int, UUID]]:
        """Writers that have records, by number, from the one after `number` on."""
        rows = await self._database.fetch(_QUERIES["prunable_writers"], number, limit)
        return [(row["number"], row["id"]) for row in rows]

    async def first_links(
        self, writer_id: UUID, limit: int
    ) -> list[tuple[ChainEnd, datetime]]:
        """A writer's oldest records, and when they were made."""
        rows = await self._database.fetch(_QUERIES["first_links"], writer_id, limit)
        return [
            (ChainEnd(row["writer_seq"], row["hash"]), row["created_at"])
            for row in rows
        ]

    async def drop_links(
        self, writer_id: UUID, anchor: ChainEnd, seal: bytes | None
    ) -> None:
        """Removes a writer's records up to the anchor, which takes their place."""
        await self._database.fetch(_QUERIES["drop_links"], writer_id, *anchor, seal)

    async def drop_unchained(self, before: datetime, limit: int) -> int:
        """Removes records that are in no chain; how many."""
        row = await self._database.fetch_one(_QUERIES["drop_unchained"], before, limit)
        assert row is not None
        count: int = row["count"]
        return count

    async def next_stray(self) -> UUID | None:
        """A decision that names a writer who is not known."""
        row = await self._database.fetch_one(_QUERIES["next_stray"])
        return row and row["id"]

    async def unchained(self, grace: timedelta) -> tuple[int, UUID | None]:
        """How many are in no chain, and one that is from `grace` after chains began."""
        row = await self._database.fetch_one(_QUERIES["unchained"], grace)
        assert row is not None
        return row["count"], row["late"]


def _list_query(wanted: Wanted) -> tuple[str, tuple[list[str] | None, ...]]:
    """The query whose index is made for the list, and the agents it takes."""
    if wanted.verdict not in (None, VerdictName.ALLOW):
        return "newest_notable_decisions", (wanted.agent_ids,)
    if wanted.agent_ids is None:
        return "newest_decisions", ()
    return "newest_decisions_of", (wanted.agent_ids,)


def _page_size(sizes_bytes: Sequence[int]) -> int:
    """How many of a page's records are given: as many as fit, at least one."""
    sums = accumulate(sizes_bytes)
    return max(1, sum(total <= MAX_PAGE_BYTES for total in sums))


def _columns(record: Record, link: Link) -> tuple[Any, ...]:
    return (
        record.id,
        record.agent_id,
        record.kind,
        record.stream,
        record.verdict,
        orjson.dumps(record.categories).decode(),
        record.content_digest,
        record.content,
        record.policy_version,
        record.created_at,
        link.writer_seq,
        link.prev_hash,
        link.hash,
    )


def _record(row: Mapping[str, Any], content: str | None = None) -> Record:
    return Record(
        id=row["id"],
        agent_id=row["agent_id"],
        kind=row["kind"],
        stream=row["stream"],
        verdict=row["verdict"],
        categories=row["categories"],
        content_digest=row["content_digest"],
        policy_version=row["policy_version"],
        created_at=row["created_at"],
        content=content,
    )


def _place(row: Mapping[str, Any]) -> tuple[int, bytes, bytes]:
    return row["writer_seq"], row["prev_hash"] or b"", row["hash"] or b""


def _link(row: Mapping[str, Any]) -> Link | None:
    if row["writer_id"] is None or row["writer_seq"] is None:
        return None
    return Link(row["writer_id"], *_place(row))


def _writer(row: Mapping[str, Any]) -> Writer:
    return Writer(
        ChainEnd(row["anchor_seq"], row["anchor_hash"]),
        row["anchor_seal"],
        ChainEnd(row["head_seq"], row["head_hash"]),
        row["head_seal"],
    )


def _oldest_id(since: datetime) -> UUID:
    """The least UUIDv7 that a decision of that time may have."""
    milliseconds = int((since - _DATED_WITHIN).timestamp() * 1000)
    return UUID(int=max(0, milliseconds) << 80)
