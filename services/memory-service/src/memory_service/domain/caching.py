"""What was found once is found again: in this process, then in Valkey, then anew.

PostgreSQL is the level below both. What either of them holds names the change of the
agent that it was read at, and answers only who asks for nothing newer.
"""

import asyncio
import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from memory_service import metrics

# What this process holds, keys and overhead included.
MAX_PROCESS_BYTES = 16 * 1024 * 1024
# Beside its value an entry costs about so much.
ENTRY_BYTES = 512
# A larger value is not worth its place.
MAX_VALUE_BYTES = 512 * 1024
# Values that wait for Valkey; further ones stay here. Those of a while go together:
# the call costs more than what it carries.
MAX_SHARING = 64
SHARE_EVERY_S = 0.05
# In Valkey, for each agent; the next one empties the agent's cache.
MAX_SHARED_ENTRIES = 1000

# Anything may stand under our keys: a value is ours if its digest says so.
_DIGEST_BYTES = 8
_SEQ_BYTES = 8


class SharedCache(Protocol):
    """A cache that other replicas see too, and that may be gone."""

    async def get_field(self, key: str, field: str) -> bytes | None:
        """The value of a field, or None."""
        ...

    async def put_fields(
        self, key: str, values: Mapping[str, bytes], ttl_s: int, max_fields: int
    ) -> None:
        """Keeps fields for a while."""
        ...

    async def drop(self, key: str) -> None:
        """Removes a key with all its fields."""
        ...


@dataclass(frozen=True, slots=True)
class Cached:
    """A value that holds the agent's changes up to `seq`."""

    seq: int
    value: bytes
    # Some values are right now and would not be in a moment.
    lasts: bool = True


Make = Callable[[], Awaitable[Cached]]


@dataclass(frozen=True, slots=True)
class Name:
    """One question of one agent's; `kind` is what the metrics call it."""

    kind: str
    agent_id: str
    question: str

    @property
    def field(self) -> str:
        """Its place in the agent's shared cache, where nobody can read the question."""
        digest = hashlib.sha256(f"{self.kind}\0{self.question}".encode()).hexdigest()
        return f"{self.kind}:{digest}"


class Caches:
    """Both levels. Who asks for the same at once waits for one answer."""

    def __init__(self, shared: SharedCache) -> None:
        self._shared = shared
        self._timeline: str | None = None
        self._entries: OrderedDict[Name, Cached] = OrderedDict()
        self._bytes = 0
        self._drops = 0
        self._unshared: dict[Name, tuple[Cached, int]] = {}
        self._sharing: asyncio.Task[None] | None = None
        self._flights: dict[tuple[Name, int], asyncio.Task[Cached]] = {}

    @property
    def entries(self) -> int:
        """Values in this process."""
        return len(self._entries)

    @property
    def bytes(self) -> int:
        """What they take."""
        return self._bytes

    def see_timeline(self, timeline: str) -> None:
        """Forgets all after a promotion: numbers of changes may be used anew."""
        if self._timeline not in (None, timeline):
            self._entries.clear()
            self._unshared.clear()
            self._bytes = 0
        self._timeline = timeline

    def held(self, name: Name, seq: int) -> Cached | None:
        """The value at the agent's change `seq` or later, if this process has it."""
        held = self._entries.get(name)
        if held is None or held.seq < seq:
            return None
        self._entries.move_to_end(name)
        metrics.CACHE.labels(name.kind, "process").inc()
        return held

    def keeping(self, name: Name) -> Callable[[Cached], None]:
        """Keeps here what its caller makes from now on, unless that is dropped then."""
        metrics.CACHE.labels(name.kind, "miss").inc()
        drops = self._drops

        def keep(made: Cached) -> None:
            if self._drops == drops and len(made.value) <= MAX_VALUE_BYTES:
                self._keep(name, made)

        return keep

    async def get(self, name: Name, seq: int, make: Make, *, ttl_s: int = 0) -> Cached:
        """The value at the agent's change `seq` or later; raises what `make` raises.

        Without `ttl_s` it is kept in this process alone.
        """
        if (held := self.held(name, seq)) is not None:
            return held
        flight = self._flights.get((name, seq))
        if flight is None:
            flight = asyncio.create_task(self._find(name, seq, make, ttl_s))
            self._flights[name, seq] = flight
            flight.add_done_callback(lambda _: self._flights.pop((name, seq)))
        # A caller who goes away leaves the search to the others.
        return await asyncio.shield(flight)

    async def drop(self, agent_id: str) -> None:
        """Removes what is held of an agent, here and in Valkey."""
        self._drops += 1
        for name in [name for name in self._entries if name.agent_id == agent_id]:
            self._remove(name)
        for name in [name for name in self._unshared if name.agent_id == agent_id]:
            del self._unshared[name]
        await self._shared.drop(self._key(agent_id))

    async def close(self) -> None:
        """Ends what is under way; what was not shared yet is found anew elsewhere."""
        tasks = [*self._flights.values(), *([self._sharing] if self._sharing else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _find(self, name: Name, seq: int, make: Make, ttl_s: int) -> Cached:
        key = self._key(name.agent_id)
        if ttl_s:
            shared = _unpack(await self._shared.get_field(key, name.field))
            if shared is not None and shared.seq >= seq:
                metrics.CACHE.labels(name.kind, "shared").inc()
                self._keep(name, shared)
                return shared
        metrics.CACHE.labels(name.kind, "miss").inc()
        drops = self._drops
        made = await make()
        if not made.lasts or made.seq < seq or self._drops > drops:
            return made
        if len(made.value) <= MAX_VALUE_BYTES:
            self._keep(name, made)
            if ttl_s:
                self._share(name, made, ttl_s)
        return made

    def _share(self, name: Name, made: Cached, ttl_s: int) -> None:
        """Puts it into Valkey soon; nobody waits for that."""
        if len(self._unshared) < MAX_SHARING:
            self._unshared[name] = made, ttl_s
        if self._sharing is None or self._sharing.done():
            self._sharing = asyncio.create_task(self._share_all())

    async def _share_all(self) -> None:
        while self._unshared:
            await asyncio.sleep(SHARE_EVERY_S)
            for agent_id in {name.agent_id for name in self._unshared}:
                await self._share_of(agent_id)

    async def _share_of(self, agent_id: str) -> None:
        key, drops = self._key(agent_id), self._drops
        together: dict[int, dict[str, bytes]] = defaultdict(dict)
        for name in [name for name in self._unshared if name.agent_id == agent_id]:
            made, ttl_s = self._unshared.pop(name)
            together[ttl_s][name.field] = _pack(made)
        for ttl_s, values in together.items():
            await self._shared.put_fields(key, values, ttl_s, MAX_SHARED_ENTRIES)
        if together and self._drops != drops:
            # What was on its way may have come after that.
            await self._shared.drop(key)

    def _key(self, agent_id: str) -> str:
        return f"claude-agi:memory:{self._timeline}:{agent_id}"

    def _keep(self, name: Name, cached: Cached) -> None:
        self._remove(name)
        self._entries[name] = cached
        self._bytes += _size(name, cached)
        while self._bytes > MAX_PROCESS_BYTES:
            self._remove(next(iter(self._entries)))
        metrics.CACHE_BYTES.set(self._bytes)

    def _remove(self, name: Name) -> None:
        cached = self._entries.pop(name, None)
        if cached is not None:
            self._bytes -= _size(name, cached)


def _size(name: Name, cached: Cached) -> int:
    return ENTRY_BYTES + len(name.question) + len(cached.value)


def _pack(cached: Cached) -> bytes:
    stamped = cached.seq.to_bytes(_SEQ_BYTES) + cached.value
    return _digest(stamped) + stamped


def _unpack(packed: bytes | None) -> Cached | None:
    digest, stamped = (packed or b"")[:_DIGEST_BYTES], (packed or b"")[_DIGEST_BYTES:]
    if len(stamped) < _SEQ_BYTES or digest != _digest(stamped):
        return None
    return Cached(int.from_bytes(stamped[:_SEQ_BYTES]), stamped[_SEQ_BYTES:])


def _digest(stamped: bytes) -> bytes:
    return hashlib.blake2b(stamped, digest_size=_DIGEST_BYTES).digest()
