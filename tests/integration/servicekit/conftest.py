"""A primary with a replica for the whole run, and a database for each module."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from tests.integration.servicekit.pod.app import PACKAGE
from tests.integration.servicekit.servers import Cluster, dsn_of
from tests.support.servers import server_folder

from devstack.postgres import Postgres
from servicekit import database as database_module
from servicekit.database import Database


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Tracebacks are not drawn on the screen, which would take seconds."""
    with capture_logs():
        yield


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    with server_folder() as made:
        yield made


@pytest_asyncio.fixture(scope="session")
async def cluster(folder: Path) -> AsyncIterator[Cluster]:
    async with (
        Postgres.primary(folder) as primary,
        Postgres.replica(folder, of=primary) as replica,
    ):
        yield Cluster(primary, replica)


@pytest_asyncio.fixture(scope="module")
async def name(cluster: Cluster) -> str:
    """A database of this module."""
    return await cluster.create_database()


@pytest_asyncio.fixture
async def database(cluster: Cluster, name: str) -> AsyncIterator[Database]:
    """A Database over the primary alone, connected."""
    opened = Database("test", PACKAGE, dsn_of(cluster.primary, name), None)
    await opened.open()
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def pair(
    cluster: Cluster, name: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """A Database over both, connected; what fails is tried again soon."""
    monkeypatch.setattr(database_module, "REPLICA_PAUSE_S", 0.1)
    await cluster.caught_up("postgres")
    opened = Database(
        "test", PACKAGE, dsn_of(cluster.primary, name), dsn_of(cluster.replica, name)
    )
    await opened.open()
    yield opened
    await opened.close()
