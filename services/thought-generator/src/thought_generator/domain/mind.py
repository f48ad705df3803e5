"""Thoughts from occasion to everybody who should know: on request and by stream."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol
from uuid import UUID

import orjson

from contracts.clients import MemoryApi
from contracts.memory import MemoryType
from contracts.problem import ServiceError
from servicekit.errors import AppError
from servicekit.idempotency import Idempotency, IdempotencyKey
from servicekit.tracing import span
from thought_generator.domain.beating import Beat
from thought_generator.domain.budget import Governor
from thought_generator.domain.coherence import Coherences
from thought_generator.domain.explaining import Explainer
from thought_generator.domain.flights import Flights
from thought_generator.domain.focus import RECENT_THOUGHTS, Attention, glance
from thought_generator.domain.ladder import SLOWER_FACTOR
from thought_generator.domain.outbox import Deliverer
from thought_generator.domain.recollection import Recollection
from thought_generator.domain.thinker import Occasion, Thinker
from thought_generator.errors import StreamUnknown, ThoughtUnknown
from thought_generator.metrics import REFUSED, STOOD_IN, THOUGHT_SECONDS
from thought_generator.models.agents import Outage
from thought_generator.models.feed import Event
from thought_generator.models.leases import Lease
from thought_generator.models.prompts import Origin, Quoted
from thought_generator.models.thoughts import Draft, Explanation, Thought
from thought_generator.stores.agents import AgentStore
from thought_generator.stores.thoughts import ThoughtStore

# What was told since the last beat; more than this is met by wandering.
NEWS_PER_BEAT = 5
# At the start of a stream: what was told last, so that it does not begin from nothing.
NEWS_AT_START = 2


def names_of(thought: Thought) -> dict[str, Any]:
    """What is kept of an answer under its key: no text, which may be forgotten."""
    return {"id": str(thought.id)}


class Publisher(Protocol):
    """Tells listeners, wherever they are; waits for nobody."""

    async def publish(self, agent_id: str, event: Event) -> None:
        """Tells a committed thought."""
        ...


class Mind:
    """Thinks, commits, announces."""

    def __init__(
        self,
        thinker: Thinker,
        governor: Governor,
        thoughts: ThoughtStore,
        agents: AgentStore,
        idempotency: Idempotency,
        publisher: Publisher,
        deliverer: Deliverer,
        memory: MemoryApi,
        render: Callable[[Thought], bytes],
        max_tokens: int,
        coherences: Coherences,
    ) -> None:
        self._thinker = thinker
        self._governor = governor
        self._thoughts = thoughts
        self._agents = agents
        self._idempotency = idempotency
        self._publisher = publisher
        self._deliverer = deliverer
        self._memory = memory
        self._recollection = Recollection(memory)
        self._explainer = Explainer(thoughts, self._recollection)
        self._render = render
        self._max_tokens = max_tokens
        self._coherences = coherences
        self._repeats: Flights[bytes] = Flights()

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
        work = partial(
            self._on_request, agent_id, stream, context, use_cache, max_tokens, key
        )
        if key is None:
            return await work()
        # Whoever repeats a call that is still under way pays for no second one.
        answer, _ = await self._repeats.join(key, work)
        return answer

    async def _on_request(
        self,
        agent_id: str,
        stream: str,
        context: str,
        use_cache: bool,
        max_tokens: int | None,
        key: IdempotencyKey | None,
    ) -> bytes:
        if key and (known := await self._first_answer(key)) is not None:
            return known
        try:
            thought = await self._request(
                agent_id, stream, context, use_cache, max_tokens, key
            )
        except AppError as error:
            REFUSED.labels("request", error.kind).inc()
            raise
        if thought is None:
            assert key is not None
            first = await self._first_answer(key)
            assert first is not None
            return first
        return await self.announce(thought, "request")

    async def _first_answer(self, key: IdempotencyKey) -> bytes | None:
        answer = await self._idempotency.first_answer(key)
        if answer is None:
            return None
        return self._render(await self.answered(orjson.loads(answer)))

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
            return await self.commit(draft, None)
        return await self.commit_once(draft, key, names_of)

    async def commit(self, draft: Draft, lease: Lease | None) -> Thought:
        """Gives a draft its place, and settles what it cost whatever happens."""
        async with self._governor.settled_on_failure(draft.agent_id, draft.payment):
            with span("commit"):
                return await self._thoughts.commit(draft, lease)

    async def commit_once(
        self,
        draft: Draft,
        key: IdempotencyKey,
        names: Callable[[Thought], dict[str, Any]],
    ) -> Thought | None:
        """The same together with what the answer to `key` names; None if it has one
        already."""
        async with self._governor.settled_on_failure(draft.agent_id, draft.payment):
            with span("commit"):
                thought = await self._thoughts.commit_once(
                    draft, key, lambda thought: orjson.dumps(names(thought)).decode()
                )
        if thought is None:
            # Another was quicker with the same key; this call was made all the same.
            await self._governor.settle(draft.agent_id, draft.payment)
        return thought

    async def announce(self, thought: Thought, origin: str) -> bytes:
        """Tells listeners and memory of a committed thought; the thought as JSON."""
        THOUGHT_SECONDS.labels(thought.engine, origin).observe(
            thought.timings_ms["total"] / 1000
        )
        rendered = self._render(thought)
        event = Event(thought.position, thought.stream, rendered)
        self._deliverer.wake()
        await self._publisher.publish(thought.agent_id, event)
        return rendered

    async def answered(self, names: dict[str, Any]) -> Thought:
        """The thought that `names_of` named, with what it recalled as memory has it
        now; ThoughtUnknown while its agent is being removed."""
        thought = await self._thoughts.get(UUID(names["id"]))
        if thought is None:
            raise ThoughtUnknown(names["id"])
        (filled,) = await self._recollection.fill([thought])
        return filled

    async def thought(self, thought_id: UUID) -> Thought | None:
        """A thought by its id."""
        return await self._thoughts.get(thought_id)

    async def explain(self, thought: Thought) -> Explanation | None:
        """Why it was thought."""
        return await self._explainer.explain(thought)

    async def recent(
        self, agent_id: str, stream: str | None, before: int | None, limit: int
    ) -> list[Thought]:
        """Newest first, behind the feed position `before`."""
        page = await self._thoughts.recent(agent_id, stream, before, limit)
        return await self._recollection.fill(page)

    async def events(self, agent_id: str, position: int, limit: int) -> list[Event]:
        """The agent's feed behind `position`."""
        page = await self._thoughts.after(agent_id, position, limit)
        return [
            Event(thought.position, thought.stream, self._render(thought))
            for thought in await self._recollection.fill(page)
        ]

    def begin(self, lease: Lease) -> Beat:
        """The beat of a stream that this replica has just taken."""
        seed = f"{lease.agent_id}/{lease.stream}/{lease.epoch}"
        attention = Attention(lease.stream, random.Random(seed))
        seen_seq: int | None = None
        started = False

        async def beat() -> float:
            nonlocal seen_seq, started
            if not started:
                await self._recollect(lease, attention)
                started = True
            seen_seq = await self._take_news(lease.agent_id, attention, seen_seq)
            with span("beat"):
                draft = await self._beat(lease, attention)
            return SLOWER_FACTOR if draft.slower else 1.0

        return beat

    async def _recollect(self, lease: Lease, attention: Attention) -> None:
        last = await self._thoughts.recent(
            lease.agent_id, lease.stream, None, RECENT_THOUGHTS
        )
        attention.recollect([thought.content for thought in reversed(last)])
        attention.recent_seqs.extend(thought.seq for thought in last)

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
        for memory in reversed(fresh):
            attention.hear(memory.id, memory.content)
        return max([seen_seq or 0, *(memory.seq for memory in page.memories)])

    async def _beat(self, lease: Lease, attention: Attention) -> Draft:
        agent = await self._agents.get(lease.agent_id)
        attention.persona = agent.persona
        context, query, quoted = await self._turn(lease.agent_id, attention)
        occasion = Occasion(
            context=context,
            query=query,
            stream=lease.stream,
            max_tokens=self._max_tokens,
            use_cache=False,
            recent=tuple(attention.recent),
            origin=Origin(quoted, tuple(attention.recent_seqs)),
            circled=attention.circled,
            steps_in=agent.outage is Outage.OFFLINE,
            of_beat=True,
        )
        try:
            draft = await self._thinker.think(agent, occasion)
            thought = await self.commit(draft, lease)
        except AppError as error:
            REFUSED.labels("stream", error.kind).inc()
            raise
        if draft.outage is not None:
            STOOD_IN.labels(draft.outage.problem).inc()
        await self.announce(thought, "stream")
        if attention.remember(draft):
            await self._coherences.count_loop(thought)
        else:
            attention.recent_seqs.appendleft(thought.seq)
        return draft

    async def _turn(
        self, agent_id: str, attention: Attention
    ) -> tuple[str, str, Quoted | None]:
        """The next context, what to recall for it, and the memory that it quotes:
        one that was forgotten or changed since it came to mind is passed over."""
        while True:
            context, focus = attention.turn()
            memory_id = attention.sources.pop(focus, None)
            if memory_id is None:
                return context, focus, None
            contents = await self._recollection.contents(agent_id, [memory_id])
            if contents is None or glance(contents.get(memory_id, "")) == focus:
                quoted = Quoted(memory_id, context.index(focus), len(focus))
                return context, focus, quoted
