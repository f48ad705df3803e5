"""The whole stack: what starts when, what watches it, and how it stops."""

import asyncio
from collections.abc import Sequence

from devstack.backing import (
    Cache,
    Database,
    ForeignCache,
    ForeignDatabase,
    OwnCache,
    OwnDatabase,
)
from devstack.credentials import Credentials
from devstack.front.server import Front
from devstack.lock import Lock
from devstack.notices import Notices
from devstack.ports import check_ports
from devstack.screen import Screen
from devstack.services import (
    Service,
    ServiceServer,
    find_service_key,
    make_environment,
)
from devstack.settings import Settings
from devstack.store import Store, make_data_folder
from devstack.supervisor import Supervisor
from devstack.thoughts import Feed

# For what is under way: a model's answer in the one, a query in the others. With the
# servers' own times everything is gone within five seconds.
GENERATOR_STOP_S = 1.5
SERVICE_STOP_S = 0.8


class Stack:
    """`run` starts everything and keeps it running; `stop` stops what was started."""

    def __init__(
        self,
        settings: Settings,
        screen: Screen,
        services: Sequence[Service],
    ) -> None:
        self._settings = settings
        self._screen = screen
        self._services = services
        self._logs = settings.data_dir / "logs"
        self._lock: Lock | None = None
        self._front: Front | None = None
        self._database: Database | None = None
        self._cache: Cache | None = None
        self._servers: list[ServiceServer] = []

    async def run(self) -> None:
        """Runs until it is cancelled; raises StackError where it cannot start."""
        await self._open()
        credentials = Credentials.load(self._settings.data_dir)
        database, cache = self._choose_backing(credentials)
        async with asyncio.TaskGroup() as group:
            group.create_task(cache.open())
            opening = group.create_task(database.open())
        notices = Notices(self._screen)
        self._servers = [
            ServiceServer(
                service,
                make_environment(
                    service, self._settings, credentials, opening.result(), cache.url
                ),
                self._logs,
                notices.hear,
            )
            for service in self._services
        ]
        supervisor = Supervisor(self._screen)
        async with asyncio.TaskGroup() as group:
            for watching in (
                *database.watching(supervisor),
                *cache.watching(supervisor),
            ):
                group.create_task(watching)
            async with asyncio.TaskGroup() as starting:
                for server in self._servers:
                    starting.create_task(self._start_service(server))
            self._screen.say(f"\nClaude-AGI thinks at {self._settings.address}\n")
            for server in self._servers:
                group.create_task(supervisor.watch(server))
            feed = self._feed(credentials)
            await feed.say_if_paused()
            await feed.follow()

    async def stop(self) -> None:
        """Stops in the reverse order of the start, within five seconds."""
        if self._front is not None:
            await self._front.stop()
        if self._servers:
            *others, generator = self._servers
            await generator.stop(GENERATOR_STOP_S)
            await asyncio.gather(*(other.stop(SERVICE_STOP_S) for other in others))
        if self._cache is not None:
            await self._cache.stop()
        if self._database is not None:
            await self._database.stop()
        if self._lock is not None:
            self._lock.release()

    async def _open(self) -> None:
        """Takes what nobody else may have: the folder and the ports."""
        settings = self._settings
        make_data_folder(settings.data_dir)
        self._lock = Lock(settings.data_dir, settings.address)
        self._logs.mkdir(0o700, exist_ok=True)
        check_ports(settings.port)
        routes = {
            prefix: settings.port + service.port_offset
            for service in self._services
            for prefix in service.prefixes
        }
        self._front = Front(settings.port, routes)
        await self._front.start()

    def _choose_backing(self, credentials: Credentials) -> tuple[Database, Cache]:
        settings, screen = self._settings, self._screen
        if settings.database_url is None or settings.redis_url is None:
            store = Store.prepare(settings.data_dir)
            for notice in store.notices:
                screen.step(notice)
        database: Database
        if settings.database_url is None:
            database = OwnDatabase(store, credentials, screen)
        else:
            database = ForeignDatabase(
                settings.database_url, settings, credentials, screen
            )
        cache: Cache
        if settings.redis_url is None:
            cache = OwnCache(store, screen)
        else:
            cache = ForeignCache(settings.redis_url, screen)
        self._database, self._cache = database, cache
        return database, cache

    async def _start_service(self, server: ServiceServer) -> None:
        if count := await server.migrate():
            self._screen.step(f"{server.title}: {count} migrations applied")
        await server.start()
        self._screen.step(f"{server.title} is ready")

    def _feed(self, credentials: Credentials) -> Feed:
        key = find_service_key(self._settings, credentials)
        return Feed(self._settings.port, key, self._screen)
