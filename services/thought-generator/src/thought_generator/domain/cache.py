"""Answers of the engine, kept for a while: in process, and in Valkey behind it."""

import time
from collections import OrderedDict
from dataclasses import replace
from typing import Protocol

import orjson

from thought_generator.metrics import RESPONSE_CACHE
from thought_generator.models import Completion, Usage

TTL_S = 300
MAX_ENTRIES = 1000


class SharedCache(Protocol):
    """A cache that other replicas see too, and that may be gone."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""
        ...

    async def put(self, key: str, value: bytes, ttl_s: int) -> None:
        """Keeps a value for a while."""
        ...


class ResponseCache:
    """Completions by agent, engine, model and everything that made the prompt."""

    def __init__(self, shared: SharedCache) -> None:
        self._shared = shared
        self._entries: OrderedDict[str, tuple[float, Completion]] = OrderedDict()

    async def get(self, agent_id: str, key: str) -> Completion | None:
        """The completion, without its cost, or None."""
        entry = self._entries.get(f"{agent_id}\0{key}")
        if entry is not None and entry[0] > time.monotonic():
            RESPONSE_CACHE.labels("process").inc()
            return entry[1]
        raw = await self._shared.get(_shared_key(agent_id, key))
        completion = _parse(raw)
        RESPONSE_CACHE.labels("shared" if completion else "miss").inc()
        if completion is not None:
            self._keep(agent_id, key, completion)
        return completion

    async def put(self, agent_id: str, key: str, completion: Completion) -> None:
        """Keeps a completion."""
        free = replace(completion, usage=Usage())
        self._keep(agent_id, key, free)
        raw = orjson.dumps([free.content, free.stop_reason, free.engine, free.model])
        await self._shared.put(_shared_key(agent_id, key), raw, TTL_S)

    def _keep(self, agent_id: str, key: str, completion: Completion) -> None:
        own_key = f"{agent_id}\0{key}"
        self._entries[own_key] = (time.monotonic() + TTL_S, completion)
        self._entries.move_to_end(own_key)
        if len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)


def _shared_key(agent_id: str, key: str) -> str:
    return f"claude-agi:response:{agent_id}:{key}"


def _parse(raw: bytes | None) -> Completion | None:
    """What stands under our key may be anything: only what we wrote is taken."""
    try:
        parts = orjson.loads(raw or b"")
    except ValueError:
        return None
    if not (isinstance(parts, list) and len(parts) == 4):
        return None
    if not all(isinstance(part, str) for part in parts):
        return None
    return Completion(*parts)
