"""What becomes of memories on their way in, under the locks of their agents."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from memory_service.carrying import Outdated
from memory_service.digests import Digester
from memory_service.errors import Forgotten, JobLost, SourcesChanged
from memory_service.likeness import says_the_same
from memory_service.models.jobs import Fence
from memory_service.models.memories import Draft, Kept, Memory, Outcome
from memory_service.models.vectors import FACTS, Vector
from memory_service.stores.rows import pack_vector
from memory_service.stores.tombstones import Stone
from servicekit.idempotency import IdempotencyKey

Name = tuple[str, UUID]
# What a person says; what is inferred or thought comes from here.
SAID = FACTS - {"inferred"}


@dataclass(frozen=True, slots=True)
class Job:
    """One call's memories, embedded or settled already; stored together.

    `told_by` names the caller who tells them now. They are merged into what says the
    same, unless they bring an id, and may tell anew what was deleted. None for what
    comes from a file or was made here. `again` where the first try failed: it may have
    stored them all the same, when only the answer to its commit was lost.
    """

    items: Sequence[Draft | Outcome]
    key: IdempotencyKey | None = None
    told_by: str | None = None
    fence: Fence | None = None
    again: bool = False

    @property
    def drafts(self) -> list[Draft]:
        """What is still to be stored."""
        return [item for item in self.items if isinstance(item, Draft)]

    def may_stand(self, draft: Draft) -> bool:
        """Whether there may be a memory of the draft's id."""
        return self.again or draft.brought_id

    def merges(self, draft: Draft) -> bool:
        """Whether a draft may go into a memory that stands."""
        return self.told_by is not None and not draft.brought_id

    def lifts(self, draft: Draft) -> bool:
        """Whether a draft tells anew what was deleted."""
        return self.told_by is not None and draft.evidence in SAID


@dataclass(slots=True)
class Fresh:
    """A memory to be stored."""

    memory: Memory
    vector: bytes
    digest: bytes
    sources: Sequence[UUID]
    consolidates: bool
    judged: bool


@dataclass(frozen=True, slots=True)
class Merge:
    """A draft that goes into a memory; `memory` is what that becomes."""

    memory: Memory
    seq: int
    draft: Draft
    same_text: bool
    merged_by: str


@dataclass(frozen=True, slots=True)
class Alike:
    """A memory whose value has the digest of a draft's."""

    name: Name
    vector: Vector | None


@dataclass
class Settling:
    """One transaction: what is known, and what is to be written."""

    now: datetime
    seqs: dict[str, int]
    digesters: Mapping[str, Digester]
    standing: dict[Name, Memory]
    # The changes by which a try before merged drafts, by the drafts' names.
    merged: Mapping[Name, int]
    deleted: set[Name]
    taken: set[tuple[str, str, str]]
    stones: Mapping[UUID, Sequence[Stone]]
    alike: defaultdict[tuple[str, bytes], list[Alike]]
    # The fences that still hold, and the sources that are as they were.
    held: set[Fence]
    unchanged: set[Name]
    # What sources said before they were changed.
    outdated: Mapping[Name, Sequence[Outdated]]
    fresh: list[Fresh] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    lifted: set[Name] = field(default_factory=set)

    def settle(self, job: Job) -> list[Outcome] | None:
        """What becomes of a job's memories; None where its key has an answer."""
        if job.key is not None:
            triple = key_triple(job.key)
            if triple in self.taken:
                return None
            self.taken.add(triple)
        if job.fence is not None and job.fence not in self.held:
            return [JobLost(f"{job.fence.job_id} is held elsewhere")] * len(job.items)
        return [
            self._settle(job, item) if isinstance(item, Draft) else item
            for item in job.items
        ]

    def _settle(self, job: Job, draft: Draft) -> Outcome:
        name = (draft.agent_id, draft.id)
        if name in self.deleted:
            return Forgotten(f"{draft.id} was deleted")
        if (standing := self.standing.get(name)) is not None:
            return Kept(standing, fresh=not draft.brought_id)
        if refusal := self._refusal(job, draft):
            return refusal
        digest = self.digesters[draft.agent_id].digest_text(draft.content)
        self._lift(draft)
        if job.merges(draft) and (into := self._find_same(draft, digest)) is not None:
            if (seq := self.merged.get(name)) is not None:
                return Kept(into, fresh=False, merged_seq=seq)
            assert job.told_by is not None
            return self._merge(draft, into, job.told_by)
        return self._store(draft, digest, consolidates=job.fence is not None)

    def _refusal(self, job: Job, draft: Draft) -> Forgotten | SourcesChanged | None:
        if stones := self.stones.get(draft.id):
            if any(stone.kind == "forgotten" for stone in stones):
                return Forgotten("it says what was forgotten")
            if not job.lifts(draft):
                return Forgotten("it says what was deleted")
        if any((draft.agent_id, source) in self.deleted for source in draft.sources):
            return Forgotten("it was made from what was deleted")
        if job.fence is not None and not self._stand(draft):
            return SourcesChanged(f"those of {draft.id} are others by now")
        if self._is_outdated(draft):
            return SourcesChanged("it says what was corrected since")
        return None

    def _is_outdated(self, draft: Draft) -> bool:
        return draft.evidence == "thought" and any(
            outdated.by(draft.content)
            for source in draft.sources
            for outdated in self.outdated.get((draft.agent_id, source), ())
        )

    def _stand(self, draft: Draft) -> bool:
        return all((draft.agent_id, s) in self.unchanged for s in draft.sources)

    def _lift(self, draft: Draft) -> None:
        for stone in self.stones.get(draft.id, ()):
            self.lifted.add((draft.agent_id, stone.id))

    def _find_same(self, draft: Draft, digest: bytes) -> Memory | None:
        assert draft.vector is not None
        for alike in self.alike[draft.agent_id, digest]:
            memory = self.standing[alike.name]
            cosine = 0.0 if alike.vector is None else float(draft.vector @ alike.vector)
            if _same_scope(memory, draft) and says_the_same(
                memory.content, draft.content, cosine
            ):
                return memory
        return None

    def _merge(self, draft: Draft, into: Memory, merged_by: str) -> Kept:
        memory = replace(
            into,
            importance=max(into.importance, draft.importance),
            pinned=into.pinned or draft.pinned,
            expires_at=_later(into.expires_at, draft.expires_at),
            access_count=into.access_count + 1,
            last_accessed_at=self.now,
            updated_at=self.now,
        )
        seq = self._count(draft.agent_id)
        same_text = memory.content == draft.content
        self.merges.append(Merge(memory, seq, draft, same_text, merged_by))
        self.standing[memory.agent_id, memory.id] = memory
        return Kept(memory, fresh=False, merged_seq=seq)

    def _store(self, draft: Draft, digest: bytes, *, consolidates: bool) -> Kept:
        memory = _make_memory(draft, self._count(draft.agent_id), self.now)
        assert draft.vector is not None
        vector = pack_vector(draft.vector)
        self.fresh.append(
            Fresh(memory, vector, digest, draft.sources, consolidates, draft.judged)
        )
        name = (memory.agent_id, memory.id)
        self.standing[name] = memory
        self.alike[draft.agent_id, digest].append(Alike(name, draft.vector))
        return Kept(memory, fresh=True)

    def _count(self, agent_id: str) -> int:
        self.seqs[agent_id] += 1
        return self.seqs[agent_id]


def key_triple(key: IdempotencyKey) -> tuple[str, str, str]:
    """What names a key."""
    return key.agent_id, key.operation, key.key


def last_merges(merges: Iterable[Merge]) -> list[Merge]:
    """For each memory the merge that counts: the last one."""
    return list({(m.memory.agent_id, m.memory.id): m for m in merges}.values())


def _same_scope(memory: Memory, draft: Draft) -> bool:
    return (memory.user_id, memory.memory_type, memory.evidence) == (
        draft.user_id,
        draft.memory_type,
        draft.evidence,
    )


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else max(one, other)


def _make_memory(draft: Draft, seq: int, now: datetime) -> Memory:
    return Memory(
        id=draft.id,
        seq=seq,
        agent_id=draft.agent_id,
        user_id=draft.user_id,
        session_id=draft.session_id,
        content=draft.content,
        memory_type=draft.memory_type,
        importance=draft.importance,
        timestamp=draft.timestamp,
        created_at=now,
        updated_at=now,
        metadata=draft.metadata,
        evidence=draft.evidence,
        pinned=draft.pinned,
        access_count=0,
        last_accessed_at=None,
        superseded_by=None,
        expires_at=draft.expires_at,
    )
