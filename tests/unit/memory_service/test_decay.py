"""How a memory fades that nobody uses."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.ids import new_id
from memory_service.domain.decay import HALF_LIFE, effective_importance
from memory_service.models.memories import Memory

NOW = datetime(2026, 11, 1, tzinfo=UTC)
EPISODE = Memory(
    id=new_id(),
    seq=1,
    agent_id="ada",
    user_id=None,
    session_id=None,
    content="x",
    memory_type="episodic",
    importance=0.8,
    timestamp=NOW - 10 * HALF_LIFE,
    created_at=NOW - 2 * HALF_LIFE,
    updated_at=NOW,
    metadata={},
    evidence="told",
    pinned=False,
    access_count=0,
    last_accessed_at=None,
    superseded_by=None,
    expires_at=None,
)


@pytest.mark.parametrize(
    ("changes", "importance"),
    [
        ({}, 0.2),
        ({"last_accessed_at": NOW - HALF_LIFE}, 0.4),
        ({"last_accessed_at": NOW}, 0.8),
        # A clock that is ahead raises nothing.
        ({"last_accessed_at": NOW + timedelta(hours=1)}, 0.8),
        ({"pinned": True}, 0.8),
        ({"memory_type": "semantic"}, 0.8),
        ({"memory_type": "procedural"}, 0.8),
        ({"memory_type": "thought"}, 0.2),
    ],
)
def test_by_the_time_since_it_was_used(
    changes: dict[str, Any], importance: float
) -> None:
    memory = replace(EPISODE, **changes)
    assert effective_importance(memory, NOW) == pytest.approx(importance)
