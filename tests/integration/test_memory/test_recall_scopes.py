"""Filters leave a few, many or all memories: recall finds `limit` of them each time."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.test_memory.replicas import Caller, Fields

from memory_service.domain import recall

MODES = ("hybrid", "semantic")
START = datetime(2026, 3, 1, tzinfo=UTC)
MEMORIES = 120
LATE = (START + timedelta(hours=MEMORIES - 10)).isoformat()


async def remember(ada: Caller) -> None:
    """The first memories are about ships; what a filter asks for comes at the end."""
    memories: list[Fields | str] = [
        {
            "content": f"Ship {n} left the harbour."
            if n < 80
            else f"Loaf {n} of bread.",
            "agent_id": ada.agent_id,
            "timestamp": (START + timedelta(hours=n)).isoformat(),
            "user_id": "few" if n >= MEMORIES - 10 else "many",
            "importance": 1 if n >= MEMORIES - 10 else 0.1,
            "evidence": "inferred" if n >= MEMORIES - 10 else "told",
            "metadata": {"late": n >= MEMORIES - 10},
        }
        for n in range(MEMORIES)
    ]
    await ada.take_in(memories)


FILTERS: list[Fields] = [
    {"since": LATE},
    {"user_id": "few"},
    {"min_importance": 0.5},
    {"evidence": "inferred"},
    {"metadata": {"late": True}},
    {"since": LATE, "user_id": "few", "memory_type": ["episodic"]},
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("max_scope", "widening"), [(10_000, 8), (5, 100), (5, 2)], ids=str
)
async def test_as_many_as_exist_come_back(
    ada: Caller,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    max_scope: int,
    widening: int,
) -> None:
    """By the numbers that meet the filters, by a far look, and by both in turn."""
    monkeypatch.setattr(recall, "MIN_CANDIDATES", 10)
    monkeypatch.setattr(recall, "MAX_CANDIDATES", 10)
    monkeypatch.setattr(recall, "SPARE_MEMORIES", 1)
    monkeypatch.setattr(recall, "READ_EACH", 1)
    monkeypatch.setattr(recall, "MAX_SCOPE", max_scope)
    monkeypatch.setattr(recall, "WIDENING", widening)
    await remember(ada)
    for filters in FILTERS:
        found = await ada.recall("ships in the harbour", mode=mode, filters=filters)
        numbers = {int(memory["content"].split()[1]) for memory in found}
        assert numbers == set(range(MEMORIES - 10, MEMORIES)), filters


async def test_words_are_looked_for_beyond_the_first_that_hold_them(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recall, "KEYWORD_VISITS", 4)
    await remember(ada)
    filters = {"since": LATE}
    found = await ada.recall("bread", mode="keyword", filters=filters)
    assert len(found) == 10


async def test_all_words_are_found_together(
    ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either word is in more memories than are visited."""
    monkeypatch.setattr(recall, "KEYWORD_VISITS", 8)
    await remember(ada)
    await ada.tell("Bread came by ship.")
    found = await ada.recall_texts("bread ship", mode="keyword", limit=1)
    assert found == ["Bread came by ship."]
