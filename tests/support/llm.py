"""Third parties' mock servers of the Messages API, as processes."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import pytest

from tests.support.mind import free_ports
from tests.support.waiting import until

# Put there by `make mocks`.
AIMOCK = (
    Path(__file__).parents[2]
    / ".tools/aimock/node_modules/@copilotkit/aimock/dist/cli.js"
)


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
        # Its address has no TLS: certificates are not read each time.
        async with httpx2.AsyncClient(verify=False) as client:
            answer = await client.request(
                method, f"{self.address}/_llmock/{name}", json=body
            )
            answer.raise_for_status()
            return answer


@dataclass
class AiMock:
    """`aimock`, told what to answer or how to fail."""

    base_url: str

    async def will(self, response: dict[str, Any], **how: Any) -> None:
        """Answers every call so: `how` are the further members of its fixture."""
        await self._call("POST", "reset")
        fixture = {"match": {"endpoint": "chat"}, "response": response, **how}
        await self._call("POST", "fixtures", {"fixtures": [fixture]})

    async def fails_once(self, status: int, message: str) -> None:
        """The next call meets this error."""
        body = {"status": status, "body": {"message": message}}
        await self._call("POST", "error", body)

    async def calls(self) -> int:
        """How often it was asked."""
        journal = (await self._call("GET", "journal")).json()
        return sum(each["path"] == "/v1/messages" for each in journal)

    async def _call(
        self, method: str, name: str, body: dict[str, Any] | None = None
    ) -> httpx2.Response:
        # Its address has no TLS: certificates are not read each time.
        async with httpx2.AsyncClient(verify=False) as client:
            answer = await client.request(
                method, f"{self.base_url}/__aimock/{name}", json=body
            )
            answer.raise_for_status()
            return answer


@asynccontextmanager
async def mock_model() -> AsyncIterator[MockModel]:
    """`llmock`, a server of its own, ended with the block."""
    port = free_ports()
    program = Path(sys.executable).parent / "llmock"
    model = MockModel(f"http://127.0.0.1:{port}")
    command = [str(program), "serve", "--host", "127.0.0.1", "--port", str(port)]
    async with _running(command, model.reset):
        yield model


@asynccontextmanager
async def aimock() -> AsyncIterator[AiMock]:
    """`aimock`, a server of its own, ended with the block; skips without Node."""
    node = shutil.which("node")
    if node is None or not AIMOCK.exists():
        pytest.skip(
            "no aimock here: `make mocks` installs it where npm and Node 20 are"
        )
    port = free_ports()
    model = AiMock(f"http://127.0.0.1:{port}")
    with TemporaryDirectory(prefix="aimock-") as none:
        command = [node, str(AIMOCK), "-p", str(port), "-f", none]
        async with _running(command, model.calls):
            yield model


@asynccontextmanager
async def _running(
    command: Sequence[str], ask: Callable[[], Awaitable[object]]
) -> AsyncIterator[None]:
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    async def answers() -> bool:
        with suppress(httpx2.HTTPError):
            await ask()
            return True
        return False

    try:
        await until(answers, within_s=20)
        yield
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)
