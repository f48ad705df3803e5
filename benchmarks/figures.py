"""A measured figure beside its target."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. `at_least` says which way is better; `measured` is None
    where there was nothing to measure, and `note` says why, or what else to know."""

    name: str
    unit: str
    target: float
    measured: float | None
    at_least: bool = False
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Measured over target; reached when ≤ 1, or ≥ 1 where more is better."""
        return None if self.measured is None else self.measured / self.target

    @property
    def reached(self) -> bool:
        """Whether the target is met; what was not measured is not."""
        if self.ratio is None:
            return False
        return self.ratio >= 1 if self.at_least else self.ratio <= 1


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)
