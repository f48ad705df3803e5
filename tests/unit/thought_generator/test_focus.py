"""Attention wanders, and turns to what is new."""

import random
from decimal import Decimal
from itertools import pairwise
from uuid import uuid4

from thought_generator.domain.focus import THEMES, Attention
from thought_generator.models.prompts import Recalled, Usage
from thought_generator.models.thoughts import Draft


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


def test_of_long_memories_only_a_glance_is_held() -> None:
    mind = attention()
    mind.remember(thought("t", "x" * 30_000))
    assert [len(each) for each in mind.trail] == [400]


def test_a_repeat_turns_the_stream_to_another_theme() -> None:
    mind = attention()
    said = "The tide was low again and the boats lay on their sides in the mud."
    assert mind.remember(thought(said, "a memory")) is False
    themes = []
    for _ in range(20):
        assert mind.remember(thought(said, "a memory")) is True
        context, focus = mind.turn()
        assert said not in context
        themes.append(focus)
    assert set(themes) <= set(THEMES)
    assert all(one != other for one, other in pairwise(themes))
    # What it repeats is shown to the model once, not again and again.
    assert list(mind.recent) == [said]


def test_news_goes_before_a_theme_also_in_a_loop() -> None:
    mind = attention()
    mind.recollect(["The same as ever."])
    assert mind.remember(thought("The same as ever."))
    mind.news.append("Something new.")
    assert mind.turn()[1] == "Something new."


def test_a_loop_ends_with_another_thought() -> None:
    mind = attention()
    mind.recollect(["The same as ever."])
    assert mind.remember(thought("The same as ever."))
    assert not mind.remember(thought("Something else, and nobody had said it."))
    assert not mind.circled
    assert "Something else" in mind.turn()[0]
