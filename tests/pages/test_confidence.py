import numpy as np
import pytest

from pipeline.pages.confidence import (
    calibration_bins,
    calibration_of,
    class_shares,
    confidence_histogram,
    predictions_of,
    reliability_diagram,
)
from pipeline.runs.metrics import expected_calibration_error
from tests.pages.evidence_case import make_evidence, readings


def test_bins_are_those_of_the_calibration_error() -> None:
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.full(10, 0.2), 500)
    # Drawn as probable as said: some bins are too sure and some too careful.
    labels = np.array([rng.choice(10, p=row) for row in probabilities], np.uint8)
    bins = calibration_bins(labels, probabilities.astype(np.float32))
    assert sum(item.right.rows for item in bins) == 500
    error = sum(abs(item.right.value - item.confidence) * item.right.rows for item in bins) / 500
    assert error == pytest.approx(expected_calibration_error(labels, probabilities), abs=1e-6)


def test_certainty_is_in_the_last_bin() -> None:
    bins = calibration_bins(np.array([1], np.uint8), readings({1: 1.0}))
    assert [(item.confidence, item.right.correct) for item in bins] == [(1.0, 1)]


def test_the_reliability_diagram_shows_bins_with_their_intervals() -> None:
    bins = calibration_bins(
        np.array([1, 1, 2, 2], np.uint8), readings({1: 0.95}, {7: 0.95}, {2: 0.6}, {2: 0.6})
    )
    figure = reliability_diagram(bins)
    points = next(line for line in figure.axes[0].get_lines() if line.get_marker() == "o")
    assert np.asarray(points.get_xdata()).tolist() == pytest.approx([0.6, 0.95])
    assert np.asarray(points.get_ydata()).tolist() == [1.0, 0.5]


def test_the_histogram_counts_right_and_wrong_apart() -> None:
    figure = confidence_histogram(np.array([0.99, 0.98, 0.5]), np.array([True, True, False]))
    right, wrong = figure.axes[0].containers
    assert [bar.get_height() for bar in right if bar.get_height()] == [2]
    assert [bar.get_height() for bar in wrong if bar.get_height()] == [1]


def test_shares_are_in_percent() -> None:
    figure = class_shares([0.1] * 10, [0.19, 0.01, *[0.1] * 8])
    labels, predicted = figure.axes[0].containers
    assert [bar.get_height() for bar in labels] == pytest.approx([10] * 10)
    assert [bar.get_height() for bar in predicted] == pytest.approx([19, 1, *[10] * 8])


def test_calibration_says_in_words_what_it_shows() -> None:
    evidence = make_evidence([1, 2], readings({1: 0.95}, {7: 0.6}))
    calibration = calibration_of(evidence)
    assert "at 0.60 0 of 1 right; at 0.95 1 of 1 right" in calibration.reliability
    assert "1 read right and 1 read wrong" in calibration.histogram


def test_test_predictions_are_counted() -> None:
    labels, probabilities = [1, 2], readings({1: 0.95}, {2: 0.95})
    assert predictions_of(make_evidence(labels, probabilities)) is None
    tests = readings({1: 0.95}, {1: 0.89}, {3: 0.95}, {3: 0.95})
    found = predictions_of(make_evidence(labels, probabilities, test_probabilities=tests))
    assert found is not None
    assert (found.digits, found.unsure) == (4, 1)
    assert "1: 50.0 and 50.0 %; 2: 50.0 and 0.0 %; 3: 0.0 and 50.0 %" in found.figure
