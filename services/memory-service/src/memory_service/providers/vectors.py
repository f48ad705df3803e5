"""One agent's vectors, searched exactly: FAISS, float16, inner product."""

from collections.abc import Sequence
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from memory_service.models import Change, Seqs, Vector

KIND = "faiss-flat-fp16"
DIMENSION = 384

# Where a memory's vector is, by its number.
_NOWHERE, _FACTS, _THOUGHTS = 0, 1, 2
# The table of places grows by this many numbers at a time.
_PLACES_STEP = 4096

faiss.omp_set_num_threads(1)


class VectorIndex:
    """Facts and thoughts lie apart, so that neither crowds out the other.

    Not safe to change while it is searched.
    """

    def __init__(self) -> None:
        self._halves = {_FACTS: _make_half(), _THOUGHTS: _make_half()}
        self._places = np.zeros(_PLACES_STEP, dtype=np.uint8)

    def __len__(self) -> int:
        return sum(half.ntotal for half in self._halves.values())

    def apply(self, changes: Sequence[Change]) -> None:
        """Adds, replaces and removes, as the changes say; each memory once."""
        newest = {change.memory_seq: change for change in changes}
        fresh = [change for change in newest.values() if not self._holds(change)]
        for place in self._halves:
            self._remove(place, [c.memory_seq for c in fresh])
        for place, thought in ((_FACTS, False), (_THOUGHTS, True)):
            self._add(place, [c for c in fresh if c.vector and c.thought is thought])

    def search(
        self,
        vector: Vector,
        limit: int,
        *,
        facts: bool = True,
        thoughts: bool = True,
        within: Seqs | None = None,
    ) -> dict[int, float]:
        """The cosines of the nearest memories, of the halves and numbers chosen."""
        options = None if within is None else _only(within)
        found: dict[int, float] = {}
        for place, wanted in ((_FACTS, facts), (_THOUGHTS, thoughts)):
            half = self._halves[place]
            if wanted and half.ntotal:
                scores, seqs = half.search(
                    vector[np.newaxis], min(limit, half.ntotal), params=options
                )
                found |= zip(seqs[0].tolist(), scores[0].tolist(), strict=True)
        found.pop(-1, None)
        best = sorted(found, key=found.__getitem__, reverse=True)[:limit]
        return {seq: found[seq] for seq in best}

    def scores(self, vector: Vector, seqs: Sequence[int]) -> dict[int, float]:
        """The cosines of those memories that the index holds."""
        found: dict[int, float] = {}
        for place, half in self._halves.items():
            here = [seq for seq in seqs if self._place(seq) == place]
            if here:
                vectors = half.reconstruct_batch(np.array(here, dtype=np.int64))
                found |= zip(here, (vectors @ vector).tolist(), strict=True)
        return found

    def _place(self, seq: int) -> int:
        return int(self._places[seq]) if seq < len(self._places) else _NOWHERE

    def _holds(self, change: Change) -> bool:
        place = self._place(change.memory_seq)
        if change.vector is None or place == _NOWHERE:
            return change.vector is None and place == _NOWHERE
        stored = self._halves[place].reconstruct(change.memory_seq)
        same = np.array_equal(stored, unpack_vectors([change.vector])[0])
        return same and place == (_THOUGHTS if change.thought else _FACTS)

    def _remove(self, place: int, seqs: Sequence[int]) -> None:
        here = [seq for seq in seqs if self._place(seq) == place]
        if here:
            gone: Any = np.array(here, dtype=np.int64)
            self._halves[place].remove_ids(gone)
            self._places[here] = _NOWHERE

    def _add(self, place: int, changes: Sequence[Change]) -> None:
        if not changes:
            return
        seqs = np.array([change.memory_seq for change in changes], dtype=np.int64)
        vectors = unpack_vectors([change.vector for change in changes])
        self._halves[place].add_with_ids(vectors, seqs)
        self._grow(int(seqs.max()))
        self._places[seqs] = place

    def _grow(self, seq: int) -> None:
        if seq >= len(self._places):
            size = max(seq + _PLACES_STEP, len(self._places) * 5 // 4)
            grown = np.zeros(size, dtype=np.uint8)
            grown[: len(self._places)] = self._places
            self._places = grown


def unpack_vectors(vectors: Sequence[bytes | None]) -> NDArray[np.float32]:
    """Vectors of little-endian float16 as rows of float32."""
    flat = np.frombuffer(b"".join(v for v in vectors if v), dtype="<f2")
    return flat.reshape(-1, DIMENSION).astype(np.float32)


def _make_half() -> faiss.IndexIDMap2:
    codes = faiss.IndexScalarQuantizer(
        DIMENSION, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    return faiss.IndexIDMap2(codes)


def _only(within: Seqs) -> faiss.SearchParameters:
    bits = np.zeros(int(within.max(initial=0)) + 1, dtype=bool)
    bits[within] = True
    # FAISS' stubs know the C++ constructors, not those that its Python adds.
    make_selector: Any = faiss.IDSelectorBitmap
    make_parameters: Any = faiss.SearchParameters
    selector = make_selector(np.packbits(bits, bitorder="little"))
    parameters: faiss.SearchParameters = make_parameters(sel=selector)
    return parameters
