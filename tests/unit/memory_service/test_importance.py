"""The rule for importance that nobody stated."""

import pytest

from memory_service.domain.importance import estimate_importance

PLAIN = "it rained for a while"


@pytest.mark.parametrize(
    "richer",
    [
        "it rained for 40 days",
        "it rained on Ruth for a while",
        "I love it when it rained",
        "it rained for a while " * 10,
    ],
)
def test_what_says_more_matters_more(richer: str) -> None:
    assert estimate_importance(richer) > estimate_importance(PLAIN)


def test_a_question_matters_less() -> None:
    assert estimate_importance(PLAIN + "?") < estimate_importance(PLAIN)


@pytest.mark.parametrize(
    "content", ["?", "", "I always love " * 10_000 + "Ruth 1", "\n", "é" * 32_768]
)
def test_it_stays_within_bounds(content: str) -> None:
    assert 0 <= estimate_importance(content) <= 1
