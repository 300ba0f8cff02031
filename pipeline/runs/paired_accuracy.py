"""Two accuracies on the same digits: how far apart, and whether chance would do as much."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.runs.metrics import accuracy_of

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class PairedCounts:
    """How two readers of the same digits fare: all digits fall into one of these four.

    both, neither: digits that both read right, or both wrong.
    first_only, second_only: digits that one of them alone reads right.
    """

    both: int
    first_only: int
    second_only: int
    neither: int

    @property
    def rows(self) -> int:
        return self.both + self.first_only + self.second_only + self.neither


@dataclass(frozen=True)
class Difference:
    """First accuracy minus second, with its 95 % interval."""

    value: float
    low: float
    high: float


def mcnemar(counts: PairedCounts) -> float:
    """Return the p-value of McNemar's exact test, two-sided; 1 if the two are right alike.

    If neither reader is the better one, each digit that one of them alone reads right is a toss of
    a fair coin, so the test is the binomial one on those digits.
    Source: McNemar 1947, Psychometrika 12(2), with the binomial instead of the normal law.
    """
    from scipy import stats  # noqa: PLC0415  (takes a second; reading records needs none)

    discordant = counts.first_only + counts.second_only
    if not discordant:
        return 1.0
    return float(stats.binomtest(counts.first_only, discordant, 0.5).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for being that many, in the same order.

    Of m values the smallest is multiplied by m, the next one by m - 1, and so on; none becomes
    smaller than one before it, nor more than 1. Rejecting what stays below a level errs in any of
    them with at most that probability.
    Source: Holm 1979, Scandinavian Journal of Statistics 6(2).
    """
    corrected = [0.0] * len(p_values)
    least = 0.0
    ascending = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for done, index in enumerate(ascending):
        least = max(least, min(1.0, (len(p_values) - done) * p_values[index]))
        corrected[index] = least
    return corrected


def difference(counts: PairedCounts) -> Difference:
    """Return the first accuracy minus the second, with a 95 % interval for paired proportions.

    Both Wilson intervals are put together, less what the two have in common (their correlation
    phi, corrected for continuity). Raises ValueError if there are no digits.
    Source: Newcombe 1998, Statistics in Medicine 17(22), 2635-2650, method 10.
    """
    if not counts.rows:
        raise ValueError("there are no digits to compare on")
    first = accuracy_of(counts.both + counts.first_only, counts.rows)
    second = accuracy_of(counts.both + counts.second_only, counts.rows)
    shared = _correlation(counts)
    below = _side(first.value - first.low, second.high - second.value, shared)
    above = _side(first.high - first.value, second.value - second.low, shared)
    value = (counts.first_only - counts.second_only) / counts.rows
    return Difference(value, value - below, value + above)


def _side(first: float, second: float, shared: float) -> float:
    return math.sqrt(max(0.0, first**2 - 2 * shared * first * second + second**2))


def _correlation(counts: PairedCounts) -> float:
    """Phi of the four counts; one above 0 is made smaller by half a digit, and at most to 0."""
    margins = (
        (counts.both + counts.first_only)
        * (counts.second_only + counts.neither)
        * (counts.both + counts.second_only)
        * (counts.first_only + counts.neither)
    )
    if not margins:
        return 0.0
    excess: float = counts.both * counts.neither - counts.first_only * counts.second_only
    if excess > 0:
        excess = max(0.0, excess - counts.rows / 2)
    return excess / math.sqrt(margins)
