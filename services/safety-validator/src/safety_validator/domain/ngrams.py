"""Logistic regression over hashed n-grams of tokens: a whole text at once.

It reads a million characters in the time the model takes for some windows, and so
says which window the model should read first. Hashing: Weinberger et al., 2009.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["BUCKETS", "ORDERS", "NGrams", "buckets"]

BUCKETS = 1 << 18
ORDERS = (1, 2, 3)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(64 - 18)


def buckets(ids: NDArray[np.int32]) -> Iterator[NDArray[np.int64]]:
    """For each order the buckets of its n-grams, shape (len(ids) - order + 1,)."""
    tokens = ids.astype(np.uint64) + np.uint64(1)
    mixed = tokens * _MULTIPLIER
    for order in ORDERS:
        if order > 1:
            # What came before is turned, so that the order of tokens counts.
            mixed = (mixed[:-1] ^ (mixed[:-1] >> np.uint64(29))) * _MULTIPLIER
            mixed = mixed + tokens[order - 1 :] * np.uint64(0xD6E8FEB86659FD93)
            mixed = mixed * _MULTIPLIER
        if len(ids) < order:
            return
        yield (mixed >> _SHIFT).astype(np.int64)


class NGrams:
    """The regression: int8 weights of shape (BUCKETS, heads), scale and bias a head."""

    def __init__(
        self,
        weights: NDArray[np.int8],
        scales: NDArray[np.float32],
        biases: NDArray[np.float32],
    ) -> None:
        self.weights = weights
        self.scales = scales
        self.biases = biases

    def logits(
        self, ids: NDArray[np.int32], spans: Sequence[tuple[int, int]]
    ) -> NDArray[np.float32]:
        """Logits of shape (windows, heads).

        The sum of a window's weights over the square root of its number of n-grams.
        """
        starts = np.array([start for start, _ in spans])
        ends = np.array([end for _, end in spans])
        total = np.zeros((len(spans), len(self.scales)))
        count = np.zeros(len(spans))
        for order, hashed in zip(ORDERS, buckets(ids), strict=False):
            running = np.zeros((len(hashed) + 1, len(self.scales)), dtype=np.int64)
            np.cumsum(self.weights[hashed], axis=0, dtype=np.int64, out=running[1:])
            # A window of fewer tokens has none.
            first = np.minimum(starts, len(hashed))
            last = np.maximum(ends - order + 1, first)
            total += running[last] - running[first]
            count += last - first
        scaled = total / np.sqrt(np.maximum(count, 1))[:, np.newaxis] * self.scales
        return (scaled + self.biases).astype(np.float32)
