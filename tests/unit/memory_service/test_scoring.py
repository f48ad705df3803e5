"""How the arms' findings become one order."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from memory_service.domain.scoring import (
    CONFIDENCE,
    best_candidates,
    confidence,
    finish,
    weigh,
)
from memory_service.models.memories import Memory

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
    found = best_candidates(mode, seen, keyword, limit=3, most=3, unknown=0)
    assert found == [seq for seq in order if seq in seen or seq in keyword]
    one = best_candidates(mode, seen, keyword, limit=1, most=3, unknown=0)
    assert one == found[:1]


@pytest.mark.parametrize(
    ("most", "unknown", "found"),
    [
        (4, 0.0, [4]),
        (4, 0.1, [4, 3]),
        (4, 0.5, [4, 3, 2]),
        (4, 1.0, [4, 3, 2, 1]),
        (2, 1.0, [4, 3]),
    ],
)
def test_what_common_words_may_lift_is_a_candidate_too(
    most: int, unknown: float, found: list[int]
) -> None:
    words = {1: 0.1, 2: 0.5, 3: 0.8, 4: 0.85}
    assert best_candidates("hybrid", {}, words, 1, most, unknown) == found


def test_the_later_told_comes_first_among_equals() -> None:
    equal = {1: 0.5, 3: 0.5, 2: 0.5}
    assert best_candidates("semantic", equal, {}, 3, 3, 0.0) == [3, 2, 1]


def test_a_hybrid_score_lies_between_those_of_the_arms() -> None:
    assert 0.2 < weigh("hybrid", (0.2, 0.6)) < 0.6


@pytest.mark.parametrize("mode", ["semantic", "keyword", "hybrid"])
def test_what_an_arm_did_not_see_counts_nothing(mode: str) -> None:
    assert weigh(mode, (None, None)) == 0
    assert weigh(mode, (0.4, None)) == weigh(mode, (0.4, 0.0))


def test_recency_and_importance_break_ties_and_no_more() -> None:
    old, new = timedelta(days=900), timedelta(0)
    weak = finish(make_memory(new, 1.0), "semantic", (0.50, None), NOW)
    strong = finish(make_memory(old, 0.0), "semantic", (0.51, None), NOW)
    assert strong.score > weak.score
    recent = finish(make_memory(new, 0.5), "semantic", (0.5, None), NOW)
    aged = finish(make_memory(old, 0.5), "semantic", (0.5, None), NOW)
    assert recent.score > aged.score


@pytest.mark.parametrize(("days", "recency"), [(0, 1), (30, 0.5), (60, 0.25), (-5, 1)])
def test_recency_halves_in_a_month(days: int, recency: float) -> None:
    memory = make_memory(timedelta(days=days), 0.5)
    scores = finish(memory, "hybrid", (None, None), NOW).scores
    assert scores.recency == pytest.approx(recency)


@pytest.mark.parametrize("mode", sorted(CONFIDENCE))
def test_confidence_grows_with_relevance(mode: str) -> None:
    rising = [confidence(mode, relevance) for relevance in (-1.0, 0.2, 0.4, 0.6, 1.0)]
    assert rising == sorted(rising)
    assert 0 <= rising[0] < 0.01
    assert 0.99 < rising[-1] <= 1
    assert confidence(mode, CONFIDENCE[mode][1]) == 0.5
