"""One PostgreSQL with a replica for all of these tests; each has agents of its own."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from tests.integration.test_memory.replicas import (
    Caller,
    Replica,
    SafetyServer,
    migrate,
    replica,
)
from tests.support.servers import server_folder

from devstack.database import DATABASE, bootstrap, dsn_on
from devstack.postgres import Postgres, Primary


@pytest_asyncio.fixture(scope="session")
async def memory_folder() -> AsyncIterator[Path]:
    with server_folder() as folder:
        yield folder


@pytest_asyncio.fixture(scope="session")
async def memory_primary(memory_folder: Path) -> AsyncIterator[Primary]:
    async with Postgres.primary(memory_folder) as server:
        yield server


@pytest_asyncio.fixture(scope="session")
async def memory_dsn(memory_primary: Primary) -> str:
    dsn = (await bootstrap(memory_primary))["memory"]
    await migrate(dsn)
    return dsn


@pytest_asyncio.fixture(scope="session")
async def memory_standby(
    memory_folder: Path, memory_primary: Primary, memory_dsn: str
) -> AsyncIterator[Postgres]:
    async with Postgres.replica(memory_folder, of=memory_primary) as server:
        yield server


@pytest_asyncio.fixture(scope="session")
async def standby_dsn(memory_standby: Postgres) -> str:
    return dsn_on(memory_standby, "memory")


@pytest_asyncio.fixture(scope="session")
async def service(memory_dsn: str) -> AsyncIterator[Replica]:
    """A service over the primary alone."""
    async with replica(memory_dsn) as running:
        yield running


@pytest_asyncio.fixture(scope="session")
async def other_service(memory_dsn: str, standby_dsn: str) -> AsyncIterator[Replica]:
    """Another one beside it, that reads from the standby."""
    async with replica(memory_dsn, database_replica_url=standby_dsn) as running:
        yield running


@pytest_asyncio.fixture(scope="session")
async def safety_server() -> AsyncIterator[SafetyServer]:
    server = SafetyServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def agent() -> str:
    """An agent that no other test knows."""
    return f"agent-{uuid4().hex}"


@pytest.fixture
def ada(service: Replica, agent: str) -> Caller:
    """Whoever speaks for that agent."""
    return service.caller(agent)


@pytest_asyncio.fixture
async def database(memory_primary: Primary) -> AsyncIterator[asyncpg.Connection]:
    """The superuser's view of the tables."""
    connection = await memory_primary.connect(DATABASE)
    await connection.execute("SET search_path = memory")
    yield connection
    await connection.close()
