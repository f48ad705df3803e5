"""What is a repeat, found from sketches as from the whole texts."""

import random

import pytest

from thought_generator.domain.loops import (
    KEPT_HASHES,
    LIKE,
    REMEMBERED_THOUGHTS,
    Memory,
    likeness,
    rows_of_words,
    sketch,
)

SAID = (
    "The harbour was quiet when the last boat came in, and nobody asked where the "
    "salt had gone, though everybody knew."
)


def words(number: int, seed: int) -> list[str]:
    chosen = random.Random(seed)
    return [f"w{chosen.randrange(10_000)}" for _ in range(number)]


def jaccard(one: str, other: str) -> float:
    first, second = rows_of_words(one), rows_of_words(other)
    return len(first & second) / len(first | second)


@pytest.mark.parametrize(
    ("again", "repeats"),
    [
        (SAID, True),
        (SAID.upper().replace(",", " –"), True),
        (SAID.replace("quiet", "silent"), True),
        (SAID + " So it was, and so it went.", True),
        ("Nobody asked where the salt had gone.", False),
        (" ".join(reversed(SAID.split())), False),
        ("Bees.", False),
    ],
)
def test_a_repeat_is_known_by_its_rows_of_words(again: str, repeats: bool) -> None:
    memory = Memory()
    assert not memory.add(SAID)
    assert memory.add(again) is repeats


def test_short_thoughts_repeat_only_themselves() -> None:
    memory = Memory()
    assert not memory.add("Rain again.")
    assert not memory.add("Rain again, and wind.")
    assert memory.add("rain AGAIN")


def test_a_text_without_words_is_a_text() -> None:
    memory = Memory()
    assert not memory.add("…")
    assert memory.add("?!")


def test_short_texts_are_compared_exactly() -> None:
    one = words(20, 1)
    for changed in range(20):
        other = [*one[:changed], "x", *one[changed + 1 :]]
        texts = " ".join(one), " ".join(other)
        # Together no more rows than a sketch keeps.
        assert len(rows_of_words(texts[0]) | rows_of_words(texts[1])) <= KEPT_HASHES
        assert likeness(*map(sketch, texts)) == pytest.approx(jaccard(*texts))


def test_long_texts_are_estimated_without_a_bias() -> None:
    errors = []
    for seed in range(200):
        one = words(120, seed)
        cut = random.Random(seed).randrange(20, 110)
        texts = " ".join(one), " ".join([*one[:cut], *words(120 - cut, seed + 1_000)])
        errors.append(likeness(*map(sketch, texts)) - jaccard(*texts))
    assert abs(sum(errors) / len(errors)) < 0.03
    assert sum(abs(error) <= 0.18 for error in errors) >= 0.95 * len(errors)


def test_the_last_thoughts_are_remembered_and_no_more() -> None:
    memory = Memory()
    memory.add(SAID)
    for number in range(REMEMBERED_THOUGHTS - 1):
        assert not memory.add(" ".join(words(30, number)))
    assert memory.add(SAID)
    for number in range(REMEMBERED_THOUGHTS):
        assert not memory.add(" ".join(words(30, number + 1_000)))
    assert not memory.add(SAID)


def test_a_memory_stays_small() -> None:
    memory = Memory()
    for number in range(3 * REMEMBERED_THOUGHTS):
        memory.add(" ".join(words(300, number)))
    assert memory.size_bytes == REMEMBERED_THOUGHTS * KEPT_HASHES * 4


def test_random_thoughts_are_no_repeats() -> None:
    memory = Memory()
    assert not any(memory.add(" ".join(words(40, n))) for n in range(400))
    assert LIKE == 0.5
