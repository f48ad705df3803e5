"""Vectors in rows of float16, each with its memory's number and a checksum.

A row is appended once and may later be erased, which leaves zeros; nothing else ever
changes. The checksum is a polynomial in the row's words, modulo 2**64, shifted by the
row's place and by the file's own salt: a flipped bit always shows, as do rows that
moved, rows of another file and pages of zeros. An erased row has a valid checksum.
"""

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from memory_service.models.vectors import Seqs, Vector
from memory_service.providers.vectors.growing import Bytes, GrowingRows
from memory_service.providers.vectors.slots import Slots

DIMENSION = 384
ROW_BYTES = 2 * DIMENSION
KEY_BYTES = 16
# An erased row's number; memories count from 1.
ERASED = 0
# Rows read at once when all are read: 3 MB.
CHUNK_ROWS = 4096

Cosines = NDArray[np.float32]

_WORDS = ROW_BYTES // 8
# Powers of 2**64 divided by the golden ratio: odd, so that no flipped bit cancels.
_POWERS = [pow(0x9E3779B97F4A7C15, n + 1, 2**64) for n in range(_WORDS + 2)]
_WEIGHTS = np.array(_POWERS[:_WORDS], dtype=np.uint64)
_SEQ_WEIGHT, _SLOT_WEIGHT = np.array(_POWERS[_WORDS:], dtype=np.uint64)

# SWIG makes no null pointer of the type that a view's owner has; this holds one.
_OWNERLESS: Any = faiss.IndexScalarQuantizer(DIMENSION, faiss.ScalarQuantizer.QT_fp16)


class View:
    """Rows searched exactly, where they lie: nothing is copied."""

    def __init__(self, codes: Bytes) -> None:
        self._codes = codes
        self._index = faiss.IndexScalarQuantizer(
            DIMENSION, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        # FAISS' stubs know the C++ signatures, not those of its Python.
        vector: Any = faiss.MaybeOwnedVectorUInt8
        self._index.codes = vector.create_view(
            faiss.swig_ptr(codes), codes.nbytes, _OWNERLESS.codes.owner
        )
        self._index.ntotal = len(codes)

    def search(
        self, vector: Vector, limit: int, only: NDArray[np.bool_] | None = None
    ) -> tuple[Slots, Cosines]:
        """Places of the rows most like a vector and their cosines, best first."""
        limit = min(limit, len(self._codes))
        if limit == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        make: Any = faiss.SearchParameters
        options = None if only is None else make(sel=select(only))
        cosines, places = self._index.search(vector[np.newaxis], limit, params=options)
        found = places[0] >= 0
        return places[0][found], cosines[0][found]


class VectorRows:
    """Rows by slot, in the order of their arrival.

    Appending and erasing exclude each other and searches; `chunks` may go on beside.
    """

    def __init__(self, stem: Path | None, salt: int | None = None) -> None:
        self.salt = secrets.randbits(64) if salt is None else salt
        self.stem = stem
        self.count = 0
        self.erased = 0
        self._keys = GrowingRows(stem and stem.with_suffix(".keys"), KEY_BYTES)
        self._vectors = GrowingRows(stem and stem.with_suffix(".vectors"), ROW_BYTES)

    @classmethod
    def open(cls, stem: Path, salt: int, count: int) -> "VectorRows | None":
        """Rows that were saved, or None if they are not those; OSError."""
        rows = cls(stem, salt)
        rows._keys = GrowingRows.open(stem.with_suffix(".keys"), KEY_BYTES, count)
        rows._vectors = GrowingRows.open(stem.with_suffix(".vectors"), ROW_BYTES, count)
        rows.count = count
        rows.erased = count - int(np.count_nonzero(rows.seqs()))
        return rows if rows._verify() else None

    @property
    def private_bytes(self) -> int:
        """What they take of memory that no file backs."""
        return self._keys.private_bytes + self._vectors.private_bytes

    @property
    def can_save(self) -> bool:
        """Whether they are where a restart finds them."""
        return self._keys.can_save and self._vectors.can_save

    def seqs(self) -> Seqs:
        """The memories' numbers by slot; ERASED where there is none any more."""
        return self._keys.array[: self.count].view(np.int64)[:, 0]

    def codes(self, slots: Slots) -> Bytes:
        """Copies of rows; other threads run on while they come from the disk."""
        return np.take(self._vectors.array, slots, axis=0, mode="clip")

    def chunks(self, start: int, end: int) -> Iterator[tuple[Slots, Seqs, Bytes]]:
        """The rows that are not erased, some thousands at a time."""
        for first in range(start, end, CHUNK_ROWS):
            last = min(first + CHUNK_ROWS, end)
            seqs = self.seqs()[first:last].copy()
            living = np.flatnonzero(seqs != ERASED)
            slots = first + living
            yield slots, seqs[living], self.codes(slots)

    def append(self, seqs: Seqs, codes: Bytes) -> Slots:
        """The slots of new rows; OSError where there is no room, nothing changed."""
        count = self.count + len(seqs)
        self._keys.reserve(count)
        self._vectors.reserve(count)
        slots = np.arange(self.count, count)
        self._vectors.array[self.count : count] = codes
        self._keys.array[self.count : count] = self._make_keys(slots, seqs, codes)
        self.count = count
        return slots

    def erase(self, slots: Slots) -> None:
        """Overwrites rows, on the disk too."""
        nothing = np.zeros((len(slots), ROW_BYTES), dtype=np.uint8)
        seqs = np.full(len(slots), ERASED, dtype=np.int64)
        self._vectors.overwrite(slots, nothing)
        self._keys.overwrite(slots, self._make_keys(slots, seqs, nothing))
        self.erased += len(slots)

    def view(self) -> "View":
        """All rows as they lie now."""
        return View(self._vectors.array[: self.count])

    def save(self, count: int) -> None:
        """Returns when the first rows are on the disk; OSError."""
        self._vectors.save(count)
        self._keys.save(count)

    def discard(self) -> None:
        """Removes the files."""
        self._vectors.discard()
        self._keys.discard()

    def _make_keys(self, slots: Slots, seqs: Seqs, codes: Bytes) -> Bytes:
        keys = np.empty((len(slots), 2), dtype=np.uint64)
        keys[:, 0] = seqs
        keys[:, 1] = self._checksums(slots, keys[:, 0], codes)
        return keys.view(np.uint8)

    def _checksums(
        self, slots: Slots, seqs: NDArray[np.uint64], codes: Bytes
    ) -> NDArray[np.uint64]:
        sums: NDArray[np.uint64] = codes.view(np.uint64) @ _WEIGHTS
        places = slots.astype(np.uint64) * _SLOT_WEIGHT + np.uint64(self.salt)
        sums += seqs * _SEQ_WEIGHT + places
        return sums

    def _verify(self) -> bool:
        keys = self._keys.array[: self.count].view(np.uint64)
        for start in range(0, self.count, CHUNK_ROWS):
            end = min(start + CHUNK_ROWS, self.count)
            sums = self._checksums(
                np.arange(start, end),
                keys[start:end, 0],
                self._vectors.array[start:end],
            )
            if not np.array_equal(sums, keys[start:end, 1]):
                return False
        return True


def pack_vectors(vectors: Sequence[bytes]) -> Bytes:
    """Vectors of little-endian float16 as rows of bytes."""
    return np.frombuffer(b"".join(vectors), np.uint8).reshape(-1, ROW_BYTES)


def unpack_vectors(vectors: Sequence[bytes]) -> NDArray[np.float32]:
    """Vectors of little-endian float16 as rows of float32."""
    return decode(pack_vectors(vectors))


def decode(codes: Bytes) -> NDArray[np.float32]:
    """Rows of bytes as rows of float32."""
    return codes.view("<f2").astype(np.float32)


def select(places: NDArray[np.bool_]) -> faiss.IDSelector:
    """FAISS' form of the places that are true."""
    make: Any = faiss.IDSelectorBitmap
    selector: faiss.IDSelector = make(np.packbits(places, bitorder="little"))
    return selector
