"""The shipped fakes do as they say."""

import pytest

from contracts.fakes import FakeMemory, FakeSafety
from contracts.ids import new_id
from contracts.memory import Evidence, MemoryBatchRequest, MemoryType, MemoryWrite
from contracts.problem import ServiceError
from contracts.recall import RecallFilters, RecallRequest
from contracts.safety import ValidateBatchRequest, ValidateRequest


def is_bad(text: str) -> bool:
    return "bad" in text


async def test_safety_blocks_what_is_picked_and_allows_the_rest() -> None:
    fake = FakeSafety(block=is_bad)
    items = [ValidateRequest(content=text) for text in ("good", "bad", "fine")]
    verdicts = await fake.validate_batch(ValidateBatchRequest(items=items))
    assert [each.verdict for each in verdicts] == ["allow", "block", "allow"]
    assert fake.asked == items
    assert len({each.id for each in verdicts}) == 3


async def test_safety_is_out_where_it_is_told_to_be() -> None:
    fake = FakeSafety(block=lambda _: True, fail_on=is_bad)
    assert (await fake.validate(ValidateRequest(content="good"))).verdict == "block"
    items = [ValidateRequest(content=text) for text in ("good", "bad")]
    for asking in (
        fake.validate(items[1]),
        fake.validate_batch(ValidateBatchRequest(items=items)),
    ):
        with pytest.raises(ServiceError) as caught:
            await asking
        assert caught.value.problem.status == 503
        assert caught.value.service == "safety-validator"


async def test_memory_recalls_what_shares_a_word_newest_first() -> None:
    fake = FakeMemory()
    old = fake.tell("The harbour freezes")
    fake.tell("Boats sail")
    new = fake.tell("harbour lights")
    fake.tell("the harbour of another", agent_id="bob")
    found = await fake.recall(RecallRequest(query="a HARBOUR"))
    assert [each.id for each in found.memories] == [new.id, old.id]
    first = await fake.recall(RecallRequest(query="harbour", limit=1))
    assert [each.id for each in first.memories] == [new.id]
    assert (await fake.recall(RecallRequest(query="nothing"))).memories == []


@pytest.mark.parametrize(
    ("evidence", "contents"),
    [
        (None, ["tea thought", "tea told"]),
        (Evidence.TOLD, ["tea told"]),
        ([Evidence.THOUGHT], ["tea thought"]),
        ([Evidence.TOLD, Evidence.THOUGHT], ["tea thought", "tea told"]),
        ([Evidence.OBSERVED], []),
    ],
)
async def test_memory_knows_how_it_knows(
    evidence: Evidence | list[Evidence] | None, contents: list[str]
) -> None:
    fake = FakeMemory()
    fake.tell("tea told")
    thought = MemoryWrite(content="tea thought", evidence=Evidence.THOUGHT)
    await fake.remember(MemoryBatchRequest(memories=[thought]))
    filters = RecallFilters(evidence=evidence)
    found = await fake.recall(RecallRequest(query="tea", filters=filters))
    assert [each.content for each in found.memories] == contents


async def test_memory_stores_a_known_id_once() -> None:
    fake = FakeMemory()
    write = MemoryWrite(content="a", id=new_id(), importance=0.0)
    again = MemoryWrite(content="another", id=write.id)
    response = await fake.remember(MemoryBatchRequest(memories=[write, again]))
    await fake.remember(MemoryBatchRequest(memories=[write]))
    (kept,) = fake.memories
    assert (kept.id, kept.content, kept.importance) == (write.id, "a", 0.0)
    assert [each.memory.id for each in response.results if each.memory] == [kept.id] * 2
    await fake.remember(MemoryBatchRequest(memories=[MemoryWrite(content="a")] * 2))
    assert [each.seq for each in fake.memories] == [1, 2, 3]


async def test_memory_lists_the_newest_of_a_type() -> None:
    fake = FakeMemory()
    for number in range(3):
        fake.tell(f"number {number}")
    fake.tell("of another", agent_id="bob")
    recent = await fake.recent("default", MemoryType.EPISODIC, 2)
    assert [each.content for each in recent.memories] == ["number 2", "number 1"]
    assert (await fake.recent("default", MemoryType.SEMANTIC, 2)).memories == []


async def test_memory_is_out_where_it_is_told_to_be() -> None:
    fake = FakeMemory(fail_on=is_bad)
    writes = [MemoryWrite(content=text) for text in ("good", "bad")]
    for asking in (
        fake.recall(RecallRequest(query="bad")),
        fake.remember(MemoryBatchRequest(memories=writes)),
    ):
        with pytest.raises(ServiceError) as caught:
            await asking
        assert caught.value.service == "memory-service"
    assert fake.memories == []
