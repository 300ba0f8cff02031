"""Softmax cross-entropy beside values worked by hand and by scipy."""

import math

import numpy as np
import pytest
from scipy import special

from pipeline.nn import Score, softmax, softmax_cross_entropy


def test_even_logits_cost_the_logarithm_of_the_classes() -> None:
    loss, gradient = softmax_cross_entropy(np.zeros((2, 10)), np.array([3, 7]))
    assert loss == pytest.approx(math.log(10))
    assert gradient[0, 3] == pytest.approx((0.1 - 1.0) / 2)
    assert gradient[0, 4] == pytest.approx(0.1 / 2)


def test_smoothing_spreads_its_share_over_all_classes() -> None:
    logits = np.array([[0.0, 1.0, 2.0]])
    log_probabilities = special.log_softmax(logits[0])
    expected = -(0.7 + 0.1) * log_probabilities[2] - 0.1 * log_probabilities[:2].sum()
    loss, _ = softmax_cross_entropy(logits, np.array([2]), smoothing=0.3)
    assert loss == pytest.approx(expected)


def test_softmax_agrees_with_scipy() -> None:
    logits = np.random.default_rng(0).normal(scale=20.0, size=(5, 10))
    np.testing.assert_allclose(softmax(logits), special.softmax(logits, axis=1))


@pytest.mark.parametrize("size", [1e4, 1e30])
def test_huge_logits_do_not_overflow(size: float) -> None:
    logits = np.array([[size, 0.0, -size]], np.float32)
    loss, gradient = softmax_cross_entropy(logits, np.array([1]))
    assert loss == pytest.approx(size)
    np.testing.assert_allclose(gradient, [[1.0, -1.0, 0.0]])


def test_classes_come_from_the_logits_and_not_from_the_labels_that_happen_to_be_there() -> None:
    _, gradient = softmax_cross_entropy(np.zeros((2, 10)), np.array([0, 1]))
    assert gradient.shape == (2, 10)


@pytest.mark.parametrize("labels", [[-1, 0], [0, 10]])
def test_labels_out_of_range_are_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match=r"labels in \[0, 10\)"):
        softmax_cross_entropy(np.zeros((2, 10)), np.array(labels))


def test_as_many_labels_as_logits() -> None:
    with pytest.raises(ValueError, match=r"\(2,\), got \(3,\)"):
        softmax_cross_entropy(np.zeros((2, 10)), np.array([0, 1, 2]))


def test_a_score_of_no_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        Score(np.array([], np.uint8))


@pytest.mark.parametrize("rows", [0, 2])
def test_a_score_is_read_when_all_rows_are_in(rows: int) -> None:
    score = Score(np.array([1, 0, 1]))
    score.add(np.full((rows, 2), 0.5))
    for name in ("log_loss", "accuracy"):
        with pytest.raises(ValueError, match=f"expected 3 rows, got {rows}"):
            getattr(score, name)
    with pytest.raises(ValueError, match=f"expected 3 rows, got {rows + 4}"):
        score.add(np.full((4, 2), 0.5))
    score.add(np.full((3 - rows, 2), 0.5))
    assert score.log_loss == pytest.approx(math.log(2))
    assert score.accuracy == pytest.approx(1 / 3)
