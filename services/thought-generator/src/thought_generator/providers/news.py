"""News of other replicas' thoughts, by Valkey's publish and subscribe."""

import asyncio

from redis.asyncio.client import PubSub

from servicekit.cache import Cache, CacheAway
from thought_generator.models import Event

# Where nobody listens or Valkey is out, there is nothing to wait for.
IDLE_S = 0.25


def channel(agent_id: str) -> str:
    """Where news of an agent's thoughts is published."""
    return f"claude-agi:feed:{agent_id}"


def encode_event(event: Event) -> bytes:
    """An event as it travels between replicas."""
    return b"%d %s %s" % (event.position, event.stream.encode(), event.thought)


def decode_event(message: bytes) -> Event | None:
    """The event, or None when it is not one of ours."""
    position, _, rest = message.partition(b" ")
    stream, _, thought = rest.partition(b" ")
    if not (position.isdigit() and stream and thought.startswith(b"{")):
        return None
    return Event(int(position), stream.decode(errors="replace"), thought)


class ValkeyNews:
    """Tells other replicas, and hears them: one subscription for all agents."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._subscription: PubSub | None = None
        self._channels: set[str] = set()

    async def publish(self, agent_id: str, event: Event) -> None:
        """Tells whoever listens there, if Valkey is."""
        await self._cache.publish(channel(agent_id), encode_event(event))

    async def next(
        self, agents: list[str], at_most_s: float
    ) -> list[tuple[str, Event]]:
        """Events that came within that time; none when Valkey is out."""
        if not agents:
            await self._reset()
            await asyncio.sleep(IDLE_S)
            return []
        try:
            async with self._cache.client() as client:
                if self._subscription is None:
                    self._subscription = client.pubsub()
                await self._subscribe(self._subscription, agents)
                return await self._read(self._subscription, at_most_s)
        except CacheAway:
            await self._reset()
            await asyncio.sleep(IDLE_S)
            return []

    async def close(self) -> None:
        """Ends the subscription."""
        await self._reset()

    async def _subscribe(self, subscription: PubSub, agents: list[str]) -> None:
        wanted = {channel(agent_id) for agent_id in agents}
        if new := wanted - self._channels:
            await subscription.subscribe(*new)
        if old := self._channels - wanted:
            await subscription.unsubscribe(*old)
        self._channels = wanted

    async def _read(
        self, subscription: PubSub, at_most_s: float
    ) -> list[tuple[str, Event]]:
        message = await subscription.get_message(
            ignore_subscribe_messages=True, timeout=at_most_s
        )
        if message is None:
            return []
        event = decode_event(message["data"])
        agent_id = message["channel"].decode().removeprefix(channel(""))
        return [(agent_id, event)] if event else []

    async def _reset(self) -> None:
        subscription, self._subscription = self._subscription, None
        self._channels = set()
        if subscription is not None:
            await subscription.aclose()  # type: ignore[no-untyped-call]
