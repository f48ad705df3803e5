"""The prompt: stable first, volatile last, and all of it in the digest."""

from dataclasses import replace
from uuid import UUID

import pytest

from thought_generator.models.prompts import Prompt, Recalled
from thought_generator.prompting import (
    INSTRUCTIONS,
    context_digest,
    instruction_for,
    system_text,
    user_text,
)

MEMORY = Recalled(UUID(int=1), 0.9, "Ada keeps bees.", "told")
PROMPT = Prompt(
    "I am calm.", "primary", "Think.", "winter", (MEMORY,), ("I saw snow.",)
)


def test_the_stable_part_holds_nothing_volatile() -> None:
    stable = system_text(PROMPT)
    for volatile in ("bees", "winter", "snow"):
        assert volatile not in stable
    assert stable.startswith("I am calm.")


def test_the_volatile_part_says_what_is_fact_and_what_only_thought() -> None:
    thought = replace(MEMORY, content="Perhaps it snows.", evidence="thought")
    text = user_text(replace(PROMPT, recalled=(MEMORY, thought)))
    assert "- (told) Ada keeps bees." in text
    assert "- (only thought) Perhaps it snows." in text
    assert text.endswith("Context:\nwinter")


@pytest.mark.parametrize(
    "change",
    [
        {"persona": "x"},
        {"stream": "x"},
        {"instruction": "x"},
        {"context": "x"},
        {"recalled": ()},
        {"recalled": (replace(MEMORY, content="Ada keeps hens."),)},
        {"recalled": (replace(MEMORY, memory_id=UUID(int=2)),)},
        {"recalled": (replace(MEMORY, evidence="observed"),)},
        {"recent": ()},
        {"persona": "I am calm.p", "stream": "rimary"},
    ],
)
def test_any_change_changes_the_digest(change: dict[str, object]) -> None:
    changed = replace(PROMPT, **change)  # type: ignore[arg-type]
    assert context_digest(changed) != context_digest(PROMPT)


def test_each_default_stream_has_its_own_instruction() -> None:
    assert len(set(INSTRUCTIONS.values())) == len(INSTRUCTIONS) == 5
    assert instruction_for("primary", "own words") == "own words"
    assert instruction_for("unheard-of", None)
