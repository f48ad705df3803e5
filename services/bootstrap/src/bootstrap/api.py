"""The HTTP API of the services, called with one key."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from servicekit.jobs import NotYet

# A thought by a slow model, with room to spare.
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Answer:
    """What came back; `body` is parsed JSON, or None where it was none."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def reason(self) -> str:
        """Of a refusal: the status, and the problem's own words."""
        problem = self.body if isinstance(self.body, dict) else {}
        detail = problem.get("detail") or problem.get("title")
        return f"{self.status}: {detail}" if detail else str(self.status)


class Api:
    """Calls one address; NotYet where nobody answers there."""

    def __init__(self, base_url: str, key: str | None) -> None:
        self._base_url = base_url.rstrip("/")
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._session = aiohttp.ClientSession(
            headers=headers, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def call(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> Answer:
        """Any answer, whatever its status."""
        data = None if body is None else orjson.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if data is not None:
            named["Content-Type"] = "application/json"
        async with self._reaching():
            url = self._base_url + path
            async with self._session.request(
                method, url, data=data, headers=named
            ) as answer:
                raw = await answer.read()
        return Answer(answer.status, _parse(raw), answer.headers)

    @asynccontextmanager
    async def lines(self, path: str) -> AsyncIterator[aiohttp.StreamReader]:
        """The lines of a stream that goes on, from where it has begun."""
        async with (
            self._reaching(),
            self._session.get(self._base_url + path) as answer,
        ):
            if answer.status != 200:
                raise NotYet(f"{path} answers {answer.status}")
            yield answer.content

    @asynccontextmanager
    async def _reaching(self) -> AsyncIterator[None]:
        try:
            yield
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            raise NotYet(f"{self._base_url} does not answer: {reason}") from error


def _parse(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
