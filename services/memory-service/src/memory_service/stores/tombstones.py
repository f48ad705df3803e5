"""Values that must not come back."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from contracts.ids import new_id
from memory_service.digests import ANCHOR_WORDS, Digester, texts_of
from memory_service.models.forgetting import Burial, Tombstone
from memory_service.stores.queries import QUERIES
from servicekit.database import Database

# An agent's value, by a digest of it.
Digest = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Stone:
    """A tombstone that a value meets: `deleted` or `forgotten`."""

    id: UUID
    kind: str


@dataclass(frozen=True, slots=True)
class Value:
    """What a memory is about to say."""

    agent_id: str
    digester: Digester
    content: str
    metadata: Mapping[str, Any]


async def find_stones(
    connection: asyncpg.Connection, values: Sequence[Value]
) -> list[list[Stone]]:
    """The tombstones that each value meets, whole or by a phrase within it.

    To be asked under the locks of the agents, from which the digesters come. An agent
    without tombstones costs nothing.
    """
    met: list[list[Stone]] = [[] for _ in values]
    watched = [number for number, value in enumerate(values) if value.digester.watches]
    if not watched:
        return met
    some = [values[number] for number in watched]
    wholes = [(v.agent_id, v.digester.digest_text(v.content)) for v in some]
    phrases = await _find_phrases(connection, some)
    rows = await connection.fetch(
        QUERIES["stones"], *_columns(wholes), *_columns(set().union(*phrases))
    )
    by_whole, by_phrase = _sort(rows)
    for number, whole, mine in zip(watched, wholes, phrases, strict=True):
        found = [*by_whole[whole], *(stone for p in mine for stone in by_phrase[p])]
        met[number] = list(dict.fromkeys(found))
    return met


async def bury(
    connection: asyncpg.Connection,
    agent_id: str,
    kind: str,
    burials: Iterable[Burial],
    created_by: str,
) -> int:
    """Puts values under tombstones, under the agent's lock; how many there are."""
    distinct = list(dict.fromkeys(burials))
    if distinct:
        await connection.execute(
            QUERIES["bury"],
            agent_id,
            kind,
            created_by,
            [burial.digest for burial in distinct],
            [burial.phrase for burial in distinct],
            [burial.anchor for burial in distinct],
            [burial.words for burial in distinct],
            ANCHOR_WORDS,
            [new_id() for _ in distinct],
        )
    return len(distinct)


class Tombstones:
    """What is shown of them, and how one is lifted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, agent_id: str, before: UUID | None, limit: int
    ) -> list[Tombstone]:
        """Those before an id, newest first: their ids are in the order of time."""
        rows = await self._database.fetch(
            QUERIES["tombstones"], agent_id, before, limit
        )
        return [Tombstone(**row) for row in rows]

    async def lift(self, agent_id: str, tombstone_id: UUID) -> bool:
        """Whether there was one to lift."""
        async with self._database.transaction() as connection:
            await connection.execute(QUERIES["lock_agent"], agent_id)
            rows = await connection.fetch(QUERIES["lift"], [agent_id], [tombstone_id])
        return bool(rows)


async def _find_phrases(
    connection: asyncpg.Connection, values: Sequence[Value]
) -> list[set[Digest]]:
    """The digests of phrases in each value that begin as a buried one does."""
    windows = [
        [
            value.digester.windows(text)
            for text in texts_of(value.content, value.metadata)
        ]
        if value.digester.anchor_lengths
        else []
        for value in values
    ]
    starts = {
        (value.agent_id, anchor)
        for value, mine in zip(values, windows, strict=True)
        for window in mine
        for anchor in window.starts
    }
    if not starts:
        return [set() for _ in values]
    lengths: dict[str, list[tuple[bytes, int]]] = defaultdict(list)
    for row in await connection.fetch(QUERIES["anchors"], *_columns(starts)):
        lengths[row["agent_id"]].append((row["anchor"], row["words"]))
    return [
        {
            (value.agent_id, phrase)
            for window in mine
            for phrase in value.digester.phrases(window, lengths[value.agent_id])
        }
        for value, mine in zip(values, windows, strict=True)
    ]


def _sort(
    rows: Iterable[asyncpg.Record],
) -> tuple[defaultdict[Digest, list[Stone]], defaultdict[Digest, list[Stone]]]:
    by_whole: defaultdict[Digest, list[Stone]] = defaultdict(list)
    by_phrase: defaultdict[Digest, list[Stone]] = defaultdict(list)
    for row in rows:
        stone = Stone(row["id"], row["kind"])
        by_whole[row["agent_id"], row["digest"]].append(stone)
        if row["phrase"] is not None:
            by_phrase[row["agent_id"], row["phrase"]].append(stone)
    return by_whole, by_phrase


def _columns(digests: Iterable[Digest]) -> tuple[list[str], list[bytes]]:
    pairs = list(digests)
    return [agent_id for agent_id, _ in pairs], [digest for _, digest in pairs]
