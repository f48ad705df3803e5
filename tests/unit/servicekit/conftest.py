"""A small service, called in this process."""

from collections.abc import AsyncIterator

import httpx2
import pytest_asyncio
from tests.unit.servicekit.small_app import client_of, make_app


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(make_app()) as made:
        yield made
