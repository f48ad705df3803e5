"""Parts made anew: what a build finds, what changes meanwhile, how it ends."""

import threading
from pathlib import Path

import numpy as np
import pytest
from tests.support.vectors import (
    AGENT,
    MODEL,
    Matrix,
    add,
    build,
    make_vectors,
    nearest,
    normalise,
    pack,
    remove,
    restore,
    save,
)

from memory_service.models.vectors import Change, Part
from memory_service.providers.vectors import builds, ivf
from memory_service.providers.vectors.agent import AgentVectors, Build, BuildAborted
from memory_service.providers.vectors.part import FLAT_KIND, IVF_KIND

# Small for the test's sake.
MAX_FLAT = 4000
FIRST = 4100
MIN_ERASED = 300


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "MAX_FLAT", MAX_FLAT)
    monkeypatch.setattr(builds, "MIN_ERASED", MIN_ERASED)
    monkeypatch.setattr(builds, "FINISHING_ROWS", 50)


@pytest.fixture(scope="module")
def vectors() -> Matrix:
    return make_vectors(3 * FIRST)


@pytest.fixture
def index(vectors: Matrix, tmp_path: Path) -> AgentVectors:
    """So many that a first build is due."""
    made = AgentVectors(AGENT, MODEL, tmp_path)
    add(made, vectors[:FIRST])
    return made


def due(index: AgentVectors) -> Build:
    found = index.due()
    assert found is not None
    return found


def names(folder: Path, ending: str) -> list[str]:
    return sorted(path.name for path in folder.glob(f"*.{ending}"))


def check_holds(index: AgentVectors, stored: dict[int, Matrix]) -> None:
    """Everything is found, and nothing else."""
    assert len(index) == len(stored)
    assert index.search(make_vectors(1, 7)[0], 10**6).keys() == stored.keys()
    found = 0
    queries = make_vectors(40, seed=3)
    for query in queries:
        true = nearest(stored, query, 10)
        found += len(index.search(query, 10).keys() & set(true))
    assert found >= 0.98 * 10 * len(queries)


def test_a_part_is_built_when_it_has_grown(
    index: AgentVectors, vectors: Matrix, tmp_path: Path
) -> None:
    assert index.kind == FLAT_KIND
    assert build(index) == "grown"
    assert (index.kind, index.due()) == (IVF_KIND, None)
    add(index, vectors[FIRST : 2 * FIRST - 1], first=FIRST + 1)
    assert index.due() is None or index.due().reason != "grown"  # type: ignore[union-attr]
    add(index, vectors[2 * FIRST - 1 : 2 * FIRST], first=2 * FIRST)
    assert build(index) == "grown"
    check_holds(index, dict(enumerate(vectors[: 2 * FIRST], start=1)))
    assert names(tmp_path, "codes") == []
    assert not list(tmp_path.glob("build-*"))


def test_the_parts_are_built_each_by_itself(vectors: Matrix) -> None:
    index = AgentVectors(AGENT, MODEL)
    add(index, vectors[:FIRST])
    add(index, vectors[:10], first=FIRST + 1, part=Part.THOUGHTS)
    assert due(index).name is Part.FACTS
    assert build(index) == "grown"
    assert index.due() is None
    found = index.search(vectors[0], 20, parts={Part.THOUGHTS})
    assert found.keys() == set(range(FIRST + 1, FIRST + 11))


def test_what_changes_during_a_build_is_in_it(
    index: AgentVectors, vectors: Matrix
) -> None:
    stored = dict(enumerate(vectors[:FIRST], start=1))
    building = due(index)
    building.run()
    assert index.due() is None
    add(index, vectors[FIRST : FIRST + 100], first=FIRST + 1)
    stored |= dict(enumerate(vectors[FIRST : FIRST + 100], start=FIRST + 1))
    gone = [1, 2, FIRST, FIRST + 1, FIRST + 100]
    remove(index, gone)
    add(index, vectors[-1:], first=1)
    index.finish(building)
    stored = {seq: v for seq, v in stored.items() if seq not in gone}
    check_holds(index, stored | {1: vectors[-1]})
    assert index.kind == IVF_KIND
    assert next(iter(index.search(vectors[-1], 1))) == 1


def test_changes_go_on_beside_a_build(index: AgentVectors, vectors: Matrix) -> None:
    stored = dict(enumerate(vectors[:FIRST], start=1))
    building = due(index)
    thread = threading.Thread(target=building.run)
    thread.start()
    seq = FIRST
    while thread.is_alive() or seq < FIRST + 200:
        if seq < 3 * FIRST - 1:
            seq += 1
            index.apply(
                [
                    Change(seq, Part.FACTS, pack(vectors[seq])),
                    Change(seq - FIRST, Part.FACTS, None),
                ]
            )
            stored[seq] = vectors[seq]
            del stored[seq - FIRST]
    thread.join()
    index.finish(building)
    check_holds(index, stored)


def test_erased_rows_are_left_behind(
    index: AgentVectors, vectors: Matrix, tmp_path: Path
) -> None:
    build(index)
    save(index)
    before = names(tmp_path, "vectors")
    stored = dict(enumerate(vectors[:FIRST], start=1))
    for seq in range(1, FIRST, 4):
        del stored[seq]
    remove(index, range(1, FIRST, 4))
    building = due(index)
    building.run()
    # What was copied already.
    remove(index, [2, 3])
    add(index, vectors[-2:-1], first=6)
    index.finish(building)
    stored = stored | {6: vectors[-2]}
    del stored[2], stored[3]
    assert building.reason == "erased"
    # Fewer than an index of codes is worth.
    assert index.kind == FLAT_KIND
    check_holds(index, stored)
    assert restore(tmp_path) is None
    save(index)
    assert len(names(tmp_path, "vectors")) == 1
    assert names(tmp_path, "vectors") != before
    restored = restore(tmp_path)
    assert restored is not None
    check_holds(restored.vectors, stored)


def test_a_build_that_is_aborted_changes_nothing(
    index: AgentVectors, vectors: Matrix
) -> None:
    building = due(index)
    building.abort()
    with pytest.raises(BuildAborted):
        building.run()
    assert index.kind == FLAT_KIND
    add(index, vectors[FIRST : FIRST + 10], first=FIRST + 1)
    assert build(index) == "grown"
    check_holds(index, dict(enumerate(vectors[: FIRST + 10], start=1)))


def test_a_build_that_was_not_begun_is_due_still(index: AgentVectors) -> None:
    assert due(index) is due(index)


def test_codes_that_find_too_little_are_not_used(
    index: AgentVectors, vectors: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ivf, "LADDER", ((0.0, 0.02, 12),))
    monkeypatch.setattr(ivf, "CANDIDATES_PER_RESULT", 1)
    assert build(index) == "grown"
    assert index.kind == FLAT_KIND
    # Not again before there are many more.
    assert index.due() is None
    check_holds(index, dict(enumerate(vectors[:FIRST], start=1)))


def test_more_is_looked_at_where_little_is_found(
    index: AgentVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ivf, "LADDER", ((0.0, 0.02, 12), (2.0, 1.0, 800)))
    build(index)
    assert index.kind == IVF_KIND


def test_other_vectors_than_it_was_trained_on_make_a_build_due(
    index: AgentVectors, vectors: Matrix
) -> None:
    build(index)
    dice = np.random.default_rng(5)
    other = normalise(dice.standard_normal((2050, vectors.shape[1])).astype("f4"))
    add(index, vectors[FIRST : FIRST + 2000], first=FIRST + 1)
    assert index.due() is None
    add(index, other, first=10 * FIRST)
    assert due(index).reason == "drifted"


def test_an_index_without_a_folder_leaves_no_files(
    vectors: Matrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    index = AgentVectors(AGENT, MODEL)
    add(index, vectors[:FIRST])
    assert build(index) == "grown"
    assert list(tmp_path.iterdir()) == []
    # Codes and tables, no vectors.
    assert index.private_bytes < 120 * FIRST
    with pytest.raises(OSError, match="no folder"):
        index.capture(1, "1")
