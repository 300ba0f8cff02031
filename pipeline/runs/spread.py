"""How far apart the values of runs lie that differ by their seed alone."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd


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
    found = pd.Series(list(values)).agg(["mean", "std", "min", "max", "count"])
    deviation = float(found["std"]) if found["count"] > 1 else None
    return Spread(
        float(found["mean"]),
        deviation,
        float(found["min"]),
        float(found["max"]),
        int(found["count"]),
    )
