"""How far apart the values of runs lie that differ by their seed alone."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Mean, sample standard deviation (None of a single value), smallest and largest."""

    mean: float
    deviation: float | None
    low: float
    high: float
    count: int

    @property
    def text(self) -> str:
        """Mean ± standard deviation, to four digits."""
        mean = f"{self.mean:.4f}"
        return mean if self.deviation is None else f"{mean} ± {self.deviation:.4f}"


def spread(values: Iterable[float]) -> Spread:
    """Return what the values have in common and how far apart they lie; at least one value."""
    found = list(values)
    deviation = statistics.stdev(found) if len(found) > 1 else None
    return Spread(statistics.fmean(found), deviation, min(found), max(found), len(found))
