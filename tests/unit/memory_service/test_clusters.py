"""Groups of similar vectors, made in one pass."""

import numpy as np
import pytest

from memory_service.domain import clusters
from memory_service.domain.clusters import MAX_SOURCES, MIN_SOURCES, Clusters, Group
from memory_service.models.vectors import Vector

DIMENSION = 16


def toward(topic: int, angle: float = 0.0) -> Vector:
    """A unit vector of a topic, turned away from its middle."""
    vector = np.zeros(DIMENSION, dtype=np.float32)
    vector[topic], vector[DIMENSION - 1] = np.cos(angle), np.sin(angle)
    return vector


def group(
    vectors: list[Vector],
    users: list[str | None] | None = None,
    max_open: int = 64,
    page: int = 1000,
) -> list[Group]:
    """All groups, of vectors numbered from 1, given in pages."""
    found = Clusters(DIMENSION, max_open)
    seqs = np.arange(1, len(vectors) + 1, dtype=np.int64)
    users = users or [None] * len(vectors)
    complete: list[Group] = []
    for start in range(0, len(vectors), page):
        end = start + page
        rows = np.stack(vectors[start:end])
        complete += found.take(seqs[start:end], users[start:end], rows)
    return complete + found.finish()


def test_what_is_similar_comes_together() -> None:
    vectors = [toward(0), toward(1), toward(0, 0.3), toward(2), toward(0, 0.2)]
    vectors += [toward(1, 0.1), toward(1, 0.2)]
    assert group(vectors) == [[1, 3, 5], [2, 6, 7]]


def test_the_nearest_group_is_joined() -> None:
    right, left = toward(0), toward(0, 1.0)
    between = [toward(0, 0.6), toward(0, 0.7), toward(0, 0.4), toward(0, 0.1)]
    assert group([right, left, *between]) == [[1, 5, 6], [2, 3, 4]]


@pytest.mark.parametrize("copies", range(1, MIN_SOURCES + 2))
def test_a_few_are_no_group(copies: int) -> None:
    assert len(group([toward(0)] * copies)) == (copies >= MIN_SOURCES)


def test_users_never_meet() -> None:
    users: list[str | None] = ["ada", "bob", None, "ada", None, "bob", "ada", "bob"]
    assert group([toward(0)] * 8, users) == [[1, 4, 7], [2, 6, 8]]


def test_a_full_group_is_followed_by_another() -> None:
    sizes = [len(one) for one in group([toward(0)] * (2 * MAX_SOURCES + MIN_SOURCES))]
    assert sizes == [MAX_SOURCES, MAX_SOURCES, MIN_SOURCES]


def random_vectors(count: int, topics: int = 40) -> list[Vector]:
    rng = np.random.default_rng(7)
    middles = rng.normal(size=(topics, DIMENSION))
    rows = middles[rng.integers(0, topics, count)]
    rows += 0.3 * rng.normal(size=rows.shape)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return list(rows.astype(np.float32))


def plainly(vectors: list[Vector]) -> list[Group]:
    """The same by the definition, one by one, without bounds."""
    open_groups: list[tuple[Vector, Group]] = []
    complete: list[Group] = []
    for seq, vector in enumerate(vectors, 1):
        cosines = [float(leader @ vector) for leader, _ in open_groups]
        best = int(np.argmax(cosines)) if cosines else -1
        if best < 0 or cosines[best] < clusters.MIN_COSINE:
            open_groups.append((vector, [seq]))
            continue
        members = open_groups[best][1]
        members.append(seq)
        if len(members) == MAX_SOURCES:
            complete.append(members)
            del open_groups[best]
    rest = [members for _, members in open_groups if len(members) >= MIN_SOURCES]
    return complete + rest


@pytest.mark.parametrize("page", [1, 17, 256, 1000])
def test_pages_and_blocks_make_no_difference(page: int) -> None:
    vectors = random_vectors(700)
    expected = plainly(vectors)
    assert len(expected) > 20
    assert sorted(group(vectors, max_open=700, page=page)) == sorted(expected)


def test_each_memory_is_in_one_group_at_most() -> None:
    groups = group(random_vectors(2000), max_open=20, page=100)
    members = [seq for one in groups for seq in one]
    assert len(members) == len(set(members))
    assert all(MIN_SOURCES <= len(one) <= MAX_SOURCES for one in groups)


def test_the_oldest_group_makes_room() -> None:
    """Two topics of three, a long way apart; one group stays open."""
    apart = [toward(topic) for topic in range(1, 9)]
    vectors = [toward(0)] * 2 + apart + [toward(0)]
    assert group(vectors, max_open=64, page=1) == [[1, 2, 11]]
    assert group(vectors, max_open=4, page=1) == []


def test_what_a_cut_off_pass_left_makes_the_groups_that_it_would_have() -> None:
    vectors = random_vectors(600)
    whole = group(vectors, max_open=600)
    written = whole[: len(whole) // 2]
    gone = {seq for one in written for seq in one}
    left = [seq for seq in range(1, len(vectors) + 1) if seq not in gone]
    again = group([vectors[seq - 1] for seq in left], max_open=600)
    assert written + [[left[seq - 1] for seq in one] for one in again] == whole
