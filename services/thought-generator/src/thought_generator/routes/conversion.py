"""Contract ↔ dataclass."""

from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from contracts import agent as api
from contracts.recall import RecallScores
from servicekit.errors import InvalidRequest
from thought_generator.models.agents import Agent, AgentState, Outage, Stream
from thought_generator.models.budget import Limits, Rung, Standing
from thought_generator.models.thoughts import Coherence, Explanation, Thought

SCORES = tuple(RecallScores.model_fields)
DEFAULT_PERSONA = (
    "I am a curious, careful mind. I turn over what I have been told, look for what "
    "connects, and keep apart what I know from what I only think."
)


def thought_json(thought: Thought) -> bytes:
    """A thought as the API shows it; what was stored has been validated before."""
    return orjson.dumps(thought_members(thought), option=orjson.OPT_UTC_Z)


def reply_json(reply: Thought, heard: UUID, session_id: str) -> bytes:
    """A reply as the API answers it; `heard` is the memory of the message."""
    answer = {
        "reply": thought_members(reply),
        "remembered": [str(heard)],
        "session_id": session_id,
    }
    return orjson.dumps(answer, option=orjson.OPT_UTC_Z)


def explained_json(thought: Thought, explanation: Explanation) -> bytes:
    """A thought with its explanation, as the API shows it."""
    contents = explanation.contents
    recalled = [_recalled_members(each, contents) for each in thought.recalled]
    shown = [{**each, "content": each["content"] or ""} for each in recalled]
    members = {
        **thought_members(replace(thought, recalled=shown)),
        "explanation": _explanation_members(thought, explanation, recalled),
    }
    return orjson.dumps(members, default=str, option=orjson.OPT_UTC_Z)


def _explanation_members(
    thought: Thought, explanation: Explanation, recalled: list[dict[str, Any]]
) -> dict[str, Any]:
    basis = explanation.basis
    prompt = None
    if basis.stable is not None:
        prompt = {
            "version": basis.stable.version,
            "exact": explanation.exact,
            "parts": [asdict(part) for part in explanation.parts],
        }
    return {
        "prompt": prompt,
        "recalled": recalled,
        "verdicts": {
            "context": basis.origin.context_verdict,
            "thought": thought.safety,
        },
        "engine": thought.engine,
        "model": thought.model,
        "usage": thought.usage,
        "cost_usd": thought.usage["cost_usd"],
        "timings_ms": thought.timings_ms,
        "previous": asdict(basis.previous) if basis.previous else None,
        "cached_from": basis.cached_from,
        "outage": asdict(basis.outage) if basis.outage else None,
    }


def _recalled_members(
    memory: dict[str, Any], contents: dict[UUID, str] | None
) -> dict[str, Any]:
    content = (contents or {}).get(UUID(memory["memory_id"]))
    state = "gone" if content is None else "kept"
    scores = memory.get("scores")
    return {
        "memory_id": memory["memory_id"],
        "score": memory["score"],
        "scores": dict(zip(SCORES, scores, strict=True)) if scores else None,
        "evidence": memory.get("evidence"),
        "state": "unknown" if contents is None else state,
        "content": content,
    }


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
        "recalled": [
            {name: memory[name] for name in ("memory_id", "score", "content")}
            for memory in thought.recalled
        ],
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
        budget=_budget(agent.limits),
        outage=api.Outage(agent.outage.value),
        state=api.AgentState(agent.state.value),
        dozing={
            name: api.Doze(since=doze.since, problem=doze.problem, until=doze.until)
            for name, doze in agent.dozing.items()
        },
        offline={
            name: api.OfflineStream(since=each.since, problem=each.problem)
            for name, each in agent.offline.items()
        },
    )


def budget_answer(standing: Standing) -> api.BudgetState:
    """A day's standing as the API shows it."""
    return api.BudgetState(
        spent_usd=float(standing.spent_usd),
        reserved_usd=float(standing.reserved_usd),
        limit_usd=float(standing.limits.usd_per_day),
        tokens=standing.tokens,
        resets_at=standing.resets_at,
        rung=api.Rung(standing.rung.value) if standing.rung else None,
    )


def coherence_answer(coherence: Coherence) -> api.CoherenceState:
    """What was measured of an agent as the API shows it."""
    return api.CoherenceState(
        continuity=coherence.continuity,
        alive=coherence.alive,
        thread=None,
        window_seconds=coherence.window.total_seconds(),
        thoughts_expected=coherence.thoughts_expected,
        cells=coherence.cells,
        cells_excused=coherence.cells_excused,
        loops_broken=coherence.loops_broken,
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
        outage=Outage(put.outage.value),
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
    budget = _budget(agent.limits)
    if patch.budget is not None:
        budget = budget.model_copy(
            update=_given(patch.budget, nullable={"tokens_per_day"})
        )
    return replace(
        agent,
        persona=patch.persona or agent.persona,
        streams=streams,
        limits=_limits(budget),
        outage=Outage(patch.outage.value) if patch.outage else agent.outage,
    )


def _given(
    patch: api.StreamPatch | api.BudgetPatch, nullable: set[str]
) -> dict[str, Any]:
    """Fields that were sent; null means a value only where there can be none."""
    sent = patch.model_dump(exclude_unset=True)
    return {k: v for k, v in sent.items() if v is not None or k in nullable}


def _budget(limits: Limits) -> api.Budget:
    return api.Budget(
        usd_per_day=float(limits.usd_per_day),
        tokens_per_day=limits.tokens_per_day,
        near_limit=limits.near_limit,
        ladder=[api.Rung(rung.value) for rung in limits.ladder],
    )


def _limits(budget: api.Budget) -> Limits:
    return Limits(
        Decimal(str(budget.usd_per_day)),
        budget.tokens_per_day,
        budget.near_limit,
        tuple(Rung(rung.value) for rung in budget.ladder),
    )
