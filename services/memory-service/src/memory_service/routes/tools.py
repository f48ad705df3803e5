"""The tools of the Model Context Protocol, each a call of the HTTP API.

A tool checks nothing and decides nothing of its own: what a key may do, which agents it
reaches and what an argument may be is what the route of the same call says.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request, Response
from pydantic import ValidationError

from contracts.base import Contract
from contracts.forgetting import ForgetRequest
from contracts.memory import MemoryWrite
from contracts.recall import RecallRequest
from memory_service.routes import forgetting, memories, recall
from memory_service.routes.arguments import Forget, Recall, Recent, Remember
from servicekit.auth import Caller
from servicekit.errors import InvalidRequest

# What a model is told of a memory, and what of an answer it is not told: the rest is
# bookkeeping that costs it attention.
SHOWN = (
    "id",
    "content",
    "timestamp",
    "memory_type",
    "evidence",
    "importance",
    "user_id",
    "session_id",
    "metadata",
    "pinned",
    "score",
    "merged_into",
)
LEFT_OUT = frozenset({"took_ms", "index"})


async def _remember(request: Request, caller: Caller, wanted: Remember) -> Response:
    write = MemoryWrite.model_validate(wanted.model_dump())
    return await memories.remember(request, caller, write)


async def _recall(request: Request, caller: Caller, wanted: Recall) -> Response:
    query = RecallRequest.model_validate(wanted.model_dump())
    return await recall.recall(request, caller, query)


async def _recent(request: Request, caller: Caller, wanted: Recent) -> Response:
    return await memories.recent(
        request,
        caller,
        agent_id=wanted.agent_id,
        memory_type=wanted.memory_type,
        limit=wanted.limit,
        cursor=wanted.cursor,
    )


async def _forget(request: Request, caller: Caller, wanted: Forget) -> Response:
    if wanted.id is not None:
        return await memories.delete(
            request, caller, wanted.id, agent_id=wanted.agent_id
        )
    told = ForgetRequest(agent_id=wanted.agent_id, value=wanted.value)
    return await forgetting.forget(request, caller, told)


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: its arguments, the scope that it needs, and the call behind it."""

    name: str
    title: str
    description: str
    arguments: type[Contract]
    scope: str
    answer: Callable[[Request, Caller, Any], Awaitable[Response]]
    destroys: bool = False

    async def call(self, request: Request, given: dict[str, Any]) -> dict[str, Any]:
        """The answer for a model; raises AppError, as the route does."""
        caller: Caller = request.scope["caller"]
        caller.check_scope(self.scope)
        try:
            wanted = self.arguments.model_validate(given)
        except ValidationError as error:
            raise InvalidRequest(_words(error)) from error
        answered = await self.answer(request, caller, wanted)
        return _shorten(orjson.loads(answered.body or b"{}"))


TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            "remember",
            "Remember",
            "Keeps something for later: a fact, an event, a preference, a decision. "
            "Telling the same again does no harm. Do not store what recall returned.",
            Remember,
            "write",
            _remember,
        ),
        Tool(
            "recall",
            "Recall",
            "Finds the memories that answer a question best, by meaning and by words. "
            "Use it before answering from what may have been said earlier.",
            Recall,
            "read",
            _recall,
        ),
        Tool(
            "recent",
            "Recent memories",
            "Lists memories, newest first, a page at a time.",
            Recent,
            "read",
            _recent,
        ),
        Tool(
            "forget",
            "Forget",
            "Deletes one memory by its id, or all that have certain words, and what "
            "was made from them. This cannot be undone: use it when the user asks.",
            Forget,
            "write",
            _forget,
            destroys=True,
        ),
    )
}


def _words(error: ValidationError) -> str:
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, e["loc"])), e["msg"])))
        for e in error.errors(include_url=False, include_input=False)
    )


def _shorten(answer: dict[str, Any]) -> dict[str, Any]:
    if "content" in answer:
        return _shown(answer)
    told = {
        name: value
        for name, value in answer.items()
        if name not in LEFT_OUT and value is not None
    }
    if "memories" in told and isinstance(told["memories"], list):
        told["memories"] = list(map(_shown, told["memories"]))
    return told


def _shown(memory: dict[str, Any]) -> dict[str, Any]:
    shown = ((name, memory.get(name)) for name in SHOWN)
    return {name: value for name, value in shown if value not in (None, {})}
