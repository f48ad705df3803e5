"""Agents as people change them; what they write is checked like everything told."""

from collections.abc import Callable
from dataclasses import replace

from servicekit.errors import Conflict
from thought_generator.domain.gate import Gate
from thought_generator.errors import AgentUnknown
from thought_generator.models.agents import Agent
from thought_generator.stores.agents import AgentStore

# A change that others overtook is made again on what they stored.
MAX_CHANGE_TRIES = 5


class Agents:
    """Whole agents: got, put, changed, removed, paused."""

    def __init__(self, store: AgentStore, gate: Gate) -> None:
        self._store = store
        self._gate = gate

    async def get(self, agent_id: str) -> Agent:
        """The agent; AgentUnknown if there is none."""
        return await self._store.get(agent_id)

    async def page(self, after: str, only: list[str] | None, limit: int) -> list[Agent]:
        """Agents in the order of their ids."""
        return await self._store.page(after, only, limit)

    async def put(self, agent: Agent) -> tuple[Agent, bool]:
        """Stores the whole agent; True if it is new. BlockedBySafety by its texts."""
        passed = await self._checked(agent, await self._known(agent.agent_id))
        created = await self._store.put(passed)
        return await self._store.get(agent.agent_id), created

    async def change(self, agent_id: str, edit: Callable[[Agent], Agent]) -> Agent:
        """Stores what `edit` makes of the agent; AgentUnknown if there is none."""
        for _ in range(MAX_CHANGE_TRIES):
            known = await self._store.get(agent_id)
            if await self._store.replace(
                known, await self._checked(edit(known), known)
            ):
                return await self._store.get(agent_id)
        raise Conflict("others are changing this agent at the same time")

    async def delete(self, agent_id: str) -> None:
        """Removes the agent and all it thought."""
        await self._store.delete(agent_id)

    async def pause(self, agent_id: str, paused: bool) -> Agent:
        """Stops or starts its streams; no streamed thought is committed after."""
        await self._store.set_paused(agent_id, paused)
        return await self._store.get(agent_id)

    async def _checked(self, agent: Agent, known: Agent | None) -> Agent:
        persona = agent.persona
        if known is None or known.persona != persona:
            persona, _ = await self._gate.passes(persona, "context", agent.agent_id)
        streams = {}
        for name, stream in agent.streams.items():
            prompt = stream.prompt
            if prompt is not None and (
                known is None or known.streams.get(name) != stream
            ):
                prompt, _ = await self._gate.passes(
                    prompt, "context", agent.agent_id, name
                )
            streams[name] = replace(stream, prompt=prompt)
        return replace(agent, persona=persona, streams=streams)

    async def _known(self, agent_id: str) -> Agent | None:
        try:
            return await self._store.get(agent_id)
        except AgentUnknown:
            return None
