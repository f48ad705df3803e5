"""The vectors of one part of an agent's memories."""

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from memory_service.models.vectors import Seqs, Vector
from memory_service.providers.vectors.growing import Bytes
from memory_service.providers.vectors.ivf import Ivf
from memory_service.providers.vectors.rows import (
    ERASED,
    Cosines,
    VectorRows,
    View,
    decode,
)
from memory_service.providers.vectors.slots import Slots, SlotTable

FLAT_KIND = "faiss-flat-fp16"
IVF_KIND = "faiss-ivf-pq96x4fs"
# Up to here all vectors are compared, in 0.02 ms for each thousand.
MAX_FLAT = 50_000
# A scope up to here is compared whole, copied together in 0.1 ms for each thousand.
MAX_GATHERED = 30_000
# Codes cost as much for each candidate as a comparison with so many vectors: from
# there on all are compared.
SCANNED_PER_CANDIDATE = 5
GATHERED_TOGETHER = 4096
# More at once would only leave the process with more memory that it once used.
INDEXED_TOGETHER = 1024

Found = tuple[Seqs, Cosines]


class PartVectors:
    """Rows, where each memory's is, and from MAX_FLAT on an index of codes.

    Searches may run side by side, but not beside a change.
    """

    def __init__(self, rows: VectorRows, table: SlotTable | None = None) -> None:
        self.rows = rows
        self.table = table or SlotTable()
        self.ivf: Ivf | None = None
        # How many vectors there were when an index was last trained, or tried to.
        self.tried = 0
        # Slots erased while a build reads the rows.
        self.erased_meanwhile: deque[Slots] | None = None
        self._view = rows.view()

    @classmethod
    def over(cls, rows: VectorRows) -> "PartVectors":
        """A part that has all of `rows`."""
        part = cls(rows)
        slots = np.flatnonzero(rows.seqs() != ERASED)
        part.table.put(rows.seqs()[slots], slots)
        return part

    def __len__(self) -> int:
        return self.rows.count - self.rows.erased

    @property
    def kind(self) -> str:
        """How it is searched."""
        return IVF_KIND if self.ivf else FLAT_KIND

    @property
    def private_bytes(self) -> int:
        """About what it takes of memory that no file backs."""
        codes = self.ivf.private_bytes if self.ivf else 0
        return codes + self.rows.private_bytes + self.table.size_bytes

    def refresh(self) -> None:
        """Sees rows that were appended to `rows` itself."""
        self._view = self.rows.view()

    def add(self, seqs: Seqs, codes: Bytes) -> None:
        """Vectors of memories that it does not have; OSError."""
        slots = self.rows.append(seqs, codes)
        self.table.put(seqs, slots)
        self.refresh()
        if self.ivf:
            for start in range(0, len(slots), INDEXED_TOGETHER):
                some = slice(start, start + INDEXED_TOGETHER)
                self.ivf.add(slots[some], decode(codes[some]))

    def remove(self, seqs: Seqs) -> None:
        """Erases the vectors of memories that it has."""
        slots = self.table.find(seqs)
        if self.erased_meanwhile is not None:
            self.erased_meanwhile.append(slots)
        if self.ivf:
            self.ivf.remove(slots)
        self.rows.erase(slots)
        self.table.drop(seqs)

    def search(self, vector: Vector, limit: int, within: Seqs | None) -> Found:
        """The nearest memories, best first: all of `limit` if there are as many."""
        if within is None:
            slots, cosines = self._search(vector, limit)
        else:
            scope = self.table.find(within)
            only = np.zeros(self.rows.count, dtype=bool)
            only[scope[scope >= 0]] = True
            slots, cosines = self._search_scope(vector, limit, only)
        return self.rows.seqs()[slots], cosines

    def scores(self, vector: Vector, seqs: Seqs) -> Found:
        """The cosines of the memories that it has."""
        slots = self.table.find(seqs)
        here = slots >= 0
        return seqs[here], decode(self.rows.codes(slots[here])) @ vector

    def _search(self, vector: Vector, limit: int) -> tuple[Slots, Cosines]:
        if self.ivf is None or self._is_wide(self.ivf, limit):
            return self._scan(vector, limit)
        found = self._compare(vector, limit, self.ivf.candidates(vector, limit))
        if len(found[0]) < min(limit, len(self)):
            return self._scan(vector, limit)
        return found

    def _search_scope(
        self, vector: Vector, limit: int, only: NDArray[np.bool_]
    ) -> tuple[Slots, Cosines]:
        count = int(np.count_nonzero(only))
        if count <= MAX_GATHERED:
            return self._compare(vector, limit, np.flatnonzero(only))
        if self.ivf is None or self._is_wide(self.ivf, limit):
            return self._view.search(vector, limit, only)
        found = self._compare(vector, limit, self.ivf.candidates(vector, limit, only))
        if len(found[0]) < min(limit, count):
            return self._view.search(vector, limit, only)
        return found

    def _is_wide(self, ivf: Ivf, limit: int) -> bool:
        return ivf.wanted(limit) * SCANNED_PER_CANDIDATE > len(self)

    def _scan(self, vector: Vector, limit: int) -> tuple[Slots, Cosines]:
        living = self.rows.seqs() != ERASED if self.rows.erased else None
        return self._view.search(vector, limit, living)

    def _compare(
        self, vector: Vector, limit: int, slots: Slots
    ) -> tuple[Slots, Cosines]:
        found = [
            (some[places], cosines)
            for some in _runs(slots)
            for places, cosines in [View(self.rows.codes(some)).search(vector, limit)]
        ]
        if len(found) == 1:
            return found[0]
        return best_of(found, limit)


def best_of(
    found: list[tuple[NDArray[np.int64], Cosines]], limit: int
) -> tuple[NDArray[np.int64], Cosines]:
    """The best of several findings, best first."""
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    numbers = np.concatenate([numbers for numbers, _ in found])
    cosines = np.concatenate([cosines for _, cosines in found])
    order = np.argsort(-cosines, kind="stable")[:limit]
    return numbers[order], cosines[order]


def _runs(slots: Slots) -> Iterator[Slots]:
    for start in range(0, len(slots), GATHERED_TOGETHER):
        yield slots[start : start + GATHERED_TOGETHER]
