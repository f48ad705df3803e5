"""Eight-bit weights in blocks, as the GatherBlockQuantized operator reads them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# A scale for every 32 weights: finer costs memory, coarser costs accuracy.
BLOCK_SIZE = 32
BITS = 8

_LARGEST_STEP = 127
_ZERO_POINT = 128


class Blocks(NamedTuple):
    """Weights of shape (rows, columns) as steps (rows, blocks, size) times scales."""

    steps: NDArray[np.uint8]
    scales: NDArray[np.float32]


def quantise(weights: NDArray[np.float32], size: int = BLOCK_SIZE) -> Blocks:
    """Round each block of a row to steps of 1/127 of its largest weight."""
    rows, columns = weights.shape
    blocks = weights.reshape(rows, columns // size, size)
    scales = np.abs(blocks).max(axis=2) / np.float32(_LARGEST_STEP)
    divisors = np.where(scales == 0, np.float32(1), scales)
    steps = np.rint(blocks / divisors[:, :, np.newaxis]) + _ZERO_POINT
    return Blocks(steps.astype(np.uint8), scales.astype(np.float32))
