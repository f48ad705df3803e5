"""In-process stand-ins of the services, for tests of those who call them."""

from collections.abc import Callable
from datetime import UTC, datetime

from contracts.ids import new_id
from contracts.memory import (
    Evidence,
    IndexState,
    KeptMemory,
    Memory,
    MemoryBatchItem,
    MemoryBatchRequest,
    MemoryBatchResponse,
    MemoryList,
    MemoryLookup,
    MemoryLookupRequest,
    MemoryType,
    MemoryWrite,
)
from contracts.problem import URN_PREFIX, Problem, ServiceError
from contracts.recall import RecalledMemory, RecallRequest, RecallResponse, RecallScores
from contracts.safety import (
    ValidateBatchRequest,
    ValidateRequest,
    Verdict,
    VerdictName,
)

__all__ = ["FakeMemory", "FakeSafety"]


def _outage(service: str) -> ServiceError:
    problem = Problem(type=URN_PREFIX + "unreachable", title="fake outage", status=503)
    return ServiceError(service, problem, 1.0)


class FakeSafety:
    """Blocks texts that `block` picks; is out for texts that `fail_on` picks."""

    def __init__(
        self,
        block: Callable[[str], bool] = lambda _: False,
        fail_on: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._block = block
        self._fail_on = fail_on
        self.asked: list[ValidateRequest] = []

    async def validate(self, request: ValidateRequest) -> Verdict:
        """The verdict on one text."""
        self.asked.append(request)
        if self._fail_on(request.content):
            raise _outage("safety-validator")
        blocked = self._block(request.content)
        return Verdict(
            verdict=VerdictName.BLOCK if blocked else VerdictName.ALLOW,
            categories=[],
            redacted_content=None,
            policy_version="fake",
            took_ms=0.0,
            id=str(new_id()),
            signature="fake",
        )

    async def validate_batch(self, request: ValidateBatchRequest) -> list[Verdict]:
        """Verdicts in the order of the items."""
        return [await self.validate(item) for item in request.items]


class FakeMemory:
    """Recalls what shares a word with the query, newest first."""

    def __init__(self, fail_on: Callable[[str], bool] = lambda _: False) -> None:
        self._fail_on = fail_on
        self.memories: list[Memory] = []

    def tell(self, content: str, agent_id: str = "default") -> Memory:
        """Stores one told memory."""
        return self._store(MemoryWrite(content=content, agent_id=agent_id))

    async def recall(self, request: RecallRequest) -> RecallResponse:
        """Memories of the agent that share a word with the query."""
        if self._fail_on(request.query):
            raise _outage("memory-service")
        words = set(request.query.lower().split())
        found = [
            memory
            for memory in reversed(self.memories)
            if memory.agent_id == request.agent_id
            and _meets(memory, request)
            and words & set(memory.content.lower().split())
        ]
        scores = RecallScores(semantic=1, keyword=None, recency=None, importance=None)
        return RecallResponse(
            memories=[
                RecalledMemory(**memory.model_dump(), score=1.0, scores=scores)
                for memory in found[: request.limit]
            ],
            confidence=1.0 if found else 0.0,
            took_ms=0.0,
            index=IndexState(kind="fake", vectors=len(self.memories), seq=0),
        )

    async def recent(
        self, agent_id: str, memory_type: MemoryType, limit: int
    ) -> MemoryList:
        """The newest memories of a type."""
        found = [
            memory
            for memory in reversed(self.memories)
            if memory.agent_id == agent_id and memory.memory_type == memory_type
        ]
        return MemoryList(memories=found[:limit], next_cursor=None)

    async def lookup(self, request: MemoryLookupRequest) -> MemoryLookup:
        """Those of some memories that are still there."""
        if any(self._fail_on(str(memory_id)) for memory_id in request.ids):
            raise _outage("memory-service")
        wanted = set(request.ids)
        return MemoryLookup(
            memories=[
                memory
                for memory in self.memories
                if memory.agent_id == request.agent_id and memory.id in wanted
            ]
        )

    async def remember(self, request: MemoryBatchRequest) -> MemoryBatchResponse:
        """Stores memories; a known `id` is stored once."""
        if any(self._fail_on(memory.content) for memory in request.memories):
            raise _outage("memory-service")
        return MemoryBatchResponse(
            results=[
                MemoryBatchItem(
                    memory=KeptMemory(
                        **(self._find(write) or self._store(write)).model_dump()
                    )
                )
                for write in request.memories
            ]
        )

    def _find(self, write: MemoryWrite) -> Memory | None:
        return next((m for m in self.memories if m.id == write.id), None)

    def _store(self, write: MemoryWrite) -> Memory:
        now = datetime.now(UTC)
        memory = Memory(
            id=write.id or new_id(),
            seq=len(self.memories) + 1,
            agent_id=write.agent_id,
            user_id=write.user_id,
            session_id=write.session_id,
            content=write.content,
            memory_type=write.memory_type,
            importance=0.5 if write.importance is None else write.importance,
            timestamp=write.timestamp or now,
            created_at=now,
            updated_at=now,
            metadata=write.metadata,
            evidence=write.evidence,
            pinned=write.pinned,
            access_count=0,
            last_accessed_at=None,
            superseded_by=None,
            expires_at=None,
        )
        self.memories.append(memory)
        return memory


def _meets(memory: Memory, request: RecallRequest) -> bool:
    wanted = request.filters.evidence
    if wanted is None:
        return True
    return memory.evidence in ([wanted] if isinstance(wanted, Evidence) else wanted)
