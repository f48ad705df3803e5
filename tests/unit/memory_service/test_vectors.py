"""The index against a plain computation of the same."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.support.vectors import (
    AGENT,
    MODEL,
    Matrix,
    add,
    build,
    make_vectors,
    nearest,
    pack,
    remove,
    restore,
    save,
)

from memory_service.models.vectors import Change, Part
from memory_service.providers.vectors import builds, part
from memory_service.providers.vectors.agent import AgentVectors
from memory_service.providers.vectors.codes import (
    CODE_BYTES,
    MappedCodes,
    near_cells,
    read_empty,
)
from memory_service.providers.vectors.part import FLAT_KIND, IVF_KIND

VECTORS = make_vectors(40)
QUERY = make_vectors(1, seed=7)[0]
# Numbers far apart, as after many deletions, among others side by side.
SEQS = [*range(1, 30), 20_000, 20_001, 5_000_000]
INDEXED = 9000

changes = some.builds(
    Change,
    some.sampled_from(SEQS),
    some.sampled_from(Part),
    some.none() | some.integers(0, len(VECTORS) - 1).map(lambda n: pack(VECTORS[n])),
)


def make_index() -> AgentVectors:
    return AgentVectors(AGENT, MODEL)


@pytest.fixture(scope="module")
def many() -> Matrix:
    return make_vectors(INDEXED)


@pytest.fixture(scope="module")
def built(many: Matrix, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of an index of codes, small for the test's sake."""
    folder = tmp_path_factory.mktemp("built")
    index = AgentVectors(AGENT, MODEL, folder)
    add(index, many)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builds, "MAX_FLAT", INDEXED // 2)
        assert build(index) == "grown"
    save(index)
    return folder


@pytest.fixture
def indexed(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AgentVectors:
    """Codes of `many` under numbers from 1 on."""
    monkeypatch.setattr(part, "MAX_GATHERED", 500)
    restored = restore(shutil.copytree(built, tmp_path / "copy"))
    assert restored is not None
    assert restored.vectors.kind == IVF_KIND
    return restored.vectors


@settings(max_examples=60, deadline=None)
@given(
    some.lists(some.lists(changes, max_size=12), max_size=8),
    some.sets(some.sampled_from(SEQS)),
)
def test_any_changes_leave_what_they_say(
    pages: list[list[Change]], scope: set[int]
) -> None:
    index, stored = make_index(), dict[int, Change]()
    for page in pages:
        index.apply(page)
        for change in page:
            stored.pop(change.memory_seq, None)
            if change.vector:
                stored[change.memory_seq] = change
        assert len(index) == len(stored)
    within = np.array(sorted(scope), dtype=np.int64)
    for parts in ({Part.FACTS}, {Part.THOUGHTS, Part.PAST}, set(Part)):
        cosines = {
            seq: float(np.frombuffer(change.vector or b"", "<f2") @ QUERY)
            for seq, change in stored.items()
            if change.part in parts
        }
        found = index.search(QUERY, 100, parts=parts)
        assert found == pytest.approx(cosines, abs=1e-3)
        assert list(found.values()) == sorted(found.values(), reverse=True)
        few = index.search(QUERY, 3, parts=parts)
        assert list(few.values()) == list(found.values())[:3]
        scoped = index.search(QUERY, 100, parts=parts, within=within)
        assert scoped.keys() == cosines.keys() & scope
    known = index.scores(QUERY, [*SEQS, 10**9])
    assert known.keys() == stored.keys()


def test_nothing_is_found_in_nothing() -> None:
    index = make_index()
    assert index.search(QUERY, 5) == {}
    assert index.search(QUERY, 5, within=np.array([1, 2])) == {}
    assert index.scores(QUERY, [1]) == {}
    index.apply([Change(1, Part.FACTS, None)])
    assert (len(index), index.kind, index.due()) == (0, FLAT_KIND, None)


def test_a_scope_beyond_what_is_held() -> None:
    index = make_index()
    add(index, VECTORS[:1])
    within = np.array([1, 10**6], dtype=np.int64)
    assert list(index.search(QUERY, 5, within=within)) == [1]


def test_what_is_opposite_is_found_rather_than_what_was_removed() -> None:
    index = make_index()
    add(index, np.stack([-QUERY, VECTORS[0]]))
    remove(index, [2])
    assert list(index.search(QUERY, 1)) == [1]


def test_codes_find_what_a_comparison_with_all_finds(
    indexed: AgentVectors, many: Matrix
) -> None:
    stored = dict(enumerate(many, start=1))
    for limit, share in ((10, 0.99), (100, 0.97), (1000, 0.97)):
        found = 0
        queries = make_vectors(100, seed=3)
        for query in queries:
            true = nearest(stored, query, limit)
            cosines = indexed.search(query, limit)
            assert len(cosines) == limit
            assert cosines == pytest.approx(
                {s: stored[s] @ query for s in cosines}, abs=1e-3
            )
            found += len(cosines.keys() & set(true))
        assert found >= share * limit * len(queries)


def test_more_results_than_codes_are_asked_for(indexed: AgentVectors) -> None:
    assert len(indexed.search(QUERY, INDEXED)) == INDEXED
    assert len(indexed.search(QUERY, 10**6)) == INDEXED


@pytest.mark.parametrize("size", [1, 30, 499, 501, 3000])
def test_a_scope_gives_all_that_it_has(
    indexed: AgentVectors, many: Matrix, size: int
) -> None:
    within = np.random.default_rng(size).choice(INDEXED, size, replace=False) + 1
    stored = {int(seq): many[seq - 1] for seq in within}
    found = indexed.search(QUERY, 10, within=within)
    true = nearest(stored, QUERY, 10)
    assert len(found) == min(10, size)
    assert len(found.keys() & set(true)) >= 0.9 * len(true)
    assert indexed.search(QUERY, 5000, within=within).keys() == stored.keys()


def test_a_scope_far_from_the_query_gives_all_that_it_has(
    indexed: AgentVectors, many: Matrix
) -> None:
    farthest = np.argsort(many @ QUERY)[:600] + 1
    found = indexed.search(QUERY, 590, within=farthest)
    assert len(found) == 590
    assert found.keys() <= set(farthest.tolist())


def test_a_new_vector_is_found_at_once(indexed: AgentVectors) -> None:
    add(indexed, QUERY[np.newaxis], first=10**6)
    assert next(iter(indexed.search(QUERY, 3))) == 10**6
    assert indexed.search(QUERY, 1)[10**6] == pytest.approx(1, abs=1e-3)


def test_a_removed_vector_is_gone_at_once(indexed: AgentVectors) -> None:
    gone = list(indexed.search(QUERY, 300))
    remove(indexed, gone)
    assert len(indexed) == INDEXED - 300
    assert len(indexed.search(QUERY, 300).keys() - set(gone)) == 300
    assert indexed.search(QUERY, 5, within=np.array(gone)) == {}
    assert indexed.scores(QUERY, gone) == {}


def test_a_changed_vector_is_found_where_it_went(indexed: AgentVectors) -> None:
    add(indexed, -QUERY[np.newaxis], first=1)
    assert indexed.scores(QUERY, [1])[1] == pytest.approx(-1, abs=1e-3)
    assert next(iter(indexed.search(-QUERY, 3))) == 1
    assert len(indexed) == INDEXED


def test_a_memory_that_is_superseded_is_found_among_the_past(
    indexed: AgentVectors, many: Matrix
) -> None:
    indexed.apply([Change(5, Part.PAST, pack(many[4]))])
    assert 5 not in indexed.search(many[4], 50, parts={Part.FACTS, Part.THOUGHTS})
    assert list(indexed.search(many[4], 50, parts={Part.PAST})) == [5]
    assert next(iter(indexed.search(many[4], 5))) == 5


def test_what_came_and_went_is_settled_in_a_file(
    indexed: AgentVectors, many: Matrix
) -> None:
    """Whole blocks stay, others are packed anew: each finds what it found before."""
    later = make_vectors(1500, seed=5)
    add(indexed, later, first=INDEXED + 1)
    gone = [*range(1, 400), *range(2000, INDEXED, 7), INDEXED + 3]
    remove(indexed, gone)
    stored = dict(enumerate([*many, *later], start=1))
    living = {seq: stored[seq] for seq in stored.keys() - set(gone)}
    queries = make_vectors(60, seed=3)
    before = [indexed.search(query, 40) for query in queries]
    private_bytes = indexed.private_bytes
    save(indexed)
    assert [indexed.search(query, 40) for query in queries] == before
    assert indexed.private_bytes < private_bytes - 1400 * CODE_BYTES
    save(indexed, seq=2)
    true = [nearest(living, query, 40) for query in queries]
    found = sum(len(a.keys() & set(b)) for a, b in zip(before, true, strict=True))
    assert found >= 0.97 * 40 * len(queries)


def test_the_codes_of_what_was_removed_leave_the_file(
    indexed: AgentVectors, tmp_path: Path
) -> None:
    remove(indexed, [77])
    save(indexed)
    (file,) = (tmp_path / "copy").glob("*.codes")
    assert len(MappedCodes(file)) == INDEXED - 1
    add(indexed, QUERY[np.newaxis], first=10**6)
    remove(indexed, [10**6])
    save(indexed)
    (file,) = (tmp_path / "copy").glob("*.codes")
    assert len(MappedCodes(file)) == INDEXED - 1


def test_cells_are_looked_at_as_far_as_their_centres_are_like_the_query(
    indexed: AgentVectors, tmp_path: Path
) -> None:
    (file,) = (tmp_path / "copy").glob("*.codes")
    index = read_empty(MappedCodes(file).head)
    centres = index.quantizer.reconstruct_n(0, index.nlist)
    on_a_centre, between = centres[3], centres[:8].sum(axis=0)
    counts = []
    for vector in (on_a_centre, between / np.linalg.norm(between)):
        numbers, likeness = near_cells(index, vector, 0.4, index.nlist)
        cosines = centres @ vector
        assert set(numbers) == set(np.flatnonzero(cosines >= cosines.max() - 0.4))
        assert np.allclose(likeness, cosines[numbers], atol=1e-6)
        few = near_cells(index, vector, 0.4, 5).numbers
        assert list(few) == list(numbers[:5])
        counts.append(len(numbers))
    assert counts[0] < counts[1]


def test_many_that_are_near_and_gone_hide_nobody(indexed: AgentVectors) -> None:
    """As many as are compared exactly may be gone from a file that is searched."""
    nearest_first = list(indexed.search(QUERY, 1500))
    remove(indexed, nearest_first[:1400])
    found = indexed.search(QUERY, 10)
    assert len(found.keys() & set(nearest_first[1400:1415])) >= 9


def test_all_codes_can_go_and_others_come(indexed: AgentVectors) -> None:
    remove(indexed, range(1, INDEXED + 1))
    save(indexed)
    assert indexed.search(QUERY, 5) == {}
    add(indexed, VECTORS, first=10**6)
    assert len(indexed.search(QUERY, 100)) == len(VECTORS)
