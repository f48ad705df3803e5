"""Fixtures: minds of the whole run, and what lies beside the checkout."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.support.mind import Mind, running_mind

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def talks() -> list[dict[str, Any]]:
    """Long conversations with questions about them, in LoCoMo's form: LoCoMo's own
    where they lie beside the checkout (or in SHARED_DIR), else a few of ours."""
    folder = Path(os.environ.get("SHARED_DIR") or ROOT.parent / "shared")
    file = folder / "data" / "locomo-dev.json"
    if not file.is_file():
        file = ROOT / "tests" / "data" / "conversations.json"
    found: list[dict[str, Any]] = json.loads(file.read_text())
    return found


@pytest_asyncio.fixture(scope="session")
async def quiet_mind() -> AsyncIterator[Mind]:
    """A mind that thinks on request only."""
    async with running_mind(STREAMS_ENABLED="false") as mind:
        yield mind


@pytest_asyncio.fixture(scope="session")
async def api(quiet_mind: Mind) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the quiet mind's one address."""
    async with quiet_mind.client() as client:
        yield client


@pytest_asyncio.fixture(scope="session")
async def thinking() -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a mind whose streams think."""
    async with running_mind() as mind, mind.client() as client:
        yield client
