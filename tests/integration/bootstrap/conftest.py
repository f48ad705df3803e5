"""A pod's surroundings: the Kubernetes API, and waiting that does not take long."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from tests.support.kubernetes import HOST, FakeKubernetes, fake_kubernetes
from tests.support.mind import Mind, running_mind
from tests.support.servers import own_primary

from bootstrap import kubernetes as kubernetes_module
from devstack.postgres import Primary
from servicekit import jobs


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again at once."""
    monkeypatch.setattr(jobs, "POLL_S", 0.01)


@pytest_asyncio.fixture
async def kubernetes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FakeKubernetes]:
    """An API server, and a pod's account with it."""
    monkeypatch.setattr(kubernetes_module, "ACCOUNT", tmp_path)
    async with fake_kubernetes(tmp_path) as fake:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", HOST)
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(fake.port))
        yield fake


@pytest_asyncio.fixture(scope="module")
async def primary() -> AsyncIterator[Primary]:
    """A server without any of our roles."""
    async with own_primary() as started:
        yield started


ADMIN_KEY, READ_KEY = "key-of-an-admin", "key-of-a-reader"
KEYS = [
    {"key": ADMIN_KEY, "scopes": ["read", "write", "admin"], "agents": ["*"]},
    {"key": READ_KEY, "scopes": ["read"], "agents": ["*"]},
]


@pytest_asyncio.fixture(scope="session")
async def mind() -> AsyncIterator[Mind]:
    """A mind that thinks, with the keys that a release has."""
    async with running_mind(API_KEYS=json.dumps(KEYS)) as started:
        yield started


@pytest_asyncio.fixture(scope="session")
async def person(mind: Mind) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody who has the admin's key."""
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    async with mind.client(headers=headers) as client:
        yield client
