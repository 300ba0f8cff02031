"""Figures of how a run reads: reliability, confidences, and how often it reads each digit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from pipeline.pages.figures import drawing
from pipeline.pages.palette import stand_in
from pipeline.runs.metrics import CLASSES, Accuracy

CONFIDENCE_BINS = 20


def reliability_diagram(confidences: Sequence[float], right: Sequence[Accuracy]) -> Figure:
    """Return how many answers are right for how sure the network was of them.

    confidences: the mean of each bin, 0 to 1.  right: the share of right answers in each, with its
    interval, which is drawn as a bar.
    """
    values = np.array([item.value for item in right])
    low = values - np.array([item.low for item in right])
    high = np.array([item.high for item in right]) - values
    with drawing("Reliability") as (figure, axes):
        axes.plot([0, 1], [0, 1], color=stand_in("quiet"), linestyle="--", linewidth=1.2)
        axes.errorbar(
            confidences,
            values,
            yerr=np.maximum([low, high], 0),
            fmt="o",
            markersize=5,
            color=stand_in("series-1"),
            ecolor=stand_in("series-1"),
            elinewidth=1.5,
        )
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("mean confidence")
        axes.set_ylabel("share of right answers")
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
            axes.bar(
                edges[:-1] + (place + 0.5) * width,
                counts,
                width=0.9 * width,
                color=stand_in(role),
                label=name,
            )
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
        axes.set_xlim(0, 1)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("confidence")
        axes.set_ylabel("digits (log scale)")
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
            axes.bar(
                digits + (place - 0.5) * 0.4,
                100 * np.array(shares),
                width=0.36,
                color=stand_in(role),
                label=name,
            )
        axes.xaxis.set_major_locator(FixedLocator(digits.tolist()))
        axes.grid(visible=False, axis="x")
        axes.set_ylim(top=1.25 * 100 * max(*labels, *predicted))
        axes.set_xlabel("digit")
        axes.set_ylabel("percent")
        axes.legend(loc="upper center", ncols=2)
    return figure
