"""One typed client for each service that others call."""

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlencode

from contracts.client import HttpClient
from contracts.memory import (
    MemoryBatchRequest,
    MemoryBatchResponse,
    MemoryList,
    MemoryLookup,
    MemoryLookupRequest,
    MemoryType,
)
from contracts.recall import RecallRequest, RecallResponse
from contracts.safety import (
    ValidateBatchRequest,
    ValidateBatchResponse,
    ValidateRequest,
    Verdict,
)

__all__ = ["HttpMemory", "HttpSafety", "MemoryApi", "SafetyApi"]

# A verdict takes milliseconds; a second of silence is an outage.
VALIDATE_TIMEOUT_S = 2.0
# A batch of a thousand short texts.
VALIDATE_BATCH_TIMEOUT_S = 20.0
# A model reads all of a text: some 40,000 characters in a second of a core. So much
# more is waited for where others want the core as well.
LEAST_CHARS_A_SECOND = 5_000
RECALL_TIMEOUT_S = 5.0
# A batch is embedded text by text; whoever delivers it keeps it claimed for longer.
REMEMBER_TIMEOUT_S = 8.0


class SafetyApi(Protocol):
    """What callers ask of safety-validator."""

    async def validate(self, request: ValidateRequest) -> Verdict:
        """The verdict on one text."""
        ...

    async def validate_batch(self, request: ValidateBatchRequest) -> list[Verdict]:
        """Verdicts in the order of the items."""
        ...


class MemoryApi(Protocol):
    """What callers ask of memory-service."""

    async def recall(self, request: RecallRequest) -> RecallResponse:
        """The memories that answer best."""
        ...

    async def recent(
        self, agent_id: str, memory_type: MemoryType, limit: int
    ) -> MemoryList:
        """The newest memories of a type."""
        ...

    async def lookup(self, request: MemoryLookupRequest) -> MemoryLookup:
        """Those of some memories that are still there."""
        ...

    async def remember(self, request: MemoryBatchRequest) -> MemoryBatchResponse:
        """Stores memories; those that bring an `id` are stored once, others merged."""
        ...


class HttpSafety:
    """safety-validator over HTTP."""

    def __init__(self, base_url: str, service_key: str | None) -> None:
        self._http = HttpClient("safety-validator", base_url, service_key)

    async def close(self) -> None:
        """Closes the pool."""
        await self._http.close()

    async def validate(self, request: ValidateRequest) -> Verdict:
        """The verdict on one text; ServiceError when there is none."""
        return await self._http.call(
            "POST",
            "/api/safety/validate",
            request,
            Verdict,
            timeout_s=VALIDATE_TIMEOUT_S + _reading_s([request]),
            idempotent=True,
        )

    async def validate_batch(self, request: ValidateBatchRequest) -> list[Verdict]:
        """Verdicts in the order of the items; ServiceError when there are none."""
        response = await self._http.call(
            "POST",
            "/api/safety/validate/batch",
            request,
            ValidateBatchResponse,
            timeout_s=VALIDATE_BATCH_TIMEOUT_S + _reading_s(request.items),
            idempotent=True,
        )
        return response.results


def _reading_s(requests: Sequence[ValidateRequest]) -> float:
    chars = sum(len(r.content) for r in requests if r.depth == "full")
    return chars / LEAST_CHARS_A_SECOND


class HttpMemory:
    """memory-service over HTTP."""

    def __init__(self, base_url: str, service_key: str | None) -> None:
        self._http = HttpClient("memory-service", base_url, service_key)

    async def close(self) -> None:
        """Closes the pool."""
        await self._http.close()

    async def recall(self, request: RecallRequest) -> RecallResponse:
        """The memories that answer best; ServiceError when there is no answer."""
        return await self._http.call(
            "POST",
            "/api/memory/recall",
            request,
            RecallResponse,
            timeout_s=RECALL_TIMEOUT_S,
            idempotent=True,
        )

    async def recent(
        self, agent_id: str, memory_type: MemoryType, limit: int
    ) -> MemoryList:
        """The newest memories of a type; ServiceError when there is no answer."""
        query = urlencode(
            {"agent_id": agent_id, "memory_type": memory_type.value, "limit": limit}
        )
        return await self._http.call(
            "GET",
            f"/api/memory/recent?{query}",
            None,
            MemoryList,
            timeout_s=RECALL_TIMEOUT_S,
            idempotent=True,
        )

    async def lookup(self, request: MemoryLookupRequest) -> MemoryLookup:
        """Those of some memories that are still there."""
        return await self._http.call(
            "POST",
            "/api/memory/lookup",
            request,
            MemoryLookup,
            timeout_s=RECALL_TIMEOUT_S,
            idempotent=True,
        )

    async def remember(self, request: MemoryBatchRequest) -> MemoryBatchResponse:
        """Stores memories; a repeat is met by its `id`, or merged: it is harmless."""
        return await self._http.call(
            "POST",
            "/api/memory/batch",
            request,
            MemoryBatchResponse,
            timeout_s=REMEMBER_TIMEOUT_S,
            idempotent=True,
        )
