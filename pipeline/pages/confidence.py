"""How sure a run is of what it reads, and whether it is right to be."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from pipeline.pages.charts import class_shares, confidence_histogram, reliability_diagram
from pipeline.pages.evidence import Labels, Probabilities, RunEvidence
from pipeline.pages.figures import to_svg
from pipeline.runs.metrics import CALIBRATION_BINS, CLASSES, Accuracy, accuracy_of

UNSURE_BELOW = 0.9


@dataclass(frozen=True)
class Bin:
    """Digits of about the same confidence.  confidence: its mean.  right: how many are."""

    confidence: float
    right: Accuracy


@dataclass(frozen=True)
class Calibration:
    """error: the expected calibration error."""

    error: float
    reliability: Markup
    histogram: Markup


@dataclass(frozen=True)
class Predictions:
    """What is predicted for the test digits.  unsure: how many with a confidence below 0.9."""

    figure: Markup
    digits: int
    unsure: int
    share: float


def calibration_bins(labels: Labels, probabilities: Probabilities) -> list[Bin]:
    """Return the bins of ``metrics.expected_calibration_error`` that hold any digits.

    labels: (N,).  probabilities: (N, 10).
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    numbers = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return [
        Bin(
            float(confidence[numbers == number].mean()),
            accuracy_of(int(right[numbers == number].sum()), int((numbers == number).sum())),
        )
        for number in np.unique(numbers)
    ]


def calibration_of(evidence: RunEvidence) -> Calibration:
    """Return the reliability diagram and the histogram of confidences, on held-out digits."""
    labels, probabilities = evidence.held_out.labels, evidence.held_out.probabilities
    bins = calibration_bins(labels, probabilities)
    points = "; ".join(
        f"at {item.confidence:.2f} {item.right.correct} of {item.right.rows} right" for item in bins
    )
    reliability = reliability_diagram(
        [item.confidence for item in bins], [item.right for item in bins]
    )
    right = probabilities.argmax(axis=1) == labels
    histogram = confidence_histogram(probabilities.max(axis=1), right)
    return Calibration(
        error=evidence.metrics.calibration_error,
        reliability=to_svg(
            reliability,
            title=str(reliability.get_label()),
            description=f"Share of right answers by mean confidence: {points}.",
        ),
        histogram=to_svg(
            histogram,
            title=str(histogram.get_label()),
            description=(
                f"Number of digits by confidence, on a log scale: {int(right.sum()):,} read right "
                f"and {int((~right).sum()):,} read wrong."
            ),
        ),
    )


def predictions_of(evidence: RunEvidence) -> Predictions | None:
    """Return how predictions of the test digits are spread; None if there are none yet."""
    probabilities = evidence.test_probabilities
    if probabilities is None:
        return None
    labels = _shares(np.asarray(evidence.train_labels))
    predicted = _shares(probabilities.argmax(axis=1))
    figure = class_shares(labels, predicted)
    each = "; ".join(
        f"{digit}: {100 * label:.1f} and {100 * found:.1f} %"
        for digit, (label, found) in enumerate(zip(labels, predicted, strict=True))
    )
    unsure = int((probabilities.max(axis=1) < UNSURE_BELOW).sum())
    return Predictions(
        to_svg(
            figure,
            title=str(figure.get_label()),
            description=f"Share of each digit among the labels and among the predictions: {each}.",
        ),
        len(probabilities),
        unsure,
        unsure / len(probabilities),
    )


def _shares(digits: NDArray[np.integer]) -> list[float]:
    counts = np.bincount(digits, minlength=CLASSES)
    return [float(count) for count in counts / counts.sum()]
