"""What the memories behind a thought say now: thoughts keep only their ids."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

import structlog

from contracts.clients import MemoryApi
from contracts.memory import MAX_BATCH_MEMORIES, MemoryLookupRequest
from contracts.problem import ServiceError
from thought_generator.models.thoughts import Thought

log = structlog.get_logger()


class Recollection:
    """Asks memory, so that what was forgotten there is forgotten here."""

    def __init__(self, memory: MemoryApi) -> None:
        self._memory = memory

    async def contents(
        self, agent_id: str, memory_ids: Iterable[UUID]
    ) -> dict[UUID, str] | None:
        """What those memories say that are there; None while memory is out."""
        wanted = list(dict.fromkeys(memory_ids))
        pages = [
            MemoryLookupRequest(
                agent_id=agent_id, ids=wanted[first : first + MAX_BATCH_MEMORIES]
            )
            for first in range(0, len(wanted), MAX_BATCH_MEMORIES)
        ]
        try:
            found = await asyncio.gather(*map(self._memory.lookup, pages))
        except ServiceError as error:
            log.warning("memory does not say what was recalled", error=str(error))
            return None
        return {each.id: each.content for page in found for each in page.memories}

    async def fill(self, thoughts: list[Thought]) -> list[Thought]:
        """One agent's thoughts, with what they recalled; what is gone is empty."""
        if not any(thought.recalled for thought in thoughts):
            return thoughts
        contents = await self.contents(
            thoughts[0].agent_id,
            (
                UUID(memory["memory_id"])
                for thought in thoughts
                for memory in thought.recalled
            ),
        )
        return [_filled(thought, contents or {}) for thought in thoughts]


def _filled(thought: Thought, contents: dict[UUID, str]) -> Thought:
    recalled = [
        {**memory, "content": contents.get(UUID(memory["memory_id"]), "")}
        for memory in thought.recalled
    ]
    return replace(thought, recalled=recalled)
