"""Agents: who they are, how they think, what they may spend."""

from typing import Annotated

from fastapi import Query, Request, Response

from contracts.agent import (
    Agent,
    AgentList,
    AgentPatch,
    AgentPut,
    BudgetState,
    CoherenceState,
)
from contracts.base import MAX_PAGE_SIZE, AgentId
from servicekit.app import api_router
from servicekit.auth import Caller, caller_with
from servicekit.paging import read_cursor, write_cursor
from thought_generator.context import Context
from thought_generator.routes.conversion import (
    agent_answer,
    agent_of,
    budget_answer,
    coherence_answer,
    patched,
)

router = api_router("/api/thought/agents", "agents")
CURSOR_SCOPE = "agents"


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


@router.get("")
async def list_agents(
    request: Request,
    caller: Annotated[Caller, caller_with("read")],
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = 10,
    cursor: str | None = None,
) -> AgentList:
    """Agents in the order of their ids."""
    after = str(read_cursor(CURSOR_SCOPE, cursor, str)[0]) if cursor else ""
    only = None if "*" in caller.agents else sorted(caller.agents)
    agents = await _context(request).agents.page(after, only, limit)
    full = len(agents) == limit
    return AgentList(
        agents=[agent_answer(agent) for agent in agents],
        next_cursor=write_cursor(CURSOR_SCOPE, agents[-1].agent_id) if full else None,
    )


@router.get("/{agent_id}")
async def get_agent(
    request: Request, agent_id: AgentId, caller: Annotated[Caller, caller_with("read")]
) -> Agent:
    """One agent."""
    caller.check_agent(agent_id)
    return agent_answer(await _context(request).agents.get(agent_id))


@router.put("/{agent_id}", responses={201: {"model": Agent}})
async def put_agent(
    request: Request,
    response: Response,
    agent_id: AgentId,
    body: AgentPut,
    caller: Annotated[Caller, caller_with("admin")],
) -> Agent:
    """Makes the agent exactly so; a new one begins to think."""
    caller.check_agent(agent_id)
    agent, created = await _context(request).agents.put(agent_of(agent_id, body))
    response.status_code = 201 if created else 200
    return agent_answer(agent)


@router.patch("/{agent_id}")
async def patch_agent(
    request: Request,
    agent_id: AgentId,
    body: AgentPatch,
    caller: Annotated[Caller, caller_with("admin")],
) -> Agent:
    """Changes what is named."""
    caller.check_agent(agent_id)
    agents = _context(request).agents
    return agent_answer(await agents.change(agent_id, lambda a: patched(a, body)))


@router.delete("/{agent_id}", status_code=204)
async def delete_agent(
    request: Request, agent_id: AgentId, caller: Annotated[Caller, caller_with("admin")]
) -> None:
    """Ends the agent and removes what it thought; its memories stay."""
    caller.check_agent(agent_id)
    await _context(request).agents.delete(agent_id)


@router.post("/{agent_id}/pause")
async def pause_agent(
    request: Request, agent_id: AgentId, caller: Annotated[Caller, caller_with("write")]
) -> Agent:
    """Stops its streams everywhere; none commits a thought after this answer."""
    caller.check_agent(agent_id)
    return agent_answer(await _context(request).agents.pause(agent_id, True))


@router.post("/{agent_id}/resume")
async def resume_agent(
    request: Request, agent_id: AgentId, caller: Annotated[Caller, caller_with("write")]
) -> Agent:
    """Starts its streams again."""
    caller.check_agent(agent_id)
    return agent_answer(await _context(request).agents.pause(agent_id, False))


@router.get("/{agent_id}/coherence")
async def coherence(
    request: Request, agent_id: AgentId, caller: Annotated[Caller, caller_with("read")]
) -> CoherenceState:
    """How whole and how alive its last day was."""
    caller.check_agent(agent_id)
    return coherence_answer(await _context(request).coherences.of(agent_id))


@router.get("/{agent_id}/budget")
async def budget(
    request: Request, agent_id: AgentId, caller: Annotated[Caller, caller_with("read")]
) -> BudgetState:
    """Where the agent's day stands."""
    caller.check_agent(agent_id)
    return budget_answer(await _context(request).governor.standing(agent_id))
