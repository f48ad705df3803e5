"""News of other replicas' thoughts, by Valkey's publish and subscribe."""

import asyncio

from redis.asyncio.client import PubSub

from servicekit.cache import Cache, CacheAway
from thought_generator.domain.feed import Event
from thought_generator.domain.mind import channel, decode_event

# Where nobody listens or Valkey is out, there is nothing to wait for.
IDLE_S = 0.25


class ValkeyNews:
    """One subscription for all agents with listeners here."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._subscription: PubSub | None = None
        self._channels: set[str] = set()

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
