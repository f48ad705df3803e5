"""How a memory comes to be kept: judged, embedded, stored."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from memory_service import metrics
from memory_service.domain.feed import Feed
from memory_service.domain.queue import WriteQueue
from memory_service.domain.written import WrittenSeqs
from memory_service.errors import Forgotten
from memory_service.models import Draft, Kept, Outcome
from memory_service.providers.embedder import EmbeddingQueue
from memory_service.providers.safety import Judge
from memory_service.stores.answers import read_answer
from memory_service.stores.writes import Job, MemoryWrites
from servicekit.idempotency import Idempotency, IdempotencyKey


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
        self, drafts: Sequence[Draft], key: IdempotencyKey | None = None
    ) -> list[Outcome]:
        """What became of each draft, in order; all that are kept are durable.

        Raises SafetyUnavailable, QueueFull, DatabaseUnavailable: nothing is stored.
        """
        if key and (answer := await self._idempotency.first_answer(key)) is not None:
            return await self._repeat(answer)
        items = await self._prepare(drafts)
        settled: list[Outcome] | None = [i for i in items if not isinstance(i, Draft)]
        if settled is not None and len(settled) < len(items):
            # Once it may be under way, it is finished whether or not the caller stays.
            settled = await asyncio.shield(self._store(Job(items, key)))
        if settled is None:
            assert key is not None
            answer = await self._idempotency.first_answer(key)
            assert answer is not None
            return await self._repeat(answer)
        return settled

    async def _prepare(self, drafts: Sequence[Draft]) -> list[Draft | Outcome]:
        brought = [(d.agent_id, d.id) for d in drafts if d.brought_id]
        known = await self._writes.standing(brought) if brought else {}
        unknown = [d for d in drafts if (d.agent_id, d.id) not in known]
        judged = await self._judge.judge(unknown) if unknown else []
        ready = iter(await self._embed(judged))
        return [
            known.get((draft.agent_id, draft.id)) or next(ready) for draft in drafts
        ]

    async def _embed(self, judged: Sequence[Draft | Outcome]) -> list[Draft | Outcome]:
        bare = [d for d in judged if isinstance(d, Draft) and d.vector is None]
        vectors = iter(await self._embedder.embed_texts([d.content for d in bare]))
        return [
            replace(item, vector=next(vectors))
            if isinstance(item, Draft) and item.vector is None
            else item
            for item in judged
        ]

    async def _store(self, job: Job) -> list[Outcome] | None:
        settled = await self._queue.store(job)
        for outcome in settled or ():
            if isinstance(outcome, Kept) and outcome.fresh:
                memory = outcome.memory
                self._written.note(memory.agent_id, memory.seq)
                self._feed.wake(memory.agent_id)
            metrics.WRITES.labels(_name(outcome)).inc()
        return settled

    async def _repeat(self, answer: str) -> list[Outcome]:
        named = read_answer(answer)
        names = [item[:2] for item in named if isinstance(item, tuple)]
        known = await self._writes.standing(names)
        return [
            _as_then(known.get(item[:2]), fresh=item[2])
            if isinstance(item, tuple)
            else item
            for item in named
        ]


def _as_then(known: Kept | Forgotten | None, *, fresh: bool) -> Outcome:
    if isinstance(known, Kept):
        return replace(known, fresh=fresh)
    return known or Forgotten("what this key stored was deleted")


def _name(outcome: Outcome) -> str:
    if isinstance(outcome, Kept):
        return "stored" if outcome.fresh else "standing"
    return outcome.kind
