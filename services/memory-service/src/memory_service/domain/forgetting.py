"""Deleting and forgetting: what stands, what was made from it, and its return.

What was made from a forgotten memory goes with it: all that was inferred from it, and
each thought that recalled it and still carries it (`carrying`), and what was made from
those in turn. Values go under tombstones: a deleted one is refused where it comes by
itself (a thought, a consolidation, an import), until a person tells it anew; one that
is to stay forgotten is refused from everybody, until an admin lifts that.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from memory_service.carrying import Carried
from memory_service.digests import (
    MIN_PHRASE_WORDS,
    Digester,
    contains_phrase,
    texts_of,
    words_of,
)
from memory_service.domain.caching import Caches
from memory_service.domain.feed import Feed
from memory_service.domain.written import WrittenSeqs
from memory_service.errors import MemoryUnknown, TombstoneUnknown
from memory_service.models.forgetting import Forgot, Tombstone
from memory_service.models.recall import Filters
from memory_service.stores.forgetting import (
    ForgettingStore,
    LockedAgent,
    Note,
    Said,
    Text,
)
from memory_service.stores.tombstones import Tombstones

# Memories forgotten in one transaction: other writers of the agent wait for it.
MAX_TOGETHER = 200
# Numbers of memories looked through by one statement, where a value is searched for.
SCAN_SEQS = 20_000
# What means something else in a pattern of PostgreSQL, and how it stands for itself.
_LIKE_SIGN = re.compile(r"[\\%_]")
LIKE_ESCAPED = r"\\\g<0>"


class Forgetting:
    """Each call is done when it returns; one that was cut off may be repeated."""

    def __init__(
        self,
        store: ForgettingStore,
        tombstones: Tombstones,
        feed: Feed,
        written: WrittenSeqs,
        caches: Caches,
    ) -> None:
        self._store = store
        self._tombstones = tombstones
        self._feed = feed
        self._written = written
        self._caches = caches

    async def delete(self, agent_id: str, memory_id: UUID, by: str) -> int:
        """Deletes a memory for good; the number of the change."""
        forgot = Forgot()
        if await self._store.newest(agent_id):
            forgot = await self._forget(agent_id, [memory_id], "deleted", by)
        if not forgot.seq:
            raise MemoryUnknown(f"{agent_id} has no memory {memory_id}")
        return forgot.seq

    async def forget_value(self, agent_id: str, value: str, by: str) -> Forgot:
        """Forgets each memory that has the value in it, and all that is yet to come."""
        async with self._store.locked(agent_id) as locked:
            burial = locked.digester.burial(value, 1)
            count = await locked.bury("forgotten", [burial], by)
            digester, newest = locked.digester, locked.seq
        # From here on nothing that says it is written any more: what there is, is all.
        says = _Says(value, digester)
        total, after = Forgot(tombstones=count), 0
        while after < newest:
            until = after + SCAN_SEQS
            async for texts in self._store.texts(agent_id, after, until, says.like):
                found = await asyncio.to_thread(says.among, texts)
                for start in range(0, len(found), MAX_TOGETHER):
                    some = found[start:][:MAX_TOGETHER]
                    total = total.and_(await self._forget(agent_id, some, None, by))
            # What was changed meanwhile left a past version, by a newer number.
            after, newest = until, await self._store.newest(agent_id)
        await self._scrub_notes(agent_id, says)
        await self._caches.drop(agent_id)
        return total

    async def forget_matching(self, agent_id: str, filters: Filters, by: str) -> Forgot:
        """Forgets the memories that meet the filters, and what they say for ever."""
        newest = await self._store.newest(agent_id)
        total, after = Forgot(), 0
        while found := await self._store.matching(
            agent_id, after, newest, MAX_TOGETHER, filters
        ):
            ids = [memory_id for memory_id, _ in found]
            total = total.and_(await self._forget(agent_id, ids, "forgotten", by))
            after = found[-1][1]
        return total

    async def tombstones(
        self, agent_id: str, before: UUID | None, limit: int
    ) -> list[Tombstone]:
        """A page, newest first."""
        return await self._tombstones.page(agent_id, before, limit)

    async def lift(self, agent_id: str, tombstone_id: UUID) -> None:
        """Lets a value be written again; raises TombstoneUnknown."""
        if not await self._tombstones.lift(agent_id, tombstone_id):
            raise TombstoneUnknown(f"{agent_id} has no tombstone {tombstone_id}")

    async def _forget(
        self, agent_id: str, memory_ids: Sequence[UUID], kind: str | None, by: str
    ) -> Forgot:
        """Deletes memories and what was made from them, in one transaction.

        Their values go under tombstones of that kind, if any.
        """
        async with self._store.locked(agent_id) as locked:
            said = await locked.said(memory_ids)
            gone = {one.id for one in said if one.id is not None}
            if not gone:
                return Forgot()
            derived = await _find_derived(locked, said)
            count = 0
            if kind is not None:
                count = await _bury(locked, kind, (one.content for one in said), by)
            await _bury(locked, "deleted", derived.carrying, by)
            await locked.delete(gone | derived.ids)
            seq = locked.seq
        self._written.note(agent_id, seq)
        self._feed.wake(agent_id)
        await self._caches.drop(agent_id)
        versions = sum(one.past for one in said)
        return Forgot(len(gone) - versions, versions, len(derived.ids), count, seq)

    async def _scrub_notes(self, agent_id: str, says: "_Says") -> None:
        async for notes in self._store.notes(agent_id, says.like):
            found = await asyncio.to_thread(says.noted, notes)
            if found:
                await self._store.scrub_notes(agent_id, found)


@dataclass
class _Derived:
    """What goes with memories, and those texts of it that carry what they said."""

    ids: set[UUID]
    carrying: list[str]


async def _bury(
    locked: LockedAgent, kind: str, contents: Iterable[str], by: str
) -> int:
    digester = locked.digester
    burials = [digester.burial(content, MIN_PHRASE_WORDS) for content in contents]
    return await locked.bury(kind, burials, by)


async def _find_derived(locked: LockedAgent, said: Sequence[Said]) -> _Derived:
    """All that was made from memories and is to go with them."""
    contents: defaultdict[UUID, list[str]] = defaultdict(list)
    for one in said:
        contents[one.memory_id].append(one.content)
    roots = {one.id for one in said if one.id is not None}
    # What each that goes has of what was said first. A memory that stays while a past
    # version of it goes is cited all the same.
    carried = {
        memory_id: [Carried(contents[memory_id])]
        for memory_id in {one.memory_id for one in said}
    }
    gone, edge = set(roots), set(carried)
    derived = _Derived(set(), [])
    while edge:
        found: defaultdict[UUID, list[Carried]] = defaultdict(list)
        going: set[UUID] = set()
        async for page in locked.derived(edge):
            for made in page:
                origins = carried[made.source_id]
                told = [each for each in origins if each.by(made.content)]
                inferred = made.evidence != "thought" and made.source_id in gone
                if (told or inferred) and made.id not in gone:
                    going.add(made.id)
                    found[made.memory_id] += told or origins
                    derived.carrying += [made.content] if told else []
        for memory_id, origins in found.items():
            known = carried.get(memory_id, [])
            carried[memory_id] = list(dict.fromkeys([*known, *origins]))
        gone |= going
        derived.ids |= going
        edge = set(found)
    return derived


class _Says:
    """Whether texts have a value in them."""

    def __init__(self, value: str, digester: Digester) -> None:
        self._words = words_of(value)
        self._digest = digester.digest_text(value)
        self._digester = digester

    @property
    def like(self) -> str:
        """What PostgreSQL may look for first: the longest word that it folds as we."""
        plain = max((w for w in self._words if w.isascii()), key=len, default="")
        return f"%{_LIKE_SIGN.sub(LIKE_ESCAPED, plain)}%"

    def among(self, texts: Iterable[Text]) -> list[UUID]:
        """The memories that say it."""
        return [
            text.id
            for text in texts
            if self._any(texts_of(text.content, text.metadata))
        ]

    def noted(self, notes: Iterable[Note]) -> list[Note]:
        """The notes that tell it."""
        return [note for note in notes if self._any(texts_of("", {"": note.noted}))]

    def _any(self, texts: Iterable[str]) -> bool:
        return any(
            contains_phrase(text, self._words)
            or self._digester.digest_text(text) == self._digest
            for text in texts
        )
