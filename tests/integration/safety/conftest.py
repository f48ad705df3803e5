"""A database of safety-validator, for every process that the tests start."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from tests.support.validator import Service

from devstack.database import bootstrap
from devstack.postgres import Postgres, Primary


@pytest_asyncio.fixture(scope="session")
async def primary() -> AsyncIterator[Primary]:
    """A PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="safety-", dir="/tmp"))
    folder.chmod(0o711)
    async with Postgres.primary(folder) as server:
        yield server
    shutil.rmtree(folder)


@pytest_asyncio.fixture(scope="session")
async def dsn(primary: Primary) -> str:
    """The service's way to it, with its tables."""
    own = (await bootstrap(primary))["safety"]
    migration = await Service(own).start("migrate")
    _, errors = await migration.communicate()
    assert migration.returncode == 0, errors
    return own
