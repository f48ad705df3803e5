"""What several memories say together."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from contracts.ids import new_id
from memory_service.domain.summary import (
    MAX_SENTENCE_CHARS,
    MAX_SENTENCES,
    MAX_SUMMARY_CHARS,
    split_sentences,
    summarise,
)
from memory_service.models.jobs import Member

DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)


def member(
    content: str, seq: int = 1, day: int = 0, away: float = 0.0, user: str | None = None
) -> Member:
    """A memory of that day, turned away from what the others are about."""
    vector = np.array([np.cos(away), np.sin(away)], dtype=np.float32)
    timestamp = DAY + timedelta(days=day)
    return Member(new_id(), seq, user, content, 0.5, timestamp, vector)


TALK = [
    member("Ada: Hi! I bought a red bicycle in Paris for 300 euros yesterday.", 1, 0),
    member("Bob: Wow! How is it?", 2, 0),
    member("Ada: I ride my bicycle to the university every single morning now.", 3, 9),
    member("Ada: My bicycle was repaired by Claire, who works in Lyon.", 4, 4),
]


def test_it_says_when_who_and_what() -> None:
    assert summarise(TALK) == (
        "2026-03-01 – 2026-03-10: "
        "Ada: I bought a red bicycle in Paris for 300 euros yesterday. "
        "Ada: My bicycle was repaired by Claire, who works in Lyon. "
        "Ada: I ride my bicycle to the university every single morning now."
    )


def test_each_word_is_a_sources() -> None:
    said = " ".join(one.content for one in TALK)
    text = summarise(TALK).partition(": ")[2]
    for sentence in split_sentences(text.replace("Ada: ", "")):
        assert sentence in said


def test_one_day_is_named_once() -> None:
    assert summarise([member("All of it on the same day.")]).startswith("2026-03-01: A")


def test_nothing_is_said_twice() -> None:
    same = "Ada likes to walk along the river in the evening."
    text = summarise([member(same, n) for n in range(1, 6)])
    assert text.count("river") == 1


def test_the_central_ones_speak() -> None:
    members = [
        member(f"The {name} garden has roses and {n} old trees.", n)
        for n, name in enumerate(["north", "south", "east", "west", "upper"], 1)
    ]
    stray = member("My taxes for the year 2025 are paid at last, I hope.", 9, away=1.5)
    assert "taxes" not in summarise([*members, stray])


def test_it_is_bounded() -> None:
    members = [
        member(" ".join(f"word{n}x{i}" for i in range(200)) + ".", n)
        for n in range(1, 30)
    ]
    text = summarise(members)
    assert len(text) <= MAX_SUMMARY_CHARS
    assert 0 < text.count("…") <= MAX_SENTENCES


def test_the_order_of_writing_does_not_matter_beside_the_times() -> None:
    assert summarise(TALK) == summarise(list(reversed(TALK)))


@pytest.mark.parametrize("text", ["...", "!!!", "—", "x", "😀", "？"])
def test_it_never_is_empty(text: str) -> None:
    assert summarise([member(text, n) for n in range(1, 4)]).endswith(f": {text}")


@pytest.mark.parametrize(
    ("content", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Ada: One.  Two.", ["Ada: One.", "Ada: Two."]),
        ("Note: it rained", ["Note: it rained"]),
        ("a list\nof lines\n\n", ["a list", "of lines"]),
        ("今日は雨です。明日は晴れ。", ["今日は雨です。", "明日は晴れ。"]),
        ("version 3.5 costs 1.000 €", ["version 3.5 costs 1.000 €"]),
        ("12:30: tea", ["12:30: tea"]),
    ],
)
def test_sentences(content: str, sentences: list[str]) -> None:
    assert split_sentences(content) == sentences


def test_a_long_sentence_is_cut_at_a_word() -> None:
    (cut,) = split_sentences("word " * 100)
    assert len(cut) <= MAX_SENTENCE_CHARS
    assert cut.endswith("word…")
    (unbroken,) = split_sentences("x" * 1000)
    assert len(unbroken) == MAX_SENTENCE_CHARS
