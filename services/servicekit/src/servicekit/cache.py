"""Valkey, which may vanish at any moment: every call has an answer without it."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import redis.asyncio as redis
import structlog
from pydantic import SecretStr
from redis.exceptions import RedisError, ResponseError

from servicekit.metrics import CACHE_FAILURES

__all__ = ["Cache", "CacheAway"]

# A cache that takes longer than this is slower than doing without it.
CALL_TIMEOUT_S = 0.25
MAX_CONNECTIONS = 16
# After a failure the cache is left alone, so that its absence costs nothing.
PAUSE_S = 0.5

log = structlog.get_logger()


class CacheAway(Exception):
    """Valkey is out; carry on without it."""


def _open(url: str) -> redis.Redis:
    # More calls at once than connections wait for one, as long as for an answer.
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=CALL_TIMEOUT_S,
        # Calls are timed here: the client's own timeout of sending swallows a
        # cancellation that comes as it ends (`asyncio.wait_for` before Python 3.12).
        socket_timeout=None,
        socket_connect_timeout=CALL_TIMEOUT_S,
    )
    return redis.Redis.from_pool(pool)


class Cache:
    """A pooled connection that fails fast and comes back by itself."""

    def __init__(self, url: SecretStr | None) -> None:
        self._client = _open(url.get_secret_value()) if url is not None else None
        self._away_until_s = 0.0

    async def close(self) -> None:
        """Closes the pool."""
        if self._client is not None:
            await self._client.aclose()

    async def get(self, key: str) -> bytes | None:
        """The value, or None when there is none or no cache."""
        try:
            async with self.client() as client:
                value = await client.get(key)
        except CacheAway:
            return None
        return value if isinstance(value, bytes) else None

    async def put(self, key: str, value: bytes, ttl_s: int) -> None:
        """Keeps a value for a while, if there is a cache."""
        try:
            async with self.client() as client:
                await client.set(key, value, ex=ttl_s)
        except CacheAway:
            return

    async def get_field(self, key: str, field: str) -> bytes | None:
        """The value of a hash's field, or None when there is none or no cache."""
        try:
            async with self.client() as client:
                value = await client.hget(key, field)
        except CacheAway:
            return None
        return value if isinstance(value, bytes) else None

    async def put_fields(
        self, key: str, values: Mapping[str, bytes], ttl_s: int, max_fields: int
    ) -> None:
        """Keeps fields; the hash lives `ttl_s` longer, and begins anew when full."""
        try:
            async with self.client() as client:
                async with client.pipeline(transaction=False) as calls:
                    calls.hset(
                        key, items=[part for pair in values.items() for part in pair]
                    )
                    calls.hlen(key)
                    calls.expire(key, ttl_s)
                    stored, fields, _ = await calls.execute(raise_on_error=False)
                # Something else than a hash, or no room: it makes way for the next.
                if isinstance(stored, ResponseError) or fields > max_fields:
                    await client.unlink(key)
        except CacheAway:
            return

    async def drop(self, key: str) -> None:
        """Removes a key, if there is a cache."""
        try:
            async with self.client() as client:
                await client.unlink(key)
        except CacheAway:
            return

    @asynccontextmanager
    async def client(self) -> AsyncIterator[redis.Redis]:
        """The client; raises CacheAway when Valkey does not answer."""
        if self._client is None or time.monotonic() < self._away_until_s:
            raise CacheAway
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                yield self._client
        except ResponseError as error:
            # It answered: this call was wrong, the next may be right.
            log.warning("cache refused a call", error=repr(error))
            raise CacheAway from error
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until_s = time.monotonic() + PAUSE_S
            CACHE_FAILURES.inc()
            log.warning("cache is out, carrying on without it", error=repr(error))
            raise CacheAway from error
