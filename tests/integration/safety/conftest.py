"""A database of safety-validator, for every process that the tests start."""

from collections.abc import AsyncIterator

import httpx2
import pytest_asyncio
from tests.support.servers import own_primary
from tests.support.validator import Service, migrated

from devstack.postgres import Primary


@pytest_asyncio.fixture(scope="session")
async def primary() -> AsyncIterator[Primary]:
    """A PostgreSQL; a module that ends its server has another."""
    async with own_primary() as server:
        yield server


@pytest_asyncio.fixture(scope="session")
async def dsn(primary: Primary) -> str:
    """The service's way to it, with its tables."""
    return await migrated(primary)


@pytest_asyncio.fixture(scope="module")
async def api(service: Service) -> AsyncIterator[httpx2.AsyncClient]:
    """A caller of the module's own service."""
    async with service.client() as client:
        yield client
