"""How the arms' findings become one order."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from memory_service.domain.scoring import finish, join_arms
from memory_service.models import Memory

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def make_memory(age: timedelta, importance: float) -> Memory:
    time = NOW - age
    return Memory(
        id=uuid4(),
        seq=1,
        agent_id="a",
        user_id=None,
        session_id=None,
        content="x",
        memory_type="episodic",
        importance=importance,
        timestamp=time,
        created_at=time,
        updated_at=time,
        metadata={},
        evidence="told",
        pinned=False,
        access_count=0,
        last_accessed_at=None,
        superseded_by=None,
        expires_at=None,
    )


@pytest.mark.parametrize(
    ("mode", "order"),
    [("semantic", [1, 2, 3]), ("keyword", [3, 2, 1]), ("hybrid", [2, 3, 1])],
)
def test_each_mode_has_its_order(mode: str, order: list[int]) -> None:
    semantic = {1: 0.9, 2: 0.8, 3: 0.1}
    keyword = {} if mode == "semantic" else {2: 0.7, 3: 0.9}
    seen = {} if mode == "keyword" else semantic
    joined = join_arms(mode, seen, keyword)
    assert list(joined) == [seq for seq in order if seq in seen or seq in keyword]


def test_what_an_arm_did_not_see_is_none() -> None:
    joined = join_arms("hybrid", {1: 0.5}, {2: 0.5})
    assert joined[1][1] == (0.5, None)
    assert joined[2][1] == (None, 0.5)


def test_the_later_told_comes_first_among_equals() -> None:
    assert list(join_arms("semantic", {1: 0.5, 3: 0.5, 2: 0.5}, {})) == [3, 2, 1]


def test_a_hybrid_score_lies_between_those_of_the_arms() -> None:
    (relevance, _) = join_arms("hybrid", {1: 0.2}, {1: 0.6})[1]
    assert 0.2 < relevance < 0.6


def test_recency_and_importance_break_ties_and_no_more() -> None:
    old, new = timedelta(days=900), timedelta(0)
    weak = finish(make_memory(new, 1.0), 0.50, (0.5, None), NOW)
    strong = finish(make_memory(old, 0.0), 0.51, (0.51, None), NOW)
    assert strong.score > weak.score
    recent = finish(make_memory(new, 0.5), 0.5, (0.5, None), NOW)
    aged = finish(make_memory(old, 0.5), 0.5, (0.5, None), NOW)
    assert recent.score > aged.score


@pytest.mark.parametrize(("days", "recency"), [(0, 1), (30, 0.5), (60, 0.25), (-5, 1)])
def test_recency_halves_in_a_month(days: int, recency: float) -> None:
    memory = make_memory(timedelta(days=days), 0.5)
    assert finish(memory, 0, (None, None), NOW).scores.recency == pytest.approx(recency)
