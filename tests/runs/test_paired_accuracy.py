"""Values from published tables, and from the binomial by hand."""

import math

import numpy as np
import pytest

from pipeline.runs.metrics import accuracy_of
from pipeline.runs.paired_accuracy import PairedCounts, difference, holm, mcnemar


@pytest.mark.parametrize("counts", [(3, 0), (9, 3), (3, 9), (1, 7), (20, 21), (60, 30)])
def test_mcnemar_is_both_tails_of_a_fair_coin(counts: tuple[int, int]) -> None:
    tosses = sum(counts)
    tail = sum(math.comb(tosses, heads) for heads in range(min(counts) + 1)) / 2**tosses
    found = mcnemar(PairedCounts(100, *counts, 5))
    assert found == pytest.approx(min(1.0, 2 * tail), rel=1e-12)


def test_mcnemar_as_published() -> None:
    """Airway hyper-responsiveness before and after a transplantation (Bentur et al. 2009)."""
    assert mcnemar(PairedCounts(1, 1, 7, 12)) == pytest.approx(0.0703, abs=5e-5)


def test_readers_that_are_right_alike_are_no_different() -> None:
    assert mcnemar(PairedCounts(40, 0, 0, 2)) == 1.0
    assert mcnemar(PairedCounts(40, 4, 4, 2)) == 1.0


def test_holm_by_hand() -> None:
    # Ascending 0.005, 0.01, 0.03, 0.04, times 4, 3, 2, 1; the last is lifted to the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.4]) == pytest.approx([0.8, 0.8])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        # Newcombe 1998, method 10, and Altman et al. 2000, "Statistics with confidence", table 6.2.
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((14, 5, 0, 22), 0.0115, 0.2265),
        # Fagerland, Lydersen, Laake 2017, "Statistical analysis of contingency tables", chapter 8.
        ((59, 6, 16, 80), -0.1186, -0.0046),
    ],
)
def test_the_interval_as_published(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    found = difference(PairedCounts(*counts))
    assert found.value == pytest.approx((counts[1] - counts[2]) / sum(counts))
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)


def test_the_other_way_round_the_interval_is_mirrored() -> None:
    one, other = difference(PairedCounts(90, 6, 2, 3)), difference(PairedCounts(90, 2, 6, 3))
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))


def test_the_ends_of_the_scale() -> None:
    """Two that are always right differ by no more than one that is always right from 1."""
    found = difference(PairedCounts(50, 0, 0, 0))
    short = 1 - accuracy_of(50, 50).low
    assert (found.low, found.value, found.high) == pytest.approx((-short, 0, short))
    whole = difference(PairedCounts(0, 50, 0, 0))
    assert whole.low < whole.value == 1
    assert whole.high == pytest.approx(1)
    with pytest.raises(ValueError, match="no digits"):
        difference(PairedCounts(0, 0, 0, 0))


def test_most_intervals_hold_the_true_difference() -> None:
    rng = np.random.default_rng(0)
    shares = [0.96, 0.02, 0.01, 0.01]
    found = [
        difference(PairedCounts(*map(int, drawn)))
        for drawn in rng.multinomial(1000, shares, size=120)
    ]
    held = np.mean([item.low <= 0.01 <= item.high for item in found])
    assert 0.9 <= held < 1
