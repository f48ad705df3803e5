"""A small service, called in this process."""

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from tests.unit.servicekit.small_app import client_of, make_app


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Tracebacks are not drawn on the screen, which would take seconds."""
    with capture_logs():
        yield


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(make_app()) as made:
        yield made
