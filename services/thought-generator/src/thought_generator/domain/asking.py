"""From a prompt to a completion: response cache, queue, budget, engine."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from contracts.base import Text
from contracts.memory import MAX_CONTENT_CHARS
from thought_generator.domain.budget import Governor
from thought_generator.domain.cache import ResponseCache
from thought_generator.domain.queue import EngineQueue
from thought_generator.errors import EngineAnswerUnusable
from thought_generator.models import Completion, Prompt
from thought_generator.prompting import system_text, user_text
from thought_generator.providers.engine import Engine

THOUGHT: TypeAdapter[str] = TypeAdapter(
    Annotated[Text, Field(max_length=MAX_CONTENT_CHARS)]
)


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, and how it is to be answered."""

    prompt: Prompt
    context_digest: str
    max_tokens: int
    use_cache: bool


class Asking:
    """Asks the engine no more often than it must, and never beyond the budget."""

    def __init__(
        self,
        engine: Engine,
        governor: Governor,
        cache: ResponseCache,
        queue: EngineQueue,
    ) -> None:
        self._engine = engine
        self._governor = governor
        self._cache = cache
        self._queue = queue

    async def ask(self, agent_id: str, question: Question) -> tuple[Completion, bool]:
        """The completion, and whether it came from the cache.

        Raises:
            QueueFull, BudgetSpent, PriceUnknown, EngineUnavailable.
        """
        engine = self._engine
        key = (
            f"{engine.name}:{engine.model}:{question.max_tokens}"
            f":{question.context_digest}"
        )
        if question.use_cache:
            known = await self._cache.get(agent_id, key)
            if known is not None:
                return known, True
        async with self._queue.turn():
            completion = await self._call(agent_id, question)
        check_usable(completion.content)
        if question.use_cache:
            await self._cache.put(agent_id, key, completion)
        return completion, False

    async def _call(self, agent_id: str, question: Question) -> Completion:
        prompt, max_tokens = question.prompt, question.max_tokens
        if not self._engine.costs_money:
            return await self._engine.think(prompt, max_tokens)
        text_bytes = len(system_text(prompt).encode()) + len(user_text(prompt).encode())
        return await self._governor.spend(
            agent_id,
            self._engine.model,
            text_bytes,
            max_tokens,
            lambda: self._engine.think(prompt, max_tokens),
        )


def check_usable(content: str) -> None:
    """What memory could not take would be committed and never delivered."""
    try:
        THOUGHT.validate_python(content)
    except ValidationError as error:
        (first, *_) = error.errors()
        raise EngineAnswerUnusable(first["msg"]) from None
