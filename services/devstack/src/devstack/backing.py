"""What the services stand on: our own PostgreSQL and Valkey, or somebody else's."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from bootstrap.database import ROLES
from devstack.credentials import Credentials
from devstack.database import (
    bootstrap,
    bootstrap_foreign,
    connect_foreign,
    dsn_on,
    dsns_foreign,
)
from devstack.errors import StackError
from devstack.postgres import REPLICA_PORT, Primary, Replica
from devstack.replication import ReplicationWatch
from devstack.screen import Screen
from devstack.services import Dsns
from devstack.settings import Settings
from devstack.store import Store
from devstack.supervisor import Supervisor
from devstack.valkey import Valkey

# With the services' time all stays below the five seconds in which the stack is gone.
REPLICA_STOP_S = 0.5
PRIMARY_STOP_S = 1.0
PING_TIMEOUT_S = 5.0


class Database(Protocol):
    """PostgreSQL, whoever runs it."""

    async def open(self) -> Dsns:
        """Returns when the primary answers and the roles are there."""

    def watching(self, supervisor: Supervisor) -> list[Coroutine[Any, Any, None]]:
        """What keeps it running."""

    async def stop(self) -> None:
        """Stops what was started."""


class Cache(Protocol):
    """Redis or Valkey, whoever runs it."""

    url: str

    async def open(self) -> None:
        """Returns when it answers."""

    def watching(self, supervisor: Supervisor) -> list[Coroutine[Any, Any, None]]:
        """What keeps it running."""

    async def stop(self) -> None:
        """Stops what was started."""


class OwnDatabase:
    """A primary and a replica from the wheel."""

    def __init__(self, store: Store, credentials: Credentials, screen: Screen) -> None:
        self._screen = screen
        self._primary = Primary.of(store, credentials)
        self._replica = Replica("replica", REPLICA_PORT, store, self._primary)

    async def open(self) -> Dsns:
        await self._primary.start()
        primary = await bootstrap(self._primary)
        self._screen.step("PostgreSQL answers")
        replica = {role: dsn_on(self._replica, role) for role in ROLES}
        return Dsns(primary=primary, replica=replica, direct=primary)

    def watching(self, supervisor: Supervisor) -> list[Coroutine[Any, Any, None]]:
        following = ReplicationWatch(self._replica, self._primary, self._screen)
        return [
            supervisor.watch(self._primary),
            supervisor.watch(self._replica),
            following.watch(),
        ]

    async def stop(self) -> None:
        await self._replica.stop(REPLICA_STOP_S)
        await self._primary.stop(PRIMARY_STOP_S)


class ForeignDatabase:
    """A server that is named by DATABASE_URL."""

    def __init__(
        self, url: str, settings: Settings, credentials: Credentials, screen: Screen
    ) -> None:
        self._url = url
        self._settings = settings
        self._credentials = credentials
        self._screen = screen

    async def open(self) -> Dsns:
        primary = await bootstrap_foreign(self._url, self._credentials)
        for name, url in (
            ("DATABASE_REPLICA_URL", self._settings.database_replica_url),
            ("DATABASE_DIRECT_URL", self._settings.database_direct_url),
        ):
            if url is not None:
                (await connect_foreign(name, url)).terminate()
        self._screen.step("PostgreSQL at DATABASE_URL answers")
        return Dsns(
            primary=primary,
            replica=self._for_roles(self._settings.database_replica_url),
            direct=self._for_roles(self._settings.database_direct_url),
        )

    def watching(self, supervisor: Supervisor) -> list[Coroutine[Any, Any, None]]:
        return []

    async def stop(self) -> None:
        return None

    def _for_roles(self, url: str | None) -> dict[str, str] | None:
        return None if url is None else dsns_foreign(url, self._credentials)


class OwnCache:
    """Valkey from the wheel."""

    def __init__(self, store: Store, screen: Screen) -> None:
        self._valkey = Valkey(store)
        self._screen = screen
        self.url = self._valkey.url

    async def open(self) -> None:
        await self._valkey.start()
        self._screen.step("Valkey answers")

    def watching(self, supervisor: Supervisor) -> list[Coroutine[Any, Any, None]]:
        return [supervisor.watch(self._valkey)]

    async def stop(self) -> None:
        await self._valkey.stop()


class ForeignCache:
    """A server that is named by REDIS_URL."""

    def __init__(self, url: str, screen: Screen) -> None:
        self.url = url
        self._screen = screen

    async def open(self) -> None:
        # Loaded here alone: the embedded server is asked without a client.
        import redis.asyncio
        from redis.exceptions import RedisError

        try:
            async with (
                asyncio.timeout(PING_TIMEOUT_S),
                redis.asyncio.from_url(self.url) as client,
            ):
                await client.ping()
        except TimeoutError:
            raise StackError("REDIS_URL: no connection: no answer in time") from None
        except (RedisError, OSError) as error:
            raise StackError(f"REDIS_URL: no connection: {error}") from error
        except ValueError:
            raise StackError(
                "REDIS_URL: no connection: this is not a redis://, rediss:// or "
                "unix:// address"
            ) from None
        self._screen.step("the server at REDIS_URL answers")

    def watching(self, supervisor: Supervisor) -> list[Coroutine[Any, Any, None]]:
        return []

    async def stop(self) -> None:
        return None
