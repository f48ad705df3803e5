"""Which words need not be looked up any more."""

import pytest

from memory_service.domain import common_words
from memory_service.domain.common_words import CommonWords

TOTAL = 1000


def test_words_that_a_text_may_hold_are_offered() -> None:
    words = CommonWords()
    words.learn("ada", TOTAL, {"run": 0.2, "harbour": 0.1})
    assert words.of("ada", "RUNNING late", TOTAL) == {"run": 0.2}
    assert words.of("ada", "nothing", TOTAL) == {}
    assert words.of("bob", "running", TOTAL) == {}


def test_stems_of_other_vowels_are_offered_too() -> None:
    words = CommonWords()
    words.learn("ada", TOTAL, {"tri": 0.2, "use": 0.1, "go": 0.1, "usher": 0.1})
    assert words.of("ada", "Trying, using: going!", TOTAL).keys() == {
        "tri",
        "use",
        "go",
    }


def test_words_joined_by_underscores_are_words() -> None:
    words = CommonWords()
    words.learn("ada", TOTAL, {"dog": 0.2, "nn": 0.1})
    assert words.of("ada", "dog_NN", TOTAL) == {"dog": 0.2, "nn": 0.1}


def test_what_was_learnt_of_an_agent_is_known_while_it_holds() -> None:
    words = CommonWords()
    assert not words.knows("ada", TOTAL)
    words.learn("ada", TOTAL, {})
    assert words.knows("ada", TOTAL * 2)
    assert not words.knows("ada", TOTAL * 3)


@pytest.mark.parametrize("total", [TOTAL // 3, TOTAL * 3])
def test_an_agent_that_grew_or_shrank_is_learnt_anew(total: int) -> None:
    words = CommonWords()
    words.learn("ada", TOTAL, {"run": 0.2})
    assert words.of("ada", "run", total) == {}
    assert words.of("ada", "run", TOTAL) == {}


def test_an_agent_that_grew_a_little_is_not() -> None:
    words = CommonWords()
    words.learn("ada", TOTAL, {"run": 0.2})
    assert words.of("ada", "run", TOTAL * 2) == {"run": 0.2}


def test_the_agent_asked_longest_ago_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(common_words, "MAX_WORDS", 4)
    words = CommonWords()
    words.learn("ada", TOTAL, {"run": 0.2, "see": 0.3})
    words.learn("bob", TOTAL, {"run": 0.2, "see": 0.3})
    # What is known already takes no room.
    words.learn("bob", TOTAL, {"run": 0.3})
    assert words.of("ada", "run", TOTAL)
    words.learn("eve", TOTAL, {"run": 0.2})
    assert not words.of("bob", "run", TOTAL)
    assert words.of("ada", "run", TOTAL)
    assert words.of("eve", "run", TOTAL)
