"""How a memory comes to be kept: judged, embedded, stored."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from memory_service import metrics
from memory_service.domain.feed import Feed
from memory_service.domain.queue import WriteQueue
from memory_service.domain.written import WrittenSeqs
from memory_service.errors import Forgotten
from memory_service.models.jobs import Fence
from memory_service.models.memories import Draft, Kept, Outcome, Scrutiny
from memory_service.models.vectors import Vector
from memory_service.providers.embedder import EmbeddingQueue
from memory_service.providers.safety import Judge
from memory_service.stores.answers import read_answer
from memory_service.stores.settling import Job
from memory_service.stores.writes import MemoryWrites
from servicekit.idempotency import Idempotency, IdempotencyKey

# Texts of one call that wait for the encoder at once; others come between.
MAX_EMBEDDED_TOGETHER = 64


class Writing:
    """Every way in leads through here."""

    def __init__(
        self,
        judge: Judge,
        embedder: EmbeddingQueue,
        writes: MemoryWrites,
        queue: WriteQueue,
        idempotency: Idempotency,
        feed: Feed,
        written: WrittenSeqs,
    ) -> None:
        self._judge = judge
        self._embedder = embedder
        self._writes = writes
        self._queue = queue
        self._idempotency = idempotency
        self._feed = feed
        self._written = written

    async def remember(
        self,
        drafts: Sequence[Draft],
        key: IdempotencyKey | None = None,
        *,
        told_by: str | None = None,
        fence: Fence | None = None,
    ) -> list[Outcome]:
        """What became of each draft, in order; all that are kept are durable.

        `told_by` names the caller who tells them now: what says the same as a memory
        that stands is merged into it, and what was deleted may be told anew. What is
        made for a job is stored while its `fence` holds; else it is JobLost.

        Raises SafetyUnavailable, QueueFull, DatabaseUnavailable: nothing is stored.
        """
        if key and (answer := await self._idempotency.first_answer(key)) is not None:
            return await self._repeat(answer)
        items = await self.prepare(drafts)
        settled = await self._settle(Job(items, key, told_by, fence))
        if settled is None:
            assert key is not None
            answer = await self._idempotency.first_answer(key)
            assert answer is not None
            return await self._repeat(answer)
        return settled

    async def prepare(
        self, drafts: Sequence[Draft], scrutiny: Scrutiny = Scrutiny.FULL
    ) -> list[Draft | Outcome]:
        """Drafts that are judged and embedded, or what became of them already.

        Raises SafetyUnavailable, QueueFull.
        """
        brought = [(d.agent_id, d.id) for d in drafts if d.brought_id]
        known = await self._writes.standing(brought) if brought else {}
        unknown = [d for d in drafts if (d.agent_id, d.id) not in known]
        judged = await self._judge.judge(unknown, scrutiny) if unknown else []
        ready = iter(await self._embed(judged))
        return [
            known.get((draft.agent_id, draft.id)) or next(ready) for draft in drafts
        ]

    async def store(self, items: Sequence[Draft | Outcome]) -> list[Outcome]:
        """Stores what was prepared, and goes on with it when the caller goes away.

        Raises QueueFull, DatabaseUnavailable: nothing is stored.
        """
        settled = await self._settle(Job(items))
        assert settled is not None
        return settled

    async def store_again(self, items: Sequence[Draft | Outcome]) -> list[Outcome]:
        """The same where it failed before, and may have been stored nevertheless."""
        settled = await self._settle(Job(items, again=True))
        assert settled is not None
        return settled

    async def _settle(self, job: Job) -> list[Outcome] | None:
        if not job.drafts:
            return [item for item in job.items if not isinstance(item, Draft)]
        # Once it may be under way, it is finished whether or not the caller stays.
        return await asyncio.shield(self._store(job))

    async def _embed(self, judged: Sequence[Draft | Outcome]) -> list[Draft | Outcome]:
        bare = [d for d in judged if isinstance(d, Draft) and d.vector is None]
        if not bare:
            return list(judged)
        made: list[Vector] = []
        for start in range(0, len(bare), MAX_EMBEDDED_TOGETHER):
            together = bare[start : start + MAX_EMBEDDED_TOGETHER]
            made += await self._embedder.embed_texts([d.content for d in together])
        vectors = iter(made)
        return [
            replace(item, vector=next(vectors))
            if isinstance(item, Draft) and item.vector is None
            else item
            for item in judged
        ]

    async def _store(self, job: Job) -> list[Outcome] | None:
        settled = await self._queue.store(job)
        newest: dict[str, int] = {}
        for outcome in settled or ():
            if isinstance(outcome, Kept) and outcome.changed:
                agent_id = outcome.memory.agent_id
                newest[agent_id] = max(outcome.seq, newest.get(agent_id, 0))
        for agent_id, seq in newest.items():
            self._written.note(agent_id, seq)
            self._feed.wake(agent_id)
        for name, count in Counter(map(_name, settled or ())).items():
            metrics.WRITES.labels(name).inc(count)
        return settled

    async def _repeat(self, answer: str) -> list[Outcome]:
        named = read_answer(answer)
        names = [item[:2] for item in named if isinstance(item, tuple)]
        known = await self._writes.standing(names)
        return [
            _as_then(known.get(item[:2]), *item[2:])
            if isinstance(item, tuple)
            else item
            for item in named
        ]


def _as_then(
    known: Kept | Forgotten | None,
    fresh: bool,
    merged_seq: int | None,
) -> Outcome:
    if isinstance(known, Kept):
        return replace(known, fresh=fresh, merged_seq=merged_seq)
    return known or Forgotten("what this key stored was deleted")


def _name(outcome: Outcome) -> str:
    if isinstance(outcome, Kept):
        if outcome.merged_seq is not None:
            return "merged"
        return "stored" if outcome.fresh else "standing"
    return outcome.kind
