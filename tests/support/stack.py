"""Fixtures: minds of the whole run, and what lies beside the checkout."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from tests.support.mind import Mind, running_mind

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of evaluation data beside the checkout, or named by SHARED_DIR."""
    folder = Path(os.environ.get("SHARED_DIR") or ROOT.parent / "shared")
    if not (folder / "data").is_dir():
        pytest.skip("needs evaluation data: set SHARED_DIR")
    return folder


@pytest_asyncio.fixture(scope="session")
async def quiet_mind(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Mind]:
    """A mind that thinks on request only."""
    folder = tmp_path_factory.mktemp("quiet-mind")
    async with running_mind(folder, STREAMS_ENABLED="false") as mind:
        yield mind


@pytest_asyncio.fixture(scope="session")
async def api(quiet_mind: Mind) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the quiet mind's one address."""
    async with quiet_mind.client() as client:
        yield client


@pytest_asyncio.fixture(scope="session")
async def thinking(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a mind whose streams think."""
    folder = tmp_path_factory.mktemp("thinking-mind")
    async with running_mind(folder) as mind, mind.client() as client:
        yield client
