"""Talking with a person: what they say is remembered, and replied to from memory."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson

from contracts.clients import MemoryApi
from contracts.ids import new_id
from contracts.memory import (
    Evidence,
    Memory,
    MemoryBatchRequest,
    MemoryLookupRequest,
    MemoryWrite,
)
from contracts.problem import Problem, ServiceError
from servicekit.errors import AppError
from servicekit.idempotency import Idempotency, IdempotencyKey
from thought_generator.domain.asking import Question
from thought_generator.domain.gate import Gate
from thought_generator.domain.mind import Mind, names_of
from thought_generator.domain.thinker import (
    MEMORIES_RECALLED,
    Clock,
    Thinker,
    summary,
)
from thought_generator.errors import (
    BlockedBySafety,
    Forgotten,
    MemoryUnavailable,
    SafetyUnavailable,
    StreamUnknown,
)
from thought_generator.metrics import REFUSED
from thought_generator.models.agents import Agent
from thought_generator.models.prompts import Origin, Prompt, Quoted, Recalled, Turn
from thought_generator.models.thoughts import Draft, Thought
from thought_generator.prompting import CONVERSATION, context_digest, shown_turn
from thought_generator.stores.agents import AgentStore
from thought_generator.stores.thoughts import ThoughtStore

# Replies take their place in the chain of what is thought about what is at hand.
STREAM = "primary"
# Enough to follow a talk; what was said before that is recalled where it matters.
TURNS_SHOWN = 6
# Whoever asks the same thing in other words is answered by what was said about it, not
# by all the questions before.
MEMORIES_LOOKED_AT = 3 * MEMORIES_RECALLED

# A reply, the memory of what it replies to, and the session.
Render = Callable[[Thought, UUID, str], bytes]


class Conversation:
    """Remembers first, and then replies: an engine that is out loses nothing told."""

    def __init__(
        self,
        mind: Mind,
        gate: Gate,
        thinker: Thinker,
        agents: AgentStore,
        thoughts: ThoughtStore,
        memory: MemoryApi,
        idempotency: Idempotency,
        render: Render,
        max_tokens: int,
    ) -> None:
        self._mind = mind
        self._gate = gate
        self._thinker = thinker
        self._agents = agents
        self._thoughts = thoughts
        self._memory = memory
        self._idempotency = idempotency
        self._render = render
        self._max_tokens = max_tokens

    async def converse(
        self,
        agent_id: str,
        message: str,
        session_id: str | None,
        key: IdempotencyKey | None,
    ) -> bytes:
        """The committed reply, as `render` shows it; with a key, the first one.

        A problem met once the message is remembered has the members `remembered` and
        `session_id`. The same message again is merged into that memory.

        Raises:
            AgentUnknown, StreamUnknown, Forgotten, and what Thinker.think raises.
        """
        if key and (known := await self._first_answer(key)) is not None:
            return known
        try:
            return await self._converse(
                agent_id, message, session_id or str(new_id()), key
            )
        except AppError as error:
            REFUSED.labels("converse", error.kind).inc()
            raise

    async def _converse(
        self, agent_id: str, message: str, session_id: str, key: IdempotencyKey | None
    ) -> bytes:
        agent = await self._agents.get(agent_id)
        if STREAM not in agent.streams:
            raise StreamUnknown(STREAM)
        clock = Clock()
        with clock.part("safety_in"):
            said, verdict = await self._gate.passes(
                message, "context", agent_id, STREAM
            )
        kept, recollected = await asyncio.gather(
            self._remember(agent_id, session_id, message, clock),
            self._recollect(agent_id, session_id, said, clock),
            return_exceptions=True,
        )
        if isinstance(kept, BaseException):
            raise kept
        try:
            if isinstance(recollected, BaseException):
                raise recollected
            recalled, turns = recollected
            origin = Origin(
                # Redacted or merged, memory keeps it in other words.
                Quoted(kept.id, 0, len(said) if said == kept.content else 0),
                tuple(turns),
                summary(verdict),
            )
            prompt = _prompt(agent, said, kept.id, recalled, turns, origin)
            draft = await self._reply(agent, prompt, clock)
            draft = replace(draft, session_id=session_id, heard=kept.id)
            return await self._commit(draft, kept.id, session_id, key)
        except AppError as error:
            error.members |= {"remembered": [str(kept.id)], "session_id": session_id}
            raise

    async def _reply(self, agent: Agent, prompt: Prompt, clock: Clock) -> Draft:
        question = Question(
            prompt, context_digest(prompt), self._max_tokens, use_cache=False
        )
        return await self._thinker.answer(agent, question, clock)

    async def _commit(
        self, draft: Draft, heard: UUID, session_id: str, key: IdempotencyKey | None
    ) -> bytes:
        def names(reply: Thought) -> dict[str, Any]:
            return {
                "reply": names_of(reply),
                "remembered": [str(heard)],
                "session_id": session_id,
            }

        if key is None:
            reply = await self._mind.commit(draft, None)
        else:
            placed = await self._mind.commit_once(draft, key, names)
            if placed is None:
                first = await self._first_answer(key)
                assert first is not None
                return first
            reply = placed
        await self._mind.announce(reply, "converse")
        return self._render(reply, heard, session_id)

    async def _first_answer(self, key: IdempotencyKey) -> bytes | None:
        answer = await self._idempotency.first_answer(key)
        if answer is None:
            return None
        names = orjson.loads(answer)
        reply = await self._mind.answered(names["reply"])
        return self._render(reply, UUID(names["remembered"][0]), names["session_id"])

    async def _remember(
        self, agent_id: str, session_id: str, message: str, clock: Clock
    ) -> Memory:
        """Memory judges and, where need be, redacts the message by itself."""
        write = MemoryWrite(
            content=message,
            agent_id=agent_id,
            session_id=session_id,
            evidence=Evidence.TOLD,
        )
        with clock.part("remember"):
            try:
                response = await self._memory.remember(
                    MemoryBatchRequest(memories=[write])
                )
            except ServiceError as error:
                raise _refusal(error.problem) from error
        (item,) = response.results
        if item.memory is None:
            assert item.problem is not None
            raise _refusal(item.problem)
        return item.memory

    async def _recollect(
        self, agent_id: str, session_id: str, said: str, clock: Clock
    ) -> tuple[tuple[Recalled, ...], dict[int, Turn]]:
        with clock.part("recall"):
            return await asyncio.gather(
                self._thinker.recall(agent_id, said, MEMORIES_LOOKED_AT),
                self._turns(agent_id, session_id),
            )

    async def _turns(self, agent_id: str, session_id: str) -> dict[int, Turn]:
        """By the place of the reply in its stream, without those whose message was
        forgotten since."""
        replies = await self._thoughts.replies(agent_id, session_id, TURNS_SHOWN)
        if not replies:
            return {}
        request = MemoryLookupRequest(
            agent_id=agent_id, ids=list({heard for _, heard, _ in replies})
        )
        try:
            found = await self._memory.lookup(request)
        except ServiceError as error:
            raise MemoryUnavailable(str(error)) from error
        said = {memory.id: memory.content for memory in found.memories}
        return {
            seq: shown_turn(said[heard], replied)
            for seq, heard, replied in reversed(replies)
            if heard in said
        }


def _prompt(
    agent: Agent,
    said: str,
    heard: UUID,
    recalled: tuple[Recalled, ...],
    turns: dict[int, Turn],
    origin: Origin,
) -> Prompt:
    """What was just said is no memory to reply from; questions come last."""
    others = [each for each in recalled if each.memory_id != heard]
    others.sort(key=lambda memory: memory.content.rstrip().endswith(("?", "？")))
    return Prompt(
        persona=agent.persona,
        stream=STREAM,
        instruction=CONVERSATION,
        context=said,
        recalled=tuple(others[:MEMORIES_RECALLED]),
        recent=(),
        talk=tuple(turns.values()),
        origin=origin,
    )


def _refusal(problem: Problem) -> AppError:
    """Why memory does not keep a message."""
    verdict = (problem.model_extra or {}).get("verdict")
    if verdict:
        return BlockedBySafety("message", verdict)
    match problem.kind:
        case Forgotten.kind:
            return Forgotten(problem.detail)
        case SafetyUnavailable.kind:
            return SafetyUnavailable(problem.detail)
    return MemoryUnavailable(problem.detail)
