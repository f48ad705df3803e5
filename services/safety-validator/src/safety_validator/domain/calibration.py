"""From a score to how seldom harmless texts reach it."""

from bisect import bisect_right
from collections.abc import Sequence

__all__ = ["Calibration"]


class Calibration:
    """The table of one head, read between its points on a logarithmic scale."""

    def __init__(self, table: Sequence[tuple[float, float]]) -> None:
        """Points (rate, score): rates fall, scores do not."""
        self._rates = [rate for rate, _ in table]
        self._scores = [score for _, score in table]

    def rate(self, score: float) -> float:
        """The share of operational texts that score at least so.

        1 below the table; beyond its end its least rate, for it knows no lesser.
        """
        above = bisect_right(self._scores, score)
        if above == 0:
            return 1.0
        if above == len(self._scores):
            return self._rates[-1]
        low, high = self._scores[above - 1], self._scores[above]
        ratio = self._rates[above] / self._rates[above - 1]
        part: float = ratio ** ((score - low) / (high - low))
        return self._rates[above - 1] * part
