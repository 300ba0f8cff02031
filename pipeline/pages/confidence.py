"""How sure a run is of what it reads, and whether it is right to be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from pipeline.pages.evidence import Labels, Probabilities, RunEvidence
from pipeline.pages.figures import drawing, to_svg
from pipeline.pages.palette import stand_in
from pipeline.runs.metrics import CALIBRATION_BINS, CLASSES, Accuracy, accuracy_of

UNSURE_BELOW = 0.9
CONFIDENCE_BINS = 20


@dataclass(frozen=True)
class Bin:
    """Digits of about the same confidence.  confidence: its mean.  right: how many are."""

    confidence: float
    right: Accuracy


@dataclass(frozen=True)
class Calibration:
    """Two figures of how sure a run is of what it reads, and how often it is right."""

    reliability: Markup
    histogram: Markup


@dataclass(frozen=True)
class Predictions:
    """What is predicted for the test digits.  unsure: how many with a confidence below 0.9."""

    figure: Markup
    digits: int
    unsure: int


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
    right = probabilities.argmax(axis=1) == labels
    return Calibration(
        to_svg(
            reliability_diagram(bins),
            description=f"Share of right answers by mean confidence: {points}.",
        ),
        to_svg(
            confidence_histogram(probabilities.max(axis=1), right),
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
    each = "; ".join(
        f"{digit}: {100 * label:.1f} and {100 * found:.1f} %"
        for digit, (label, found) in enumerate(zip(labels, predicted, strict=True))
    )
    return Predictions(
        to_svg(
            class_shares(labels, predicted),
            description=f"Share of each digit among the labels and among the predictions: {each}.",
        ),
        len(probabilities),
        int((probabilities.max(axis=1) < UNSURE_BELOW).sum()),
    )


def reliability_diagram(bins: Sequence[Bin]) -> Figure:
    """Return how many answers are right for how sure the network was of them, with intervals."""
    values = np.array([item.right.value for item in bins])
    low = values - np.array([item.right.low for item in bins])
    high = np.array([item.right.high for item in bins]) - values
    with drawing("Reliability") as (figure, axes):
        axes.plot([0, 1], [0, 1], color=stand_in("quiet"), linestyle="--", linewidth=1.2)
        axes.errorbar(
            [item.confidence for item in bins],
            values,
            yerr=np.maximum([low, high], 0),
            fmt="o",
            markersize=5,
            color=stand_in("series-1"),
            ecolor=stand_in("series-1"),
            elinewidth=1.5,
        )
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
        axes.set(xlabel="mean confidence", ylabel="share of right answers")
    return figure


def confidence_histogram(confidences: NDArray[np.floating[Any]], right: Any) -> Figure:
    """Return how many digits are read with which confidence, right and wrong ones apart.

    confidences: (N,), 0 to 1.  right: (N,) bool.
    """
    edges = np.linspace(0, 1, CONFIDENCE_BINS + 1)
    width = edges[1] / 2
    with drawing("Confidence") as (figure, axes):
        for place, (mask, name, role) in enumerate(
            ((right, "right", "series-1"), (~right, "wrong", "series-2"))
        ):
            counts, _ = np.histogram(confidences[mask], edges)
            places = edges[:-1] + (place + 0.5) * width
            axes.bar(places, counts, width=0.9 * width, color=stand_in(role), label=name)
        axes.set(xlim=(0, 1), yscale="log", xlabel="confidence", ylabel="digits (log scale)")
        axes.set_ylim(bottom=0.7)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.legend(loc="upper left")
    return figure


def class_shares(labels: Sequence[float], predicted: Sequence[float]) -> Figure:
    """Return the share of each digit among the labels beside that among the predictions.

    labels, predicted: ten shares, each summing to 1.
    """
    digits = np.arange(CLASSES)
    with drawing("Digits of the test set") as (figure, axes):
        for place, (shares, name, role) in enumerate(
            ((labels, "labels of train.csv", "series-8"), (predicted, "predictions", "series-1"))
        ):
            places, percents = digits + (place - 0.5) * 0.4, 100 * np.array(shares)
            axes.bar(places, percents, width=0.36, color=stand_in(role), label=name)
        axes.xaxis.set_major_locator(FixedLocator(digits.tolist()))
        axes.grid(visible=False, axis="x")
        axes.set_ylim(top=1.25 * 100 * max(*labels, *predicted))
        axes.set(xlabel="digit", ylabel="percent")
        axes.legend(loc="upper center", ncols=2)
    return figure


def _shares(digits: NDArray[np.integer]) -> list[float]:
    counts = np.bincount(digits, minlength=CLASSES)
    return [float(count) for count in counts / counts.sum()]
