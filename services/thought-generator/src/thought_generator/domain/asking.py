"""From a prompt to a completion: response cache, queue, budget, engine."""

from contextlib import suppress
from dataclasses import dataclass, replace

from servicekit.errors import AppError
from thought_generator.domain.budget import Call, Governor
from thought_generator.domain.cache import ResponseCache
from thought_generator.domain.flights import Flights
from thought_generator.domain.queue import EngineQueue
from thought_generator.domain.usable import check_usable
from thought_generator.errors import BudgetSpent, EngineUnavailable
from thought_generator.metrics import RESPONSE_CACHE
from thought_generator.models.agents import Agent
from thought_generator.models.budget import Payment, Rung
from thought_generator.models.prompts import Completion, Prompt, Usage
from thought_generator.models.thoughts import ModelOut
from thought_generator.prompting import system_text, user_text
from thought_generator.providers.engine import Engine


@dataclass(frozen=True, slots=True)
class Engines:
    """Who answers: as a rule, near the end of a budget, and beyond it."""

    usual: Engine
    cheaper: Engine | None
    offline: Engine


@dataclass(frozen=True, slots=True)
class Answer:
    """A completion; whoever uses it settles its payment."""

    completion: Completion
    cached: bool = False
    payment: Payment | None = None
    slower: bool = False
    outage: ModelOut | None = None

    def again(self) -> "Answer":
        """The same for somebody else, who pays nothing."""
        free = replace(self.completion, usage=Usage())
        return replace(self, completion=free, cached=True, payment=None)


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, and how it is to be answered."""

    prompt: Prompt
    context_digest: str
    max_tokens: int
    use_cache: bool
    steps_in: bool = False
    """Whether the offline engine answers while the model is out."""
    of_beat: bool = False
    """Whether it is a stream's own; what is asked for may well be asked again."""


class Asking:
    """Asks the engine no more often than it must, and never beyond the budget."""

    def __init__(
        self,
        engines: Engines,
        governor: Governor,
        cache: ResponseCache,
        queue: EngineQueue,
    ) -> None:
        self._engines = engines
        self._governor = governor
        self._cache = cache
        self._queue = queue
        self._flights: Flights[Answer] = Flights()

    async def ask(self, agent: Agent, question: Question) -> Answer:
        """From the cache, with whoever asks the same now, or from the engine that the
        agent's budget allows. A budget that is spent comes before a model that is out.

        Raises:
            QueueFull, BudgetSpent, PriceUnknown, EngineUnavailable.
        """
        if not question.use_cache:
            answer, _ = await self._answer(agent, question)
            return answer
        key = self._key(agent, question)
        known = self._cache.held(key)
        if known is not None:
            return Answer(known, cached=True)
        if self._flights.begun(key):
            RESPONSE_CACHE.labels("joined").inc()
        answer, first = await self._flights.join(
            key,
            lambda: self._find(agent, question, key),
            lambda answer: self._abandon(agent.agent_id, answer),
        )
        return answer if first else answer.again()

    def _key(self, agent: Agent, question: Question) -> str:
        """All that makes an answer; by the agent's birth it is of this life of it."""
        engine = self._engines.usual
        return (
            f"{agent.agent_id}:{agent.born_at}:{engine.name}:{engine.model}"
            f":{question.max_tokens}:{question.context_digest}"
        )

    async def _find(self, agent: Agent, question: Question, key: str) -> Answer:
        known = await self._cache.fetch(key)
        if known is not None:
            return Answer(known, cached=True)
        answer, answered_by = await self._answer(agent, question)
        # What a rung of the ladder answered is not worth keeping for better times.
        if answered_by is self._engines.usual:
            self._cache.put(key, answer.completion)
        return answer

    async def _answer(self, agent: Agent, question: Question) -> tuple[Answer, Engine]:
        async with self._queue.turn():
            answer, answered_by = await self._call(agent, question)
        async with self._governor.settled_on_failure(agent.agent_id, answer.payment):
            check_usable(answer.completion.content)
        return answer, answered_by

    async def _abandon(self, agent_id: str, answer: Answer) -> None:
        """Nobody commits it, so its payment is settled here, or expires as spent."""
        with suppress(AppError):
            await self._governor.settle(agent_id, answer.payment)

    async def _call(self, agent: Agent, question: Question) -> tuple[Answer, Engine]:
        engines, ladder = self._engines, agent.limits.ladder
        if not engines.usual.costs_money:
            return Answer(await _think(engines.usual, question)), engines.usual
        paid = [engines.usual]
        if engines.cheaper is not None and Rung.CHEAPER in ladder:
            paid.append(engines.cheaper)
        try:
            bought = await self._governor.spend(
                agent, [_call_of(engine, question) for engine in paid]
            )
        except BudgetSpent:
            if Rung.OFFLINE not in ladder:
                raise
            completion = await _think(engines.offline, question)
            return Answer(completion, slower=Rung.SLOWER in ladder), engines.offline
        except EngineUnavailable as error:
            if not (question.steps_in and _is_out(error)):
                raise
            completion = await _think(engines.offline, question)
            outage = ModelOut(error.kind, str(error))
            return Answer(completion, outage=outage), engines.offline
        answer = Answer(bought.completion, False, bought.payment, bought.slower)
        return answer, paid[bought.place]


def _is_out(error: EngineUnavailable) -> bool:
    """A model that refuses or says what cannot be used is there: what is wrong then
    would go unseen behind another engine."""
    return error.kind == EngineUnavailable.kind and not error.refused


def _call_of(engine: Engine, question: Question) -> Call:
    prompt = question.prompt
    text_bytes = len(system_text(prompt).encode()) + len(user_text(prompt).encode())
    return Call(
        engine.model,
        text_bytes,
        question.max_tokens,
        lambda: _think(engine, question),
    )


async def _think(engine: Engine, question: Question) -> Completion:
    return await engine.think(question.prompt, question.max_tokens)
