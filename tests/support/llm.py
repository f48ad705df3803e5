"""A third party's mock server of the Messages API, as a process."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.support.mind import free_ports
from tests.support.waiting import until


@dataclass
class MockModel:
    """`llmock`, told to fail as a test wants."""

    address: str

    @property
    def base_url(self) -> str:
        """What ANTHROPIC_BASE_URL is set to."""
        return f"{self.address}/anthropic"

    async def will(self, **behaviour: Any) -> None:
        """The next call (or `times` calls, None for all) meets this behaviour."""
        await self._call("POST", "scenario", {"behaviors": [behaviour]})

    async def reset(self) -> None:
        """Answers normally again, and forgets what it was asked."""
        await self._call("POST", "reset")

    async def requests(self) -> list[dict[str, Any]]:
        """What it was asked since the reset."""
        found = (await self._call("GET", "requests")).json()
        listed: list[dict[str, Any]] = (
            found["requests"] if isinstance(found, dict) else found
        )
        return listed

    async def verdict(self) -> dict[str, Any]:
        """Its judgement of our client."""
        judged: dict[str, Any] = (await self._call("GET", "verdict")).json()
        return judged

    async def _call(
        self, method: str, name: str, body: dict[str, Any] | None = None
    ) -> httpx2.Response:
        async with httpx2.AsyncClient() as client:
            answer = await client.request(
                method, f"{self.address}/_llmock/{name}", json=body
            )
            answer.raise_for_status()
            return answer


@asynccontextmanager
async def mock_model() -> AsyncIterator[MockModel]:
    """A server of its own, ended with the block."""
    port = free_ports()
    program = Path(sys.executable).parent / "llmock"
    process = subprocess.Popen(
        [program, "serve", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    model = MockModel(f"http://127.0.0.1:{port}")

    async def answers() -> bool:
        with suppress(httpx2.HTTPError):
            await model.reset()
            return True
        return False

    try:
        await until(answers, within_s=20)
        yield model
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)
