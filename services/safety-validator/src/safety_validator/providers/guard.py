"""The server of an external guard, over HTTP."""

import asyncio
from typing import Any

import aiohttp
import orjson
import structlog

from safety_validator.errors import GuardAbsent
from safety_validator.providers.breaker import Breaker

__all__ = ["GuardServer"]

# Questions under way; a server batches about so many, the rest wait here.
MAX_AT_ONCE = 32
CONNECT_TIMEOUT_S = 1.0
# Many servers close a connection that was idle for 5 s.
KEEPALIVE_S = 4.0
# An answer is a word or two among its envelope.
MAX_ANSWER_BYTES = 65_536
# They speak of this text, not of the server: an attacker's text must not cut the
# guard off from all others.
OF_THE_TEXT = frozenset({400, 413, 422})

log = structlog.get_logger()


class GuardServer:
    """Asks, for as long as the server is worth asking."""

    def __init__(self, url: str, api_key: str | None) -> None:
        self._url = url.rstrip("/").removesuffix("/v1")
        self._headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
        }
        if api_key is not None:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._session: aiohttp.ClientSession | None = None
        self._free = asyncio.Semaphore(MAX_AT_ONCE)
        self._breaker = Breaker()

    async def close(self) -> None:
        """Lets go of connections."""
        if self._session is not None:
            await self._session.close()

    async def ask(self, path: str, body: dict[str, Any], deadline_s: float) -> Any:
        """The JSON of its answer.

        Raises:
            GuardAbsent: there is none by `deadline_s` of the event loop's clock.
        """
        try:
            async with asyncio.timeout_at(deadline_s):
                await self._free.acquire()
        except TimeoutError as error:
            raise GuardAbsent("busy") from error
        try:
            return await self._ask(path, orjson.dumps(body), deadline_s)
        finally:
            self._free.release()

    async def _ask(self, path: str, body: bytes, deadline_s: float) -> Any:
        if not self._breaker.lets_pass():
            raise GuardAbsent("resting")
        try:
            async with asyncio.timeout_at(deadline_s):
                status, raw = await self._send(path, body)
            answer = _parsed(status, raw)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self._breaker.failed()
            log.warning("the guard failed", error=repr(error))
            raise GuardAbsent(_reason(error)) from error
        except asyncio.CancelledError:
            self._breaker.left()
            raise
        self._breaker.answered()
        if status in OF_THE_TEXT:
            log.warning("the guard refused a text", status=status)
            raise GuardAbsent("refused")
        return answer

    async def _send(self, path: str, body: bytes) -> tuple[int, bytes]:
        session = self._session or self._open()
        async with session.post(
            self._url + path, data=body, allow_redirects=False
        ) as response:
            raw = bytearray()
            async for part in response.content.iter_any():
                raw += part
                if len(raw) > MAX_ANSWER_BYTES:
                    raise ValueError("the answer is longer than any verdict")
            return response.status, bytes(raw)

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=MAX_AT_ONCE, keepalive_timeout=KEEPALIVE_S
            ),
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        return self._session


class _Refused(OSError):
    """The server answered with a status that says nothing of the text."""


def _parsed(status: int, raw: bytes) -> Any:
    if status in OF_THE_TEXT:
        return None
    if status != 200:
        raise _Refused(f"status {status}")
    return orjson.loads(raw)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, _Refused):
        return "refused"
    return "unusable" if isinstance(error, ValueError) else "unreachable"
