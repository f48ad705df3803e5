"""The least of each request, and an answer."""

from collections.abc import Mapping
from typing import Any

from contracts.agent import AgentPatch, AgentPut, Budget, StreamSettings
from contracts.base import Contract
from contracts.memory import MemoryBatchRequest, MemoryPatch, MemoryWrite, SignedVerdict
from contracts.recall import RecallFilters, RecallRequest
from contracts.safety import ValidateBatchRequest, ValidateRequest
from contracts.thought import GenerateBatchRequest, GenerateRequest

# The least that each request of the API needs.
LEAST: Mapping[type[Contract], dict[str, Any]] = {
    MemoryWrite: {"content": "a"},
    MemoryPatch: {},
    MemoryBatchRequest: {"memories": [{"content": "a"}]},
    RecallRequest: {"query": "a"},
    RecallFilters: {},
    SignedVerdict: {"verdict": "allow", "policy_version": "1", "signature": "a"},
    ValidateRequest: {"content": "a"},
    ValidateBatchRequest: {"items": [{"content": "a"}]},
    GenerateRequest: {"context": "a"},
    GenerateBatchRequest: {"requests": [{"context": "a"}]},
    AgentPut: {},
    AgentPatch: {},
    Budget: {},
    StreamSettings: {},
}


def read(model: type[Contract], **fields: Any) -> Any:
    """The message as a route gets it: parsed JSON, then the model."""
    return model.model_validate({**LEAST.get(model, {}), **fields})


MEMORY = {
    "id": "0198c5f2-77aa-7000-8000-000000000000",
    "seq": 1,
    "agent_id": "default",
    "user_id": None,
    "session_id": None,
    "content": "a",
    "memory_type": "episodic",
    "importance": 0.5,
    "timestamp": "2026-11-23T12:00:00Z",
    "created_at": "2026-11-23T13:00:00+01:00",
    "updated_at": "2026-11-23T12:00:00Z",
    "metadata": {},
    "evidence": "told",
    "pinned": False,
    "access_count": 0,
    "last_accessed_at": None,
    "superseded_by": None,
    "expires_at": None,
}
