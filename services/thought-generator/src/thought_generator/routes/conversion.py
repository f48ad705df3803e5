"""Contract ↔ dataclass."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson

from contracts import thought as api
from servicekit.errors import InvalidRequest
from thought_generator.models import Agent, AgentState, Limits, Stream, Thought

DEFAULT_PERSONA = (
    "I am a curious, careful mind. I turn over what I have been told, look for what "
    "connects, and keep apart what I know from what I only think."
)


def thought_json(thought: Thought) -> bytes:
    """A thought as the API shows it; what was stored has been validated before."""
    return orjson.dumps(thought_members(thought), option=orjson.OPT_UTC_Z)


def thought_members(thought: Thought) -> dict[str, Any]:
    """The members of the API's Thought."""
    return {
        "id": str(thought.id),
        "agent_id": thought.agent_id,
        "stream": thought.stream,
        "seq": thought.seq,
        "previous_id": str(thought.previous_id) if thought.previous_id else None,
        "content": thought.content,
        "created_at": thought.created_at,
        "engine": thought.engine,
        "model": thought.model,
        "cached": thought.cached,
        "context_digest": thought.context_digest,
        "recalled": thought.recalled,
        "safety": thought.safety,
        "usage": thought.usage,
        "timings_ms": thought.timings_ms,
        "stop_reason": thought.stop_reason,
    }


def agent_answer(agent: Agent) -> api.Agent:
    """An agent as the API shows it."""
    return api.Agent(
        agent_id=agent.agent_id,
        persona=agent.persona,
        streams={
            # Redacted, a prompt may be longer than one that is taken in.
            name: api.StreamSettings.model_construct(
                enabled=stream.enabled,
                interval_seconds=stream.interval_seconds,
                prompt=stream.prompt,
            )
            for name, stream in agent.streams.items()
        },
        budget=api.Budget(
            usd_per_day=float(agent.limits.usd_per_day),
            tokens_per_day=agent.limits.tokens_per_day,
        ),
        state=api.AgentState(agent.state.value),
    )


def agent_of(agent_id: str, put: api.AgentPut) -> Agent:
    """The whole agent that a PUT describes."""
    streams = put.streams
    if streams is None:
        streams = {name: api.StreamSettings() for name in api.DEFAULT_STREAMS}
    return Agent(
        agent_id=agent_id,
        persona=put.persona or DEFAULT_PERSONA,
        streams={
            name: Stream(**stream.model_dump()) for name, stream in streams.items()
        },
        limits=_limits(put.budget),
        state=AgentState.RUNNING,
    )


def patched(agent: Agent, patch: api.AgentPatch) -> Agent:
    """The agent with what a PATCH names changed."""
    streams = dict(agent.streams)
    for name, change in (patch.streams or {}).items():
        streams[name] = replace(
            streams.get(name, Stream()), **_given(change, nullable={"prompt"})
        )
    if len(streams) > api.MAX_STREAMS:
        raise InvalidRequest(f"an agent has at most {api.MAX_STREAMS} streams")
    budget = api.Budget(
        usd_per_day=float(agent.limits.usd_per_day),
        tokens_per_day=agent.limits.tokens_per_day,
    )
    if patch.budget is not None:
        budget = budget.model_copy(
            update=_given(patch.budget, nullable={"tokens_per_day"})
        )
    return replace(
        agent,
        persona=patch.persona or agent.persona,
        streams=streams,
        limits=_limits(budget),
    )


def _given(
    patch: api.StreamPatch | api.BudgetPatch, nullable: set[str]
) -> dict[str, Any]:
    """Fields that were sent; null means a value only where there can be none."""
    sent = patch.model_dump(exclude_unset=True)
    return {k: v for k, v in sent.items() if v is not None or k in nullable}


def _limits(budget: api.Budget) -> Limits:
    return Limits(Decimal(str(budget.usd_per_day)), budget.tokens_per_day)
