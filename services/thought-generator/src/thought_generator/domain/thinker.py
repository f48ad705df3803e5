"""The pipeline: context → safety and recall → prompt → engine → safety → draft."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from contracts.clients import MemoryApi
from contracts.ids import new_id
from contracts.memory import Evidence
from contracts.problem import ServiceError
from contracts.recall import MAX_QUERY_CHARS, RecallFilters, RecallRequest, RecallScores
from contracts.safety import Verdict
from servicekit.tracing import span
from thought_generator.domain.asking import Asking, Question
from thought_generator.domain.budget import Governor
from thought_generator.domain.gate import Gate
from thought_generator.domain.usable import check_usable
from thought_generator.errors import BlockedBySafety, MemoryUnavailable
from thought_generator.models.agents import Agent
from thought_generator.models.prompts import Origin, Prompt, Recalled
from thought_generator.models.thoughts import Draft
from thought_generator.prompting import CIRCLED, context_digest, instruction_for

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
    circled: bool = False
    """Whether the stream is to be told that it repeats itself."""
    steps_in: bool = False
    """Whether the offline engine thinks while the model is out."""
    of_beat: bool = False
    """Whether it is a stream's own; safety then looks at what the stream thought
    before, which what is asked for has no part in."""
    origin: Origin = field(default_factory=Origin)


@dataclass(slots=True)
class Clock:
    """How long each part of a thought takes."""

    started_s: float = field(default_factory=time.perf_counter)
    parts_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Times what is done within, and traces it."""
        begun_s = time.perf_counter()
        try:
            with span(name):
                yield
        finally:
            self.parts_ms[name] = round((time.perf_counter() - begun_s) * 1000, 3)

    def total_ms(self) -> float:
        """Since it was started."""
        return round((time.perf_counter() - self.started_s) * 1000, 3)


class Thinker:
    """Makes drafts; committing them is somebody else's task."""

    def __init__(
        self, gate: Gate, memory: MemoryApi, asking: Asking, governor: Governor
    ) -> None:
        self._gate = gate
        self._memory = memory
        self._asking = asking
        self._governor = governor

    async def think(self, agent: Agent, occasion: Occasion) -> Draft:
        """A thought that passed safety; its payment is settled by its commit.

        Raises:
            BlockedBySafety, SafetyUnavailable, MemoryUnavailable, QueueFull,
            BudgetSpent, PriceUnknown, EngineUnavailable.
        """
        clock = Clock()
        context, verdict, recalled = await self._take_in(agent, occasion, clock)
        stream = agent.streams.get(occasion.stream)
        own = stream.prompt if stream else None
        instruction = instruction_for(occasion.stream, own)
        if occasion.circled:
            instruction = f"{instruction} {CIRCLED}"
        prompt = Prompt(
            persona=agent.persona,
            stream=occasion.stream,
            instruction=instruction,
            context=context,
            recalled=recalled,
            recent=occasion.recent,
            origin=_origin(occasion, context, verdict),
        )
        digest = context_digest(prompt)
        question = Question(
            prompt,
            digest,
            occasion.max_tokens,
            occasion.use_cache,
            occasion.steps_in,
            occasion.of_beat,
        )
        return await self.answer(agent, question, clock)

    async def answer(self, agent: Agent, question: Question, clock: Clock) -> Draft:
        """The draft that a prompt leads to; its parts have passed safety before.

        Raises what `think` raises.
        """
        prompt = question.prompt
        with clock.part("generate"):
            answer = await self._asking.ask(agent, question)
        completion = answer.completion
        async with self._governor.settled_on_failure(agent.agent_id, answer.payment):
            with clock.part("safety_out"):
                content, verdict = await self._gate.passes(
                    completion.content,
                    "thought",
                    agent.agent_id,
                    prompt.stream if question.of_beat else None,
                )
            # Redacted it may have grown.
            check_usable(content)
        return Draft(
            id=new_id(),
            agent_id=agent.agent_id,
            stream=prompt.stream,
            content=content,
            engine=completion.engine,
            model=completion.model,
            cached=answer.cached,
            context_digest=question.context_digest,
            recalled=prompt.recalled,
            safety=summary(verdict),
            verdict=_signed(verdict),
            usage=completion.usage,
            timings_ms={**clock.parts_ms, "total": clock.total_ms()},
            stop_reason=completion.stop_reason,
            payment=answer.payment,
            slower=answer.slower,
            outage=answer.outage,
            born_at=agent.born_at,
            prompt=prompt,
        )

    async def _take_in(
        self, agent: Agent, occasion: Occasion, clock: Clock
    ) -> tuple[str, Verdict, tuple[Recalled, ...]]:
        async def check() -> tuple[str, Verdict]:
            with clock.part("safety_in"):
                return await self._gate.passes(
                    occasion.context,
                    "context",
                    agent.agent_id,
                    occasion.stream if occasion.of_beat else None,
                )

        async def recall() -> tuple[Recalled, ...]:
            with clock.part("recall"):
                return await self.recall(agent.agent_id, occasion.query)

        checked, recalled = await asyncio.gather(
            check(), recall(), return_exceptions=True
        )
        # What safety says comes first: a blocked context is no outage of memory.
        if isinstance(checked, BaseException):
            raise checked
        if isinstance(recalled, BaseException):
            raise recalled
        return *checked, recalled

    async def recall(
        self, agent_id: str, query: str, limit: int = MEMORIES_RECALLED
    ) -> tuple[Recalled, ...]:
        """Facts; earlier thoughts only where there are none to think about."""
        facts = await self._ask(agent_id, query, RecallFilters(evidence=FACTS), limit)
        return facts or await self._ask(agent_id, query, RecallFilters(), limit)

    async def _ask(
        self, agent_id: str, query: str, filters: RecallFilters, limit: int
    ) -> tuple[Recalled, ...]:
        request = RecallRequest(
            query=query.strip()[:MAX_QUERY_CHARS],
            agent_id=agent_id,
            limit=limit,
            filters=filters,
        )
        try:
            response = await self._memory.recall(request)
        except ServiceError as error:
            if error.member("verdict"):
                raise BlockedBySafety("query", error.member("verdict")) from error
            raise MemoryUnavailable(str(error)) from error
        return tuple(
            Recalled(m.id, m.score, m.content, m.evidence.value, _scores_of(m.scores))
            for m in response.memories
        )


def _origin(occasion: Occasion, context: str, verdict: Verdict) -> Origin:
    quoted = occasion.origin.quoted
    if quoted is not None and context != occasion.context:
        # Redacted, it quotes nobody to the letter.
        quoted = replace(quoted, at=0, chars=0)
    return replace(occasion.origin, quoted=quoted, context_verdict=summary(verdict))


def summary(verdict: Verdict) -> dict[str, Any]:
    """What is kept of a verdict, and shown."""
    return verdict.model_dump(
        mode="json", include={"verdict", "categories", "policy_version"}
    )


def _scores_of(scores: RecallScores) -> tuple[float | None, ...]:
    return (scores.semantic, scores.keyword, scores.recency, scores.importance)


def _signed(verdict: Verdict) -> dict[str, str] | None:
    if verdict.signature is None:
        return None
    return {
        "verdict": verdict.verdict.value,
        "policy_version": verdict.policy_version,
        "signature": verdict.signature,
    }
