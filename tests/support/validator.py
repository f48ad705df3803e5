"""safety-validator as a process of its own."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2

from devstack.database import bootstrap
from devstack.postgres import Primary
from tests.support.process import ServiceProcess

PROGRAM = Path(sys.executable).parent / "safety-validator"
SERVICE_KEY = "service-key-of-the-test"
# A busy machine starts a process ten times more slowly than a quiet one.
DEADLINE_S = 90.0


class Service(ServiceProcess):
    """A running safety-validator."""

    def __init__(self, dsn: str, **settings: str) -> None:
        super().__init__(PROGRAM, dsn, settings)

    def client(self, key: str | None = SERVICE_KEY) -> httpx2.AsyncClient:
        """A caller with that key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            headers=headers,
            timeout=DEADLINE_S,
        )

    async def until(self, status: int) -> Mapping[str, Any]:
        """Waits until `/readyz` answers so; returns its checks."""
        async with asyncio.timeout(DEADLINE_S), self.client() as client:
            while True:
                assert self.process is not None
                assert self.process.returncode is None, "the process has ended"
                with suppress(httpx2.HTTPError):
                    answer = await client.get("/readyz")
                    if answer.status_code == status:
                        checks: Mapping[str, Any] = answer.json()["checks"]
                        return checks
                await asyncio.sleep(0.02)


@asynccontextmanager
async def serving(dsn: str, **settings: str) -> AsyncIterator[Service]:
    """One that is ready, ended with the block."""
    service = Service(dsn, **settings)
    await service.start()
    try:
        await service.until(200)
        yield service
    finally:
        await service.stop()


async def migrated(primary: Primary) -> str:
    """The service's way to a PostgreSQL, with its tables."""
    dsn = (await bootstrap(primary))["safety"]
    await Service(dsn).migrate()
    return dsn
