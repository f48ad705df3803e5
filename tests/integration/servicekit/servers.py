"""PostgreSQL and Valkey as the tests break them."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

import psutil
from pydantic import SecretStr

from devstack.postgres import Postgres, Primary, Replica
from devstack.valkey import Valkey

# How long anything may take to be well again.
RECOVERY_S = 20.0


@dataclass
class Cluster:
    """A primary and its replica."""

    primary: Primary
    replica: Replica
    _numbers: Iterator[int] = field(default_factory=count)

    async def create_database(self) -> str:
        """An empty database; returns its name."""
        name = f"database_{next(self._numbers)}"
        await self._execute("postgres", f"CREATE DATABASE {name}")
        return name

    async def create_schema(self, database: str) -> str:
        """An empty schema in that database; returns its name."""
        name = f"schema_{next(self._numbers)}"
        await self._execute(database, f"CREATE SCHEMA {name}")
        return name

    async def _execute(self, database: str, statement: str) -> None:
        connection = await self.primary.connect(database)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def caught_up(self, name: str) -> None:
        """Returns when the replica shows what the primary holds now."""
        primary = await self.primary.connect()
        position = await primary.fetchval("SELECT pg_current_wal_lsn()::text")
        await primary.close()

        async def replayed() -> bool:
            replica = await self.replica.connect(name)
            try:
                return bool(
                    await replica.fetchval(
                        "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", position
                    )
                )
            finally:
                await replica.close()

        await until(replayed)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits for it."""
    async with asyncio.timeout(RECOVERY_S):
        while not await condition():
            await asyncio.sleep(0.01)


async def kill(server: Postgres | Valkey) -> None:
    """Without any warning; returns when it is gone."""
    assert server.process is not None
    psutil.Process(server.pid).send_signal(signal.SIGKILL)
    await server.process.wait()


@contextlib.contextmanager
def stopped(server: Postgres | Valkey) -> Iterator[None]:
    """It stands still with all its processes: connections stay, nobody answers."""
    parent = psutil.Process(server.pid)
    # The postmaster first: it would take the others for dead.
    family = [parent]
    parent.suspend()
    family += parent.children(recursive=True)
    for process in family[1:]:
        process.suspend()
    try:
        yield
    finally:
        for process in reversed(family):
            process.resume()


def dsn_of(server: Postgres, name: str) -> SecretStr:
    """The DSN of a database on a server."""
    return SecretStr(server.dsn(name))


def in_schema(dsn: str, schema: str) -> str:
    """The same, where that schema is the current one."""
    return f"{dsn}&options=-csearch_path%3D{schema}"
