"""The pooled HTTP client beneath the typed ones."""

import asyncio
import random
from typing import TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from contracts.call import outgoing_headers, remaining_s
from contracts.problem import URN_PREFIX, Problem, ServiceError

__all__ = ["HttpClient"]

# Connections to one service; more callers wait for one of them.
MAX_CONNECTIONS = 64
# uvicorn closes an idle connection after 75 s here; the client gives up on it sooner.
KEEPALIVE_S = 50.0
CONNECT_TIMEOUT_S = 1.0
# A service that restarts is back within seconds; the pause grows from the first.
RETRY_PAUSES_S = (0.02, 0.08, 0.25)
# The statuses after which the same idempotent call is worth repeating.
RETRIED_STATUSES = frozenset({502, 503})

Model = TypeVar("Model", bound=BaseModel)


class HttpClient:
    """Calls one service: pooled, with a deadline, retried where that is safe."""

    def __init__(self, service: str, base_url: str, service_key: str | None) -> None:
        self._service = service
        self._base_url = base_url.rstrip("/")
        self._headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
        }
        if service_key:
            self._headers["Authorization"] = f"Bearer {service_key}"
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Closes the pool."""
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: BaseModel | None,
        answer: type[Model],
        *,
        timeout_s: float,
        idempotent: bool,
    ) -> Model:
        """Sends `body`, returns the parsed answer.

        Raises:
            ServiceError: with the service's problem, or a 503 of our own when it
                could not be reached and a 504 when the deadline passed.
        """
        data = None if body is None else body.model_dump_json(exclude_none=True)
        budget_s = remaining_s(timeout_s)
        try:
            if budget_s <= 0:
                raise TimeoutError
            async with asyncio.timeout(budget_s):
                raw = await self._call_with_retries(
                    method, path, data, budget_s, idempotent
                )
        except TimeoutError:
            raise self._error(504, "deadline-exceeded", "no answer in time") from None
        try:
            return answer.model_validate_json(raw)
        except ValidationError as error:
            detail = f"unexpected answer: {error.error_count()} errors"
            raise self._error(502, "bad-answer", detail) from error

    async def _call_with_retries(
        self,
        method: str,
        path: str,
        data: str | None,
        budget_s: float,
        idempotent: bool,
    ) -> bytes:
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + budget_s
        for pause_s in RETRY_PAUSES_S:
            try:
                return await self._send(method, path, data, ends_s - loop.time())
            except ServiceError as error:
                refused = error.problem.kind == "connection-refused"
                retried = error.problem.status in RETRIED_STATUSES
                if not (refused or (idempotent and retried)):
                    raise
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))
        return await self._send(method, path, data, ends_s - loop.time())

    async def _send(
        self, method: str, path: str, data: str | None, timeout_s: float
    ) -> bytes:
        session = self._session or self._open()
        try:
            async with session.request(
                method,
                self._base_url + path,
                data=data,
                headers=outgoing_headers(timeout_s),
            ) as response:
                raw = await response.read()
                if response.status >= 400:
                    raise self._problem(response, raw)
                return raw
        except aiohttp.ClientConnectorError as error:
            raise self._error(503, "connection-refused", str(error)) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise self._error(503, "unreachable", repr(error)) from error

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=MAX_CONNECTIONS, keepalive_timeout=KEEPALIVE_S
            ),
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        return self._session

    def _problem(self, response: aiohttp.ClientResponse, raw: bytes) -> ServiceError:
        try:
            problem = Problem.model_validate_json(raw)
            problem.status = response.status
        except ValidationError:
            problem = Problem(title=response.reason or "", status=response.status)
        retry_after = response.headers.get("Retry-After", "")
        seconds = float(retry_after) if retry_after.isdecimal() else None
        return ServiceError(self._service, problem, seconds)

    def _error(self, status: int, kind: str, detail: str) -> ServiceError:
        problem = Problem(
            type=URN_PREFIX + kind,
            title=f"{self._service}: {kind}",
            status=status,
            detail=detail,
        )
        return ServiceError(self._service, problem, None)
