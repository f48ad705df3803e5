"""The whole verdict on what an import stored by the patterns' alone."""

import asyncio
from collections.abc import Mapping
from uuid import UUID

import structlog

from memory_service import metrics
from memory_service.domain.caching import Caches
from memory_service.domain.feed import Feed
from memory_service.domain.written import WrittenSeqs
from memory_service.errors import BlockedBySafety
from memory_service.providers.embedder import EmbeddingQueue
from memory_service.providers.safety import Judge
from memory_service.stores.judgements import Judgements, Kept, Turn
from servicekit.errors import Overloaded, Unavailable

# Imports of other replicas are found this late; a replica's own at once.
LOOK_EVERY_S = 2.0
# While the validator is out or busy, it is asked this often.
RETRY_S = 1.0
# About half a second of the classifier: so long a transaction is open.
TOGETHER = 64
TOGETHER_CHARS = 40_000

log = structlog.get_logger()


class Judging:
    """Goes over what waits, agent by agent, in every replica at once."""

    def __init__(
        self,
        judgements: Judgements,
        judge: Judge,
        embedder: EmbeddingQueue,
        feed: Feed,
        written: WrittenSeqs,
        caches: Caches,
    ) -> None:
        self._judgements = judgements
        self._judge = judge
        self._embedder = embedder
        self._feed = feed
        self._written = written
        self._caches = caches
        self._told = asyncio.Event()

    def tell(self) -> None:
        """Memories wait: they are looked for at once."""
        self._told.set()

    async def run(self) -> None:
        """Judges what waits, for ever."""
        while True:
            try:
                judged = await self._go_round()
            except Unavailable:
                await asyncio.sleep(RETRY_S)
                continue
            if not judged:
                await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._told.wait()
        except TimeoutError:
            return
        self._told.clear()

    async def _go_round(self) -> int:
        """Some of each agent's that waits, so that none waits for another's million."""
        judged = 0
        agent_id = await self._judgements.next_agent("")
        while agent_id is not None:
            try:
                judged += await self._judge_some(agent_id)
            except (Unavailable, Overloaded) as error:
                # Others' texts may be easier to judge than these.
                log.warning("imported memories wait", reason=str(error))
                await asyncio.sleep(RETRY_S)
            agent_id = await self._judgements.next_agent(agent_id)
        return judged

    async def _judge_some(self, agent_id: str) -> int:
        async with self._judgements.turn(agent_id, TOGETHER) as turn:
            if not turn.contents:
                return 0
            kept, blocked = await self._read(agent_id, turn)
            seq = await turn.settle(kept, blocked)
        if seq is not None:
            self._written.note(agent_id, seq)
            self._feed.wake(agent_id)
        if blocked:
            await self._caches.drop(agent_id)
        changed = sum(text is not None for text in kept.values())
        for outcome, count in (
            ("kept", len(kept) - changed),
            ("redacted", changed),
            ("blocked", len(blocked)),
        ):
            metrics.JUDGED_LATER.labels(outcome).inc(count)
        return len(kept) + len(blocked)

    async def _read(
        self, agent_id: str, turn: Turn
    ) -> tuple[Mapping[UUID, Kept], list[UUID]]:
        ids, contents = _share(turn.contents)
        texts = await self._judge.judge_texts(agent_id, contents)
        kept: dict[UUID, Kept] = {}
        blocked: list[UUID] = []
        for memory_id, content, text in zip(ids, contents, texts, strict=True):
            if isinstance(text, BlockedBySafety):
                blocked.append(memory_id)
            elif text == content:
                kept[memory_id] = None
            else:
                (vector,) = await self._embedder.embed_texts([text])
                kept[memory_id] = (text, vector)
        return kept, blocked


def _share(waiting: Mapping[UUID, str]) -> tuple[list[UUID], list[str]]:
    """As many of them as one call reads in time, and at least one."""
    ids: list[UUID] = []
    chars = 0
    for memory_id, content in waiting.items():
        chars += len(content)
        if ids and chars > TOGETHER_CHARS:
            break
        ids.append(memory_id)
    return ids, [waiting[memory_id] for memory_id in ids]
