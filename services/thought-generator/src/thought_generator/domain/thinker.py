"""The pipeline: context → safety and recall → prompt → engine → safety → draft."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from contracts.clients import MemoryApi
from contracts.ids import new_id
from contracts.memory import (
    MAX_QUERY_CHARS,
    Evidence,
    RecallFilters,
    RecallRequest,
)
from contracts.problem import ServiceError
from contracts.safety import Verdict
from thought_generator.domain.asking import Asking, Question, check_usable
from thought_generator.domain.gate import Gate
from thought_generator.errors import BlockedBySafety, MemoryUnavailable
from thought_generator.models import Agent, Draft, Prompt, Recalled
from thought_generator.prompting import context_digest, instruction_for

# What one thought can take in without losing its thread.
MEMORIES_RECALLED = 8
FACTS = [Evidence.TOLD, Evidence.OBSERVED, Evidence.INFERRED]


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a thought is to be about, and what should come to mind."""

    context: str
    query: str
    stream: str
    max_tokens: int
    use_cache: bool
    recent: tuple[str, ...] = ()


@dataclass(slots=True)
class _Clock:
    started_s: float = field(default_factory=time.perf_counter)
    parts_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        begun_s = time.perf_counter()
        try:
            yield
        finally:
            self.parts_ms[name] = round((time.perf_counter() - begun_s) * 1000, 3)

    def total_ms(self) -> float:
        return round((time.perf_counter() - self.started_s) * 1000, 3)


class Thinker:
    """Makes drafts; committing them is somebody else's task."""

    def __init__(self, gate: Gate, memory: MemoryApi, asking: Asking) -> None:
        self._gate = gate
        self._memory = memory
        self._asking = asking

    async def think(self, agent: Agent, occasion: Occasion) -> Draft:
        """A thought that passed safety.

        Raises:
            BlockedBySafety, SafetyUnavailable, MemoryUnavailable, QueueFull,
            BudgetSpent, PriceUnknown, EngineUnavailable.
        """
        clock = _Clock()
        context, recalled = await self._take_in(agent, occasion, clock)
        stream = agent.streams.get(occasion.stream)
        prompt = Prompt(
            persona=agent.persona,
            stream=occasion.stream,
            instruction=instruction_for(
                occasion.stream, stream.prompt if stream else None
            ),
            context=context,
            recalled=recalled,
            recent=occasion.recent,
        )
        digest = context_digest(prompt)
        with clock.part("generate"):
            completion, cached = await self._asking.ask(
                agent.agent_id,
                Question(prompt, digest, occasion.max_tokens, occasion.use_cache),
            )
        with clock.part("safety_out"):
            content, verdict = await self._gate.passes(
                completion.content, "thought", agent.agent_id, occasion.stream
            )
        # Redacted it may have grown.
        check_usable(content)
        return Draft(
            id=new_id(),
            agent_id=agent.agent_id,
            stream=occasion.stream,
            content=content,
            engine=completion.engine,
            model=completion.model,
            cached=cached,
            context_digest=digest,
            recalled=recalled,
            safety=verdict.model_dump(
                mode="json", include={"verdict", "categories", "policy_version"}
            ),
            verdict=_signed(verdict),
            usage=completion.usage,
            timings_ms={**clock.parts_ms, "total": clock.total_ms()},
            stop_reason=completion.stop_reason,
        )

    async def _take_in(
        self, agent: Agent, occasion: Occasion, clock: _Clock
    ) -> tuple[str, tuple[Recalled, ...]]:
        async def check() -> str:
            with clock.part("safety_in"):
                context, _ = await self._gate.passes(
                    occasion.context, "context", agent.agent_id, occasion.stream
                )
            return context

        async def recall() -> tuple[Recalled, ...]:
            with clock.part("recall"):
                return await self._recall(agent.agent_id, occasion.query)

        context, recalled = await asyncio.gather(
            check(), recall(), return_exceptions=True
        )
        # What safety says comes first: a blocked context is no outage of memory.
        if isinstance(context, BaseException):
            raise context
        if isinstance(recalled, BaseException):
            raise recalled
        return context, recalled

    async def _recall(self, agent_id: str, query: str) -> tuple[Recalled, ...]:
        """Facts; earlier thoughts only where there are none to think about."""
        facts = await self._ask(agent_id, query, RecallFilters(evidence=FACTS))
        return facts or await self._ask(agent_id, query, RecallFilters())

    async def _ask(
        self, agent_id: str, query: str, filters: RecallFilters
    ) -> tuple[Recalled, ...]:
        request = RecallRequest(
            query=query.strip()[:MAX_QUERY_CHARS],
            agent_id=agent_id,
            limit=MEMORIES_RECALLED,
            filters=filters,
        )
        try:
            response = await self._memory.recall(request)
        except ServiceError as error:
            if error.member("verdict"):
                raise BlockedBySafety("query", error.member("verdict")) from error
            raise MemoryUnavailable(str(error)) from error
        return tuple(
            Recalled(m.id, m.score, m.content, m.evidence.value)
            for m in response.memories
        )


def _signed(verdict: Verdict) -> dict[str, str] | None:
    if verdict.signature is None:
        return None
    return {
        "verdict": verdict.verdict.value,
        "policy_version": verdict.policy_version,
        "signature": verdict.signature,
    }
