"""Answers of the engine, kept for a while: in process, and in Valkey behind it."""

import asyncio
from collections import OrderedDict, deque
from dataclasses import replace
from time import monotonic
from typing import Protocol

import orjson

from thought_generator.domain.usable import is_usable
from thought_generator.metrics import RESPONSE_CACHE
from thought_generator.models.prompts import Completion, Usage

# So long an answer may be given again; older it would be the thought of another time.
TTL_S = 300
# Of this process: some kB each.
MAX_ENTRIES = 1000
# On their way to the other processes; more than these, the oldest is not told.
MAX_UNSHARED = 100
SHARED_PREFIX = "claude-agi:response:"


class SharedCache(Protocol):
    """A cache that other replicas see too, and that may be gone."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""
        ...

    async def put(self, key: str, value: bytes, ttl_s: int) -> None:
        """Keeps a value for a while."""
        ...


class ResponseCache:
    """Completions by all that made them: no key is ever used for another answer."""

    def __init__(self, shared: SharedCache) -> None:
        self._shared = shared
        self._entries: OrderedDict[str, tuple[float, Completion]] = OrderedDict()
        self._unshared: deque[tuple[str, bytes]] = deque(maxlen=MAX_UNSHARED)
        self._news = asyncio.Event()

    def held(self, key: str) -> Completion | None:
        """The completion, without its cost, where this process has it."""
        entry = self._entries.get(key)
        if entry is None or entry[0] <= monotonic():
            return None
        RESPONSE_CACHE.labels("process").inc()
        return entry[1]

    async def fetch(self, key: str) -> Completion | None:
        """The completion, without its cost, where another process has put it; it is
        not kept here, where it would outlive its time."""
        completion = _parse(await self._shared.get(SHARED_PREFIX + key))
        RESPONSE_CACHE.labels("shared" if completion else "miss").inc()
        return completion

    def put(self, key: str, completion: Completion) -> None:
        """Keeps a completion, here at once, for the other processes soon."""
        free = replace(completion, usage=Usage())
        self._keep(key, free)
        raw = orjson.dumps([free.content, free.stop_reason, free.engine, free.model])
        self._unshared.append((SHARED_PREFIX + key, raw))
        self._news.set()

    async def share(self) -> None:
        """Tells the other processes until cancelled, so that no thought waits for it;
        what a slow cache does not take in time they ask the engine for."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._unshared:
                key, raw = self._unshared.popleft()
                await self._shared.put(key, raw, TTL_S)

    def _keep(self, key: str, completion: Completion) -> None:
        self._entries[key] = (monotonic() + TTL_S, completion)
        self._entries.move_to_end(key)
        if len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)


def _parse(raw: bytes | None) -> Completion | None:
    """What stands under our key may be anything: only what we wrote is taken."""
    try:
        parts = orjson.loads(raw or b"")
    except ValueError:
        return None
    if not (isinstance(parts, list) and len(parts) == 4):
        return None
    if not all(isinstance(part, str) for part in parts) or not is_usable(parts[0]):
        return None
    return Completion(*parts)
