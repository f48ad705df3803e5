"""What is learnt from many episodes: similar ones become one semantic memory.

It cites them, repeats nothing that they do not say, and is written like every other
memory: judged, embedded, refused where the value was forgotten. Its id follows from its
sources and what they say, and each of them goes into one such memory at most: doing all
of it again changes nothing.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from uuid import UUID, uuid5

from embedding.manifest import DIMENSION
from memory_service import metrics
from memory_service.domain.clusters import MIN_SOURCES, Clusters, Group
from memory_service.domain.summary import summarise
from memory_service.domain.writing import Writing
from memory_service.errors import JobLost
from memory_service.models.jobs import Fence, HeldJob, Member
from memory_service.models.memories import Draft, Kept, Outcome
from memory_service.stores.consolidation import ConsolidationStore
from servicekit.errors import Overloaded, Unavailable

# Numbers of memories read at once: 3 MB where all of them are episodes.
NUMBERS_TOGETHER = 1024
# Consolidations stored together; each may have as many sources as a group.
WRITTEN_TOGETHER = 16
# After each stretch of work it rests this many times as long: recall goes first.
REST = 1.0
# What a batch waits before it is tried again, where something was out or full.
RETRY_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
# Names the ids of consolidations among all that are made from other names.
NAMESPACE = UUID("5f4bb2ac-5f3e-4b7c-9d0b-3c1d0c5b8a11")


@dataclass(slots=True)
class Progress:
    """How far a job is: numbers of changes, and counts of memories."""

    after: int
    until: int
    seq: int = 0
    read: int = 0
    consolidated: int = 0
    memories: int = 0
    refused: int = 0
    removed: int = 0

    @property
    def result(self) -> dict[str, int]:
        """What came of it: sources, memories made of them, those that safety or a
        tombstone refused, and memories removed beyond the capacity."""
        names = ("consolidated", "memories", "refused", "removed")
        return {name: count for name, count in asdict(self).items() if name in names}


@dataclass(slots=True)
class _Pass:
    """One job's way through an agent's memories."""

    held: HeldJob
    progress: Progress
    clusters: Clusters = field(default_factory=lambda: Clusters(DIMENSION))

    @property
    def agent_id(self) -> str:
        return self.held.job.agent_id


class Consolidation:
    """Reads in order of the numbers, groups, writes; holds a few megabytes."""

    def __init__(self, store: ConsolidationStore, writing: Writing) -> None:
        self._store = store
        self._writing = writing

    async def run(self, held: HeldJob, progress: Progress) -> None:
        """Goes through all memories of the job; raises JobLost, Unavailable."""
        one = _Pass(held, progress)
        progress.seq, progress.read = progress.after, 0
        while progress.seq < progress.until:
            started_s = time.perf_counter()
            await self._write(one, await self._read(one))
            await asyncio.sleep(REST * (time.perf_counter() - started_s))
        await self._write(one, one.clusters.finish())

    async def _read(self, one: _Pass) -> list[Group]:
        """Takes the next memories; the groups that are complete by them."""
        progress = one.progress
        upto = min(progress.seq + NUMBERS_TOGETHER, progress.until)
        found = await self._store.candidates(one.agent_id, progress.seq, upto)
        # A thread: the comparison leaves the event loop to the requests.
        complete = await asyncio.to_thread(
            one.clusters.take, found.seqs, found.users, found.vectors
        )
        progress.seq, progress.read = upto, progress.read + len(found.seqs)
        return complete

    async def _write(self, one: _Pass, groups: Sequence[Group]) -> None:
        for start in range(0, len(groups), WRITTEN_TOGETHER):
            started_s = time.perf_counter()
            await self._write_some(one, groups[start : start + WRITTEN_TOGETHER])
            await asyncio.sleep(REST * (time.perf_counter() - started_s))

    async def _write_some(self, one: _Pass, groups: Sequence[Group]) -> None:
        seqs = [seq for group in groups for seq in group]
        members, seen_seq = await self._store.members(one.agent_id, seqs)
        by_seq = {member.seq: member for member in members}
        found = ([by_seq[seq] for seq in group if seq in by_seq] for group in groups)
        drafts = [make_draft(one.agent_id, group) for group in found if _holds(group)]
        if drafts:
            fence = Fence(one.agent_id, one.held.job.id, one.held.epoch, seen_seq)
            outcomes = await self._remember(drafts, fence)
            _count(one.progress, drafts, outcomes)

    async def _remember(
        self, drafts: Sequence[Draft], fence: Fence
    ) -> Sequence[Outcome]:
        for pause_s in RETRY_PAUSES_S:
            try:
                return await self._writing.remember(drafts, fence=fence)
            except (Overloaded, Unavailable):
                await asyncio.sleep(pause_s)
        return await self._writing.remember(drafts, fence=fence)


def make_draft(agent_id: str, members: Sequence[Member]) -> Draft:
    """The memory that these become, in the order of their numbers."""
    sources = [member.id for member in members]
    times = [member.timestamp for member in members]
    content = summarise(members)
    said = sorted((str(member.id), member.content) for member in members)
    return Draft(
        id=uuid5(NAMESPACE, json.dumps([agent_id, *said])),
        brought_id=True,
        agent_id=agent_id,
        user_id=members[0].user_id,
        session_id=None,
        content=content,
        memory_type="semantic",
        importance=max(member.importance for member in members),
        timestamp=max(times),
        metadata={
            "sources": list(map(str, sources)),
            "since": min(times).isoformat(),
            "until": max(times).isoformat(),
        },
        evidence="inferred",
        pinned=False,
        expires_at=None,
        sources=sources,
    )


def _holds(members: Sequence[Member]) -> bool:
    """Whether enough are left; hashes of two users' names may be equal, names not."""
    return (
        len(members) >= MIN_SOURCES and len({member.user_id for member in members}) == 1
    )


def _count(
    progress: Progress, drafts: Sequence[Draft], outcomes: Sequence[Outcome]
) -> None:
    for draft, outcome in zip(drafts, outcomes, strict=True):
        if isinstance(outcome, JobLost):
            raise outcome
        if not isinstance(outcome, Kept):
            progress.refused += 1
        elif outcome.fresh:
            progress.memories += 1
            progress.consolidated += len(draft.sources)
            metrics.CONSOLIDATED.inc(len(draft.sources))
