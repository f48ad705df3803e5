"""Vectors that come along with a line."""

import base64
import binascii
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memory_service.errors import VectorUnfit
from memory_service.models.vectors import Vector
from memory_service.providers.vectors.rows import DIMENSION

# A vector this close to length 1 is one that was normalised, and is kept bit by bit.
NORM_TOLERANCE = 1e-2

_Numbers = NDArray[np.float32] | NDArray[np.float64]


def read_vectors(given: Sequence[object]) -> list[Vector | VectorUnfit | None]:
    """Unit vectors of what lines bring, or why one is none; None stays.

    Those that come as float16 are brought to length 1 together.
    """
    found: list[Vector | VectorUnfit | None] = [None] * len(given)
    packed: list[bytes] = []
    places: list[int] = []
    for place, one in enumerate(given):
        if isinstance(one, str):
            numbers = _unpacked(one)
            if isinstance(numbers, bytes):
                packed.append(numbers)
                places.append(place)
            else:
                found[place] = numbers
        elif isinstance(one, list):
            found[place] = _of_numbers(one)
    if packed:
        flat = np.frombuffer(b"".join(packed), dtype="<f2").astype(np.float32)
        rows = _unit(flat.reshape(-1, DIMENSION))
        for place, row in zip(places, rows, strict=True):
            found[place] = row
    return found


def _unpacked(text: str) -> bytes | VectorUnfit:
    """The bytes of float16 numbers, as many as a vector has."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return VectorUnfit("not base64 of float16 numbers")
    width = DIMENSION * np.dtype("<f2").itemsize
    if len(raw) == width:
        return raw
    if len(raw) % 2:
        return VectorUnfit("not base64 of float16 numbers")
    return VectorUnfit(f"it has {len(raw) // 2} numbers, not {DIMENSION}")


def _of_numbers(numbers: list[object]) -> Vector | VectorUnfit | None:
    """None where they are no numbers: the contract's model says so."""
    try:
        vector = np.array(numbers, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    if vector.shape != (DIMENSION,):
        return VectorUnfit(f"it has {len(vector)} numbers, not {DIMENSION}")
    return _unit(vector[np.newaxis])[0]


def _unit(vectors: _Numbers) -> list[Vector | VectorUnfit]:
    """Rows of length 1, or why one cannot be that."""
    # What is not fit may be anything.
    with np.errstate(all="ignore"):
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        fit = np.isfinite(norms) & (norms > 0)
        far = fit & (np.abs(norms - 1) >= NORM_TOLERANCE)
        if far.any():
            norms[~far] = 1
            vectors = vectors / norms[:, np.newaxis]
        units = vectors.astype(np.float32, copy=False)
    if fit.all():
        return list(units)
    unfit = VectorUnfit("its length is zero or not finite")
    return [unit if good else unfit for unit, good in zip(units, fit, strict=True)]
