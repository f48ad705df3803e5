"""The typed clients: which call each makes, and what it makes of the answer."""

import json
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio
from tests.unit.contracts.messages import MEMORY
from tests.unit.contracts.standin import Said, StandIn, serving

from contracts.clients import HttpMemory, HttpSafety, MemoryApi, SafetyApi
from contracts.fakes import FakeMemory, FakeSafety
from contracts.memory import (
    MemoryBatchRequest,
    MemoryLookupRequest,
    MemoryType,
    MemoryWrite,
)
from contracts.problem import ServiceError
from contracts.recall import RecallRequest
from contracts.safety import ValidateBatchRequest, ValidateRequest

VERDICT = {
    "verdict": "flag",
    "categories": [{"name": "secrets", "score": 1, "layer": "patterns", "rule": "r"}],
    "redacted_content": None,
    "policy_version": "7",
    "took_ms": 0.5,
    "id": "v",
}
RECALLED = {
    "memories": [
        {
            **MEMORY,
            "score": 0.9,
            "scores": {
                "semantic": 0.9,
                "keyword": None,
                "recency": None,
                "importance": None,
            },
        }
    ],
    "took_ms": 1.5,
    "index": {"kind": "exact", "vectors": 1, "seq": 1},
}


@pytest_asyncio.fixture
async def service() -> AsyncIterator[StandIn]:
    async with serving(StandIn()) as standin:
        yield standin


@pytest_asyncio.fixture
async def safety(service: StandIn) -> AsyncIterator[HttpSafety]:
    client = HttpSafety(service.address, "ours")
    yield client
    await client.close()


@pytest_asyncio.fixture
async def memory(service: StandIn) -> AsyncIterator[HttpMemory]:
    client = HttpMemory(service.address, "ours")
    yield client
    await client.close()


def answering(service: StandIn, answer: object) -> None:
    service.answers = [Said(200, json.dumps(answer).encode())]


async def test_a_text_is_validated(service: StandIn, safety: HttpSafety) -> None:
    answering(service, VERDICT)
    verdict = await safety.validate(ValidateRequest(content="ü", stream="primary"))
    assert (verdict.verdict, verdict.categories[0].name) == ("flag", "secrets")
    assert (service.asked[0].method, service.asked[0].path_qs) == (
        "POST",
        "/api/safety/validate",
    )
    assert json.loads(service.bodies[0]) == {
        "content": "ü",
        "kind": "thought",
        "agent_id": "default",
        "stream": "primary",
        "depth": "full",
    }


async def test_a_batch_is_validated(service: StandIn, safety: HttpSafety) -> None:
    answering(service, {"results": [VERDICT, {**VERDICT, "verdict": "block"}]})
    items = [ValidateRequest(content=text) for text in ("a", "b")]
    verdicts = await safety.validate_batch(ValidateBatchRequest(items=items))
    assert [verdict.verdict for verdict in verdicts] == ["flag", "block"]
    assert service.asked[0].path == "/api/safety/validate/batch"


async def test_memories_are_recalled(service: StandIn, memory: HttpMemory) -> None:
    answering(service, RECALLED)
    found = await memory.recall(RecallRequest(query="a", agent_id="ada"))
    assert str(found.memories[0].id) == MEMORY["id"]
    assert (service.asked[0].method, service.asked[0].path_qs) == (
        "POST",
        "/api/memory/recall",
    )
    assert json.loads(service.bodies[0])["agent_id"] == "ada"


async def test_recent_memories_are_asked_for(
    service: StandIn, memory: HttpMemory
) -> None:
    answering(service, {"memories": [MEMORY], "next_cursor": None})
    found = await memory.recent("a@b:c", MemoryType.SEMANTIC, 3)
    assert len(found.memories) == 1
    (asked,) = service.asked
    assert (asked.method, asked.path) == ("GET", "/api/memory/recent")
    assert dict(asked.query) == {
        "agent_id": "a@b:c",
        "memory_type": "semantic",
        "limit": "3",
    }


async def test_memories_are_looked_up(service: StandIn, memory: HttpMemory) -> None:
    answering(service, {"memories": [MEMORY]})
    wanted = MemoryLookupRequest(agent_id="ada", ids=[UUID(str(MEMORY["id"]))])
    found = await memory.lookup(wanted)
    assert [str(each.id) for each in found.memories] == [MEMORY["id"]]
    (asked,) = service.asked
    assert (asked.method, asked.path) == ("POST", "/api/memory/lookup")
    assert json.loads(service.bodies[0]) == {"agent_id": "ada", "ids": [MEMORY["id"]]}


async def test_memories_are_stored(service: StandIn, memory: HttpMemory) -> None:
    answering(
        service,
        {"results": [{"memory": MEMORY}, {"problem": {"title": "No", "status": 422}}]},
    )
    writes = [
        MemoryWrite(content="a", metadata={"kept": None}),
        MemoryWrite(content="b"),
    ]
    response = await memory.remember(MemoryBatchRequest(memories=writes))
    stored, refused = response.results
    assert stored.memory is not None
    assert refused.problem is not None
    assert refused.problem.status == 422
    assert service.asked[0].path == "/api/memory/batch"
    assert json.loads(service.bodies[0])["memories"][0]["metadata"] == {"kept": None}


@pytest.mark.parametrize("call", ["validate", "validate_batch"])
async def test_no_verdict_is_an_error_never_a_pass(
    service: StandIn, safety: HttpSafety, call: str
) -> None:
    item = ValidateRequest(content="a")
    request = item if call == "validate" else ValidateBatchRequest(items=[item])
    for said in (
        Said(200, b"{}"),
        Said(200, b""),
        Said(200, json.dumps({**VERDICT, "verdict": "fine"}).encode()),
        Said(503),
        Said(404, b"nothing"),
    ):
        service.answers = [said]
        with pytest.raises(ServiceError):
            await getattr(safety, call)(request)


async def test_fakes_stand_in_for_the_clients(
    safety: HttpSafety, memory: HttpMemory
) -> None:
    judges: list[SafetyApi] = [safety, FakeSafety()]
    stores: list[MemoryApi] = [memory, FakeMemory()]
    assert len(judges) == len(stores) == 2
