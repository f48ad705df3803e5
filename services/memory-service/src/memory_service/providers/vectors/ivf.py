"""Many vectors searched by cells of compact codes: FAISS IVF, PQ96 of 4 bits, FastScan.

A search looks at the cells whose centres are nearly as like the query as the nearest
one's: many where the query lies between them, few where it does not. At 1,000,000
vectors of sentences these are 200 of 1,024 cells on the mean; with 400 candidates
compared exactly, 0.995 of the true ten nearest are found in 0.8 ms. The 512 nearest
cells of each query find as many, and take 2.1 ms.
"""

import math
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from memory_service.models.vectors import Vector
from memory_service.providers.vectors.codes import (
    CODE_BYTES,
    Cells,
    Head,
    MappedCodes,
    lists_of,
    near_cells,
    read_empty,
    search_codes,
    write_codes,
)
from memory_service.providers.vectors.growing import Bytes
from memory_service.providers.vectors.rows import (
    DIMENSION,
    ERASED,
    VectorRows,
    View,
    decode,
)
from memory_service.providers.vectors.slots import Slots

Matrix = NDArray[np.float32]

CODES = "PQ96x4fs"
# In memory, with its slot, which FAISS keeps in eight bytes.
ENTRY_BYTES = CODE_BYTES + 8
# Cells: the power of two nearest to the root of the vectors, in these bounds.
MIN_CELLS, MAX_CELLS = 64, 8192
# Vectors that the cells are trained on: 75 MB at 1,024 cells. FAISS warns below 39.
TRAINED_PER_CELL = 48
TRAINING_ROUNDS = 10
# Where more than the nearest ten are wanted: of the true 1,000 so many are found too.
CANDIDATES_PER_RESULT = 12
# Beyond so many results cells are looked at that are farther away, by a quarter, and at
# most half as many more: of the true 1,000 nearest 0.99 are found then.
FEW_RESULTS = 50
WIDER_REACH = 5 / 4
WIDER_CELLS = 3 / 2
# No two cosines are farther apart.
EVERYWHERE = 2.0
# What is tried, in this order, until enough is found: how much less like the query than
# the nearest cell's a centre may be, share of the cells looked at at most, candidates
# compared exactly.
LADDER = (
    (0.32, 1 / 2, 400),
    (0.36, 1 / 2, 400),
    (0.40, 1 / 2, 400),
    (0.44, 1 / 2, 400),
    (0.50, 3 / 4, 400),
    (0.60, 3 / 4, 800),
    (EVERYWHERE, 1.0, 1600),
)
# Of the true ten nearest, how many are found at least. A sample of so many queries says
# it with an error of 0.001: no further effort is tried where it finds twice that more.
# With 200 it was 0.002, and the effort at a million 1.7 times what was needed.
MIN_RECALL = 0.99
SURE_RECALL = 0.992
CHECKED_NEAREST = 10
CHECKED_QUERIES = 600
# After loading: vectors that are searched for, and how many find themselves.
LOADED_QUERIES = 64
MIN_FOUND_AGAIN = 0.95


class BuildAborted(Exception):
    """The build was told to end."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of the index a search looks at.

    Cells whose centres have at least the nearest one's cosine less `reach`, but at most
    `cells` of them.
    """

    reach: float
    cells: int
    candidates: int


class Ivf:
    """Codes by slot. Searches may run side by side, but not beside a change.

    Those of a file lie there; what comes is in memory until it is settled in another.
    """

    # FAISS' stubs know the C++ signatures, not those of its Python: Any here.

    def __init__(
        self, settled: MappedCodes, effort: Effort, trained_rows: int, error: float
    ) -> None:
        # Searches under way go on with what they began with.
        self._held: tuple[MappedCodes, Any] = settled, read_empty(settled.head)
        self.effort = effort
        # How many rows there were when it was trained, and how far their codes were
        # from them, in squared distance.
        self.trained_rows = trained_rows
        self.error = error
        # Entries removed so far: whether a file of it has what is gone here.
        self.removals = 0

    def __len__(self) -> int:
        settled, fresh = self._held
        return len(settled) + int(fresh.ntotal)

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return int(self._held[1].nlist)

    @property
    def private_bytes(self) -> int:
        """What it takes of memory that no file backs."""
        fresh = int(self._held[1].ntotal) * ENTRY_BYTES
        return fresh + 2 * self.cells * DIMENSION * 4

    def add(self, slots: Slots, vectors: Matrix) -> None:
        """New entries, found at once: 0.1 ms for one, 0.02 for each of many."""
        self._held[1].add_with_ids(vectors, slots)

    def remove(self, slots: Slots) -> None:
        """Takes entries out."""
        settled, fresh = self._held
        self.removals += settled.drop(slots)
        if fresh.ntotal:
            self.removals += int(fresh.remove_ids(np.ascontiguousarray(slots)))

    def wanted(self, limit: int) -> int:
        """How many candidates are compared exactly for so many results."""
        return max(self.effort.candidates, limit * CANDIDATES_PER_RESULT)

    def candidates(
        self, vector: Vector, limit: int, only: NDArray[np.bool_] | None = None
    ) -> Slots:
        """Slots, among them nearly all of the nearest `limit`, in no order."""
        settled, fresh = self._held
        wanted = self.wanted(limit)
        cells = self._near_cells(vector, limit)
        bits: Bytes | None = None
        if only is not None:
            bits = np.packbits(only, bitorder="little")
        likeness, slots = settled.search(vector, wanted, cells, bits)
        if fresh.ntotal:
            found = search_codes(fresh, vector, wanted, cells, bits)
            likeness = np.concatenate([likeness, found[0]])
            slots = np.concatenate([slots, found[1]])
            slots = slots[np.argpartition(-likeness, wanted - 1)[:wanted]]
        return slots[slots >= 0]

    def _near_cells(self, vector: Vector, limit: int) -> Cells:
        reach, most = self.effort.reach, self.effort.cells
        if limit > FEW_RESULTS:
            reach *= WIDER_REACH
            most = min(math.ceil(most * WIDER_CELLS), self.cells)
        return near_cells(self._held[1], vector, reach, most)

    def settle(self, path: Path) -> None:
        """Writes all into a file, not yet synced, which it then has open; OSError.

        Not beside a change.
        """
        settled, fresh = self._held
        write_codes(path, settled.head, settled.merged(fresh))
        settled = _open(path)
        self._held = settled, read_empty(settled.head)

    def measure_error(self, vectors: Matrix) -> float:
        """The mean squared distance of vectors from what their codes say."""
        return _measure_error(self._held[1].pq, vectors)

    def finds_again(self, rows: VectorRows) -> bool:
        """Whether stored vectors find themselves: codes and slots belong together."""
        slots = sample_slots(rows, 0, rows.count, LOADED_QUERIES)
        vectors = decode(rows.codes(slots))
        found = sum(
            slot in self.candidates(vector, CHECKED_NEAREST)
            for slot, vector in zip(slots, vectors, strict=True)
        )
        return found >= MIN_FOUND_AGAIN * len(slots)


def read_ivf(path: Path, effort: Effort, trained_rows: int, error: float) -> Ivf:
    """From a file that is known to be whole, and is no more needed then; OSError."""
    return Ivf(_open(path), effort, trained_rows, error)


def _open(path: Path) -> MappedCodes:
    try:
        return MappedCodes(path)
    except RuntimeError as error:
        raise OSError(f"{path.name}: {error}") from None


class Training:
    """Makes an Ivf of the rows that there are, and learns how much effort it needs."""

    def __init__(
        self, rows: VectorRows, count: int, threads: int, aborted: threading.Event
    ) -> None:
        self._rows = rows
        self._count = count
        self._threads = threads
        self._aborted = aborted

    def run(self, scratch: Path) -> Ivf | None:
        """None where too little would be found; BuildAborted, OSError.

        `scratch` is a file that it may write, and that may be removed afterwards.
        """
        slots = sample_slots(self._rows, 0, self._count, CHECKED_QUERIES)
        queries = decode(self._rows.codes(slots))
        # Training is many short steps: threads that wait for one another on a busy
        # machine take ten times as long as one alone.
        faiss.omp_set_num_threads(1)
        index = self._train()
        head: Head = faiss.serialize_index(index)
        error = _measure_error(index.pq, queries)
        faiss.omp_set_num_threads(self._threads)
        nearest = self._fill(index, slots, queries)
        faiss.omp_set_num_threads(1)
        write_codes(scratch, head, lists_of(index))
        unknown = Effort(EVERYWHERE, index.nlist, 1)
        ivf = read_ivf(scratch, unknown, self._count, error)
        del index
        return ivf if self._settle(ivf, queries, nearest) else None

    def _train(self) -> Any:
        living = self._count - self._rows.erased
        cells = 2 ** round(math.log2(math.sqrt(max(living, 1))))
        cells = min(max(cells, MIN_CELLS), MAX_CELLS)
        sample = decode(
            self._rows.codes(
                sample_slots(self._rows, 0, self._count, cells * TRAINED_PER_CELL)
            )
        )
        index: Any = faiss.index_factory(
            DIMENSION, f"IVF{cells},{CODES}", faiss.METRIC_INNER_PRODUCT
        )
        clusters = faiss.Clustering(DIMENSION, cells)
        clusters.spherical = True
        clusters.niter = 1
        clusters.max_points_per_centroid = TRAINED_PER_CELL
        for _ in range(TRAINING_ROUNDS):
            # One round at a time, so that it can be told to end.
            self._check()
            index.quantizer.reset()
            clusters.train(sample, index.quantizer)
        index.train(sample)
        return index

    def _fill(self, index: Any, slots: Slots, queries: Matrix) -> list[set[int]]:
        """Adds all; the true nearest of each query, but for itself."""
        best_slots = np.empty((len(queries), 0), dtype=np.int64)
        best = np.empty((len(queries), 0), dtype=np.float32)
        for chunk, _, codes in self._rows.chunks(0, self._count):
            self._check()
            vectors = decode(codes)
            index.add_with_ids(vectors, chunk)
            cosines = queries @ vectors.T
            cosines[slots[:, np.newaxis] == chunk] = -np.inf
            best = np.hstack([best, cosines])
            best_slots = np.hstack(
                [best_slots, np.broadcast_to(chunk, (len(queries), len(chunk)))]
            )
            kept = np.argpartition(-best, min(CHECKED_NEAREST, best.shape[1]) - 1)
            kept = kept[:, :CHECKED_NEAREST]
            best = np.take_along_axis(best, kept, axis=1)
            best_slots = np.take_along_axis(best_slots, kept, axis=1)
        return [set(row.tolist()) for row in best_slots]

    def _settle(self, ivf: Ivf, queries: Matrix, nearest: list[set[int]]) -> bool:
        """Chooses the least effort that finds enough; whether there is one."""
        # None, where all were erased meanwhile.
        total, found = sum(map(len, nearest)), 0
        for reach, share, candidates in LADDER:
            ivf.effort = Effort(reach, math.ceil(share * ivf.cells), candidates)
            found = 0
            for query, wanted in zip(queries, nearest, strict=True):
                self._check()
                found += len(wanted & self._find(ivf, query))
            if found >= SURE_RECALL * total:
                break
        return found >= MIN_RECALL * total

    def _find(self, ivf: Ivf, query: Vector) -> set[int]:
        slots = ivf.candidates(query, CHECKED_NEAREST)
        # The query itself is stored, and the first.
        places, _ = View(self._rows.codes(slots)).search(query, CHECKED_NEAREST + 1)
        return set(slots[places].tolist())

    def _check(self) -> None:
        if self._aborted.is_set():
            raise BuildAborted


def _measure_error(pq: Any, vectors: Matrix) -> float:
    decoded = pq.decode(pq.compute_codes(vectors))
    return float(np.square(decoded - vectors).sum(axis=1).mean())


def sample_slots(rows: VectorRows, start: int, end: int, size: int) -> Slots:
    """Slots of about so many rows that are not erased, evenly spread."""
    living = start + np.flatnonzero(rows.seqs()[start:end] != ERASED)
    chosen = np.linspace(0, len(living) - 1, min(size, len(living)))
    slots: Slots = living[chosen.astype(np.int64)]
    return slots
