"""The index against a plain computation of the same."""

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from memory_service.models import Change
from memory_service.providers.vectors import DIMENSION, VectorIndex, unpack_vectors

Stored = dict[int, tuple[bool, bytes]]


def make_vector(numbers: np.random.Generator) -> NDArray[np.float32]:
    vector = numbers.standard_normal(DIMENSION).astype(np.float32)
    return vector / np.linalg.norm(vector)


def pack(vector: NDArray[np.float32]) -> bytes:
    return vector.astype("<f2").tobytes()


def expect(
    stored: Stored, query: NDArray[np.float32], *, facts: bool, thoughts: bool
) -> dict[int, float]:
    """Cosines of all that may be found, best first."""
    cosines = {
        seq: float(unpack_vectors([vector])[0] @ query)
        for seq, (thought, vector) in stored.items()
        if (thoughts if thought else facts)
    }
    return dict(sorted(cosines.items(), key=lambda item: -item[1]))


@pytest.fixture
def numbers() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize("seed", range(4))
def test_any_changes_leave_what_they_say(seed: int) -> None:
    dice, numbers = random.Random(seed), np.random.default_rng(seed)
    index, stored = VectorIndex(), Stored()
    for _ in range(30):
        changes = []
        for _ in range(dice.randrange(1, 12)):
            # Far apart at times, as after many deletions.
            seq = dice.randrange(1, 40) + dice.choice((0, 0, 20_000))
            vector = None if dice.random() < 0.3 else pack(make_vector(numbers))
            change = Change(seq, dice.random() < 0.5, vector)
            changes.append(change)
            if vector is None:
                stored.pop(seq, None)
            else:
                stored[seq] = (change.thought, vector)
        index.apply(changes)
        assert len(index) == len(stored)
    query = make_vector(numbers)
    for facts, thoughts in ((True, True), (True, False), (False, True)):
        expected = expect(stored, query, facts=facts, thoughts=thoughts)
        found = index.search(query, 1000, facts=facts, thoughts=thoughts)
        assert list(found) == list(expected)
        assert found == pytest.approx(expected, abs=1e-3)
        few = index.search(query, 3, facts=facts, thoughts=thoughts)
        assert list(few) == list(expected)[:3]
    everything = expect(stored, query, facts=True, thoughts=True)
    known = index.scores(query, [*stored, 10**6])
    assert known == pytest.approx(everything, abs=1e-3)


@pytest.mark.parametrize("count", [0, 1, 7, 199])
def test_a_scope_is_searched_exactly(count: int, numbers: np.random.Generator) -> None:
    index, stored = VectorIndex(), Stored()
    for seq in range(1, 200):
        stored[seq] = (seq % 2 == 0, pack(make_vector(numbers)))
    index.apply([Change(seq, *given) for seq, given in stored.items()])
    within = numbers.permutation(np.arange(1, 200))[:count]
    query = make_vector(numbers)
    expected = expect(stored, query, facts=True, thoughts=True)
    found = index.search(query, 50, within=within.astype(np.int64))
    assert list(found) == [seq for seq in expected if seq in within][:50]


def test_a_scope_beyond_what_is_held(numbers: np.random.Generator) -> None:
    index = VectorIndex()
    index.apply([Change(1, False, pack(make_vector(numbers)))])
    within = np.array([1, 10**6], dtype=np.int64)
    assert list(index.search(make_vector(numbers), 5, within=within)) == [1]


def test_nothing_is_found_in_nothing(numbers: np.random.Generator) -> None:
    assert VectorIndex().search(make_vector(numbers), 5) == {}
    assert VectorIndex().scores(make_vector(numbers), [1]) == {}
