"""Attention wanders, and turns to what is new."""

import random
from decimal import Decimal
from uuid import uuid4

from thought_generator.domain.focus import THEMES, Attention
from thought_generator.models import Draft, Recalled, Usage


def attention(seed: int = 1) -> Attention:
    return Attention("primary", random.Random(seed), persona="I am calm.")


def thought(content: str, *recalled: str, evidence: str = "told") -> Draft:
    memories = tuple(Recalled(uuid4(), 1.0, each, evidence) for each in recalled)
    return Draft(
        uuid4(), "a", "primary", content, "offline", "m", False, "", memories,
        {}, None, Usage(cost_usd=Decimal(0)), {}, "end_turn",
    )  # fmt: skip


def test_an_empty_mind_begins_with_its_persona() -> None:
    assert attention().turn() == ("What comes to mind: I am calm.", "I am calm.")


def test_a_glance_is_never_blank() -> None:
    indented = " " * 500 + "a poem"
    mind = attention()
    mind.news.append(indented)
    assert mind.turn()[1] == "a poem"
    mind.persona = indented
    assert mind.turn()[1] == "a poem"


def test_news_comes_first_and_once() -> None:
    mind = attention()
    mind.news.extend(["first", "second"])
    assert [mind.turn()[1], mind.turn()[1]] == ["first", "second"]
    assert mind.turn()[1] not in {"first", "second"}


def test_the_last_thought_is_part_of_the_context() -> None:
    mind = attention()
    mind.remember(thought("I thought of rain."))
    context, _ = mind.turn()
    assert "I thought of rain." in context


def test_it_follows_what_was_recalled_and_sometimes_leaves_it() -> None:
    mind = attention()
    turns = []
    for number in range(200):
        mind.remember(thought(f"t{number}", f"memory {number}"))
        turns.append(mind.turn()[1])
    followed = [turn for turn in turns if turn.startswith("memory")]
    left = [turn for turn in turns if turn in THEMES]
    assert len(followed) > 80
    assert len(left) > 30
    assert len(set(followed)) == len(followed)


def test_earlier_thoughts_are_no_trail() -> None:
    mind = attention()
    for number in range(100):
        mind.remember(thought("t", f"thought {number}", evidence="thought"))
        assert not mind.turn()[1].startswith("thought")


def test_a_long_memory_is_only_glanced_at() -> None:
    mind = attention()
    mind.news.append("x" * 10_000)
    assert len(mind.turn()[1]) == 400
