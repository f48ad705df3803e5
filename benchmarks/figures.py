"""A measured figure beside its target."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. `at_least` says which way is better."""

    name: str
    unit: str
    target: float
    measured: float
    at_least: bool = False

    @property
    def ratio(self) -> float:
        """Measured over target; reached when ≤ 1, or ≥ 1 where more is better."""
        return self.measured / self.target

    @property
    def reached(self) -> bool:
        """Whether the target is met."""
        return self.ratio >= 1 if self.at_least else self.ratio <= 1


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)
