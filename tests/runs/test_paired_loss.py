"""The test of two recipes errs as often as it says, and finds what is there."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from pipeline.runs.paired_loss import errors, log_losses, paired_test

Values = NDArray[np.float64]
EXPERIMENTS = 400


def experiments(
    *, effect: float, networks: float, seeds: int, folds: int, digits: int, rest: float = 0.2
) -> float:
    """The share of simulated comparisons in which the test says that there is a difference.

    The digits' part has the long tail of losses: most digits differ by nearly nothing.
    networks: deviation of a network's own part; that of a digit's is 1.
    """
    rng = np.random.default_rng(0)
    places = np.arange(digits) % folds
    found = 0
    for _ in range(EXPERIMENTS):
        of_digits = rng.standard_t(3, digits) / np.sqrt(3)
        of_networks = networks * rng.standard_normal((seeds, folds))
        noise = rest * rng.standard_normal((seeds, digits))
        second = effect + of_digits + of_networks[:, places] + noise
        found += paired_test(np.zeros_like(second), second, places).p_value < 0.05
    return found / EXPERIMENTS


@pytest.mark.parametrize(
    ("networks", "seeds", "folds"),
    [(0.0, 2, 3), (0.05, 2, 3), (0.5, 2, 3), (0.05, 1, 3), (0.5, 3, 2)],
)
def test_of_equal_recipes_one_in_twenty_comparisons_errs(
    networks: float, seeds: int, folds: int
) -> None:
    share = experiments(effect=0.0, networks=networks, seeds=seeds, folds=folds, digits=300)
    assert 0.02 <= share <= 0.09


def test_without_the_networks_chance_the_test_would_be_wrong() -> None:
    """What is simulated has a chance of networks that the digits alone do not show."""
    rng = np.random.default_rng(0)
    places = np.arange(600) % 3
    wrong = 0
    for _ in range(100):
        second = rng.standard_normal(600) + 0.5 * rng.standard_normal((2, 3))[:, places]
        wrong += stats.ttest_1samp(second.mean(axis=0), 0).pvalue < 0.05
    assert wrong > 50


def test_an_effect_is_found() -> None:
    share = experiments(effect=0.25, networks=0.05, seeds=2, folds=3, digits=600)
    assert share > 0.95


def test_without_networks_chance_it_is_the_paired_test_of_the_digits() -> None:
    rng = np.random.default_rng(1)
    # One value a digit for all seeds, and every fold with the same values: no chance is left over.
    first, second = (np.tile(rng.exponential(size=100), 3) for _ in range(2))
    places = np.repeat(np.arange(3), 100)
    found = paired_test(np.stack([first] * 2), np.stack([second] * 2), places)
    expected = stats.ttest_rel(second, first)
    interval = expected.confidence_interval(0.95)
    assert found.networks_deviation == 0.0
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.difference.low == pytest.approx(interval.low)
    assert found.difference.high == pytest.approx(interval.high)
    assert found.freedom == 299


def test_where_networks_alone_vary_it_is_the_test_of_their_means() -> None:
    means = np.array([[0.3, -0.1, 0.4], [0.2, 0.5, -0.2]])
    places = np.repeat(np.arange(3), 50)
    second = means[:, places]
    found = paired_test(np.zeros_like(second), second, places)
    # The folds' own differences stand in both parts, but weigh little in that of the digits.
    expected = stats.ttest_1samp(means.ravel(), 0)
    assert found.difference.value == pytest.approx(means.mean())
    assert found.networks_deviation == pytest.approx(means.std(ddof=1) / np.sqrt(6), rel=0.01)
    assert found.p_value == pytest.approx(expected.pvalue, rel=0.05)
    assert found.freedom == pytest.approx(5, rel=0.1)


def test_recipes_that_are_alike_on_every_digit_do_not_differ() -> None:
    same = np.random.default_rng(0).exponential(size=(2, 60))
    found = paired_test(same, same, np.arange(60) % 3)
    assert (found.difference.value, found.p_value) == (0.0, 1.0)
    assert (found.difference.low, found.difference.high) == (0.0, 0.0)


def test_one_fold_tells_nothing_of_networks() -> None:
    with pytest.raises(ValueError, match="at least two folds"):
        paired_test(np.zeros((2, 9)), np.ones((2, 9)), np.zeros(9, np.int64))


# ---- losses --------------------------------------------------------------------------------------
def test_losses_by_hand() -> None:
    probabilities = np.full((1, 3, 10), 0.02)
    probabilities[0, :, 4] = 0.82
    probabilities[0, 2] = np.eye(10)[7]
    labels = np.array([4, 5, 3])
    found = log_losses(labels, probabilities)
    assert found[0, :2] == pytest.approx([-np.log(0.82), -np.log(0.02)])
    assert found[0, 2] == pytest.approx(-np.log(2.2e-16), rel=0.001)  # a probability of 0
    assert errors(labels, probabilities).tolist() == [[False, True, True]]
