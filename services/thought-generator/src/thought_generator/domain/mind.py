"""Thoughts from occasion to everybody who should know: on request and by stream."""

import random
from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from contracts.clients import MemoryApi
from contracts.memory import MemoryType
from contracts.problem import ServiceError
from servicekit.errors import AppError
from servicekit.idempotency import Idempotency, IdempotencyKey
from thought_generator.domain.feed import Feed
from thought_generator.domain.focus import RECENT_THOUGHTS, Attention
from thought_generator.domain.outbox import Deliverer
from thought_generator.domain.streams import Beat
from thought_generator.domain.thinker import Occasion, Thinker
from thought_generator.errors import StreamUnknown
from thought_generator.metrics import REFUSED, THOUGHT_SECONDS
from thought_generator.models import Draft, Event, Lease, Thought
from thought_generator.stores.agents import AgentStore
from thought_generator.stores.thoughts import ThoughtStore

# What was told since the last beat; more than this is met by wandering.
NEWS_PER_BEAT = 5
# At the start of a stream: what was told last, so that it does not begin from nothing.
NEWS_AT_START = 2


class Publisher(Protocol):
    """Tells the other replicas."""

    async def publish(self, agent_id: str, event: Event) -> None:
        """Tells whoever listens there."""
        ...


class Mind:
    """Thinks, commits, announces."""

    def __init__(
        self,
        thinker: Thinker,
        thoughts: ThoughtStore,
        agents: AgentStore,
        idempotency: Idempotency,
        feed: Feed,
        publisher: Publisher,
        deliverer: Deliverer,
        memory: MemoryApi,
        render: Callable[[Thought], bytes],
        max_tokens: int,
    ) -> None:
        self._thinker = thinker
        self._thoughts = thoughts
        self._agents = agents
        self._idempotency = idempotency
        self._feed = feed
        self._publisher = publisher
        self._deliverer = deliverer
        self._memory = memory
        self._render = render
        self._max_tokens = max_tokens

    async def think_on_request(
        self,
        agent_id: str,
        stream: str,
        context: str,
        use_cache: bool,
        max_tokens: int | None,
        key: IdempotencyKey | None,
    ) -> bytes:
        """The committed thought as JSON; with a key, the answer it got first."""
        if key and (known := await self._idempotency.first_answer(key)) is not None:
            return known.encode()
        try:
            thought = await self._request(
                agent_id, stream, context, use_cache, max_tokens, key
            )
        except AppError as error:
            REFUSED.labels("request", error.kind).inc()
            raise
        if thought is None:
            assert key is not None
            first = await self._idempotency.first_answer(key)
            assert first is not None
            return first.encode()
        return await self._announce(thought, "request")

    async def _request(
        self,
        agent_id: str,
        stream: str,
        context: str,
        use_cache: bool,
        max_tokens: int | None,
        key: IdempotencyKey | None,
    ) -> Thought | None:
        agent = await self._agents.get(agent_id)
        if stream not in agent.streams:
            raise StreamUnknown(stream)
        occasion = Occasion(
            context=context,
            query=context,
            stream=stream,
            max_tokens=max_tokens or self._max_tokens,
            use_cache=use_cache,
        )
        draft = await self._thinker.think(agent, occasion)
        if key is None:
            return await self._thoughts.commit(draft, None)
        return await self._thoughts.commit_once(
            draft, key, lambda thought: self._render(thought).decode()
        )

    async def _announce(self, thought: Thought, origin: str) -> bytes:
        THOUGHT_SECONDS.labels(thought.engine, origin).observe(
            thought.timings_ms["total"] / 1000
        )
        rendered = self._render(thought)
        event = Event(thought.position, thought.stream, rendered)
        self._deliverer.wake()
        self._feed.announce(thought.agent_id, event)
        await self._publisher.publish(thought.agent_id, event)
        return rendered

    async def thought(self, thought_id: UUID) -> Thought | None:
        """A thought by its id."""
        return await self._thoughts.get(thought_id)

    async def recent(
        self, agent_id: str, stream: str | None, before: int | None, limit: int
    ) -> list[Thought]:
        """Newest first, behind the feed position `before`."""
        return await self._thoughts.recent(agent_id, stream, before, limit)

    async def events(self, agent_id: str, position: int, limit: int) -> list[Event]:
        """The agent's feed behind `position`."""
        return [
            Event(thought.position, thought.stream, self._render(thought))
            for thought in await self._thoughts.after(agent_id, position, limit)
        ]

    def begin(self, lease: Lease) -> Beat:
        """The beat of a stream that this replica has just taken."""
        seed = f"{lease.agent_id}/{lease.stream}/{lease.epoch}"
        attention = Attention(lease.stream, random.Random(seed))
        seen_seq: int | None = None
        started = False

        async def beat() -> None:
            nonlocal seen_seq, started
            if not started:
                await self._recollect(lease, attention)
                started = True
            seen_seq = await self._take_news(lease.agent_id, attention, seen_seq)
            draft = await self._beat(lease, attention)
            attention.remember(draft)

        return beat

    async def _recollect(self, lease: Lease, attention: Attention) -> None:
        last = await self._thoughts.recent(
            lease.agent_id, lease.stream, None, RECENT_THOUGHTS
        )
        for thought in reversed(last):
            attention.recent.appendleft(thought.content)

    async def _take_news(
        self, agent_id: str, attention: Attention, seen_seq: int | None
    ) -> int | None:
        """What was told since; memory being out is met by the thought itself."""
        try:
            page = await self._memory.recent(
                agent_id, MemoryType.EPISODIC, NEWS_PER_BEAT
            )
        except ServiceError:
            return seen_seq
        if seen_seq is None:
            fresh = page.memories[:NEWS_AT_START]
        else:
            fresh = [memory for memory in page.memories if memory.seq > seen_seq]
        attention.news.extend(memory.content for memory in reversed(fresh))
        return max([seen_seq or 0, *(memory.seq for memory in page.memories)])

    async def _beat(self, lease: Lease, attention: Attention) -> Draft:
        agent = await self._agents.get(lease.agent_id)
        attention.persona = agent.persona
        context, query = attention.turn()
        occasion = Occasion(
            context=context,
            query=query,
            stream=lease.stream,
            max_tokens=self._max_tokens,
            use_cache=False,
            recent=tuple(attention.recent),
        )
        try:
            draft = await self._thinker.think(agent, occasion)
            thought = await self._thoughts.commit(draft, lease)
        except AppError as error:
            REFUSED.labels("stream", error.kind).inc()
            raise
        await self._announce(thought, "stream")
        return draft
