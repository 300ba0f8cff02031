"""How good predictions are, as plain numbers; scikit-learn and SciPy do the arithmetic."""

from typing import Any

import numpy as np
import pydantic
from numpy.typing import NDArray

from pipeline.system.records import ExactRecord, Number, Record, Share, Whole

# Raised when what is measured changes: what was made with another version is made again.
VERSION = 1

CLASSES = 10
CALIBRATION_BINS = 15
PART_ROWS = 8_192
CONFIDENCE_LEVEL = 0.95


class Accuracy(ExactRecord):
    """A share of correct answers with its 95 % Wilson score interval.

    The interval tells how far chance in drawing ``rows`` digits reaches; unlike the normal
    approximation it stays inside 0 to 1 and is not empty when every answer is right.
    """

    value: Share
    low: Share
    high: Share
    correct: Whole
    rows: Whole

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> "Accuracy":
        is_within = self.low <= self.value <= self.high
        if not is_within or not self.rows or abs(self.value - self.correct / self.rows) > 1e-6:
            raise ValueError("should be an accuracy within its interval")
        return self


class ClassMetrics(ExactRecord):
    """One digit: precision of a digit never predicted, and recall of one never seen, are 0."""

    label: Whole
    precision: Share
    recall: Share
    f1: Share
    support: Whole


class WrongAnswer(ExactRecord):
    """One digit that was misread; ``row`` is its 0-based row in train.csv."""

    row: Whole
    label: Whole
    prediction: Whole
    prediction_probability: Share
    label_probability: Share


class Metrics(Record):
    """What the stage validate measures, and validation.json holds beside other things.

    log_loss: mean over digits, natural logarithm; a probability of 0 counts as 2.2e-16.
    calibration_error: expected calibration error, see ``expected_calibration_error``.
    confusion: confusion[label][prediction] is a number of digits.
    worst_errors: the most confident wrong answers first.
    """

    accuracy: Accuracy
    log_loss: Number
    calibration_error: Number
    classes: list[ClassMetrics]
    confusion: list[list[Whole]]
    worst_errors: list[WrongAnswer]


def measure(
    labels: NDArray[np.integer[Any]],
    probabilities: NDArray[np.floating[Any]],
    *,
    rows: NDArray[np.integer[Any]],
    worst: int = 20,
) -> Metrics:
    """Return every metric of predicted probabilities.

    labels: (N,) in [0, 10).  probabilities: (N, 10), each row summing to 1 (float32 will do).
    rows: (N,) where each digit stands in train.csv, to name the worst errors.
    The prediction is the most probable digit, the smaller one of equals.
    Raises ValueError if shapes disagree, there are no rows, or a row is no distribution.
    """
    from sklearn import metrics  # noqa: PLC0415  (takes a second; reading metrics back needs none)

    _check(labels, probabilities, rows)
    digits = np.arange(CLASSES)
    loss = 0.0
    confusion = np.zeros((CLASSES, CLASSES), np.int64)
    calibration = np.zeros((2, CALIBRATION_BINS))
    errors: list[WrongAnswer] = []
    # On the way, a part takes some hundred bytes a digit: too much to keep for all of them.
    for start in range(0, len(labels), PART_ROWS):
        part = slice(start, start + PART_ROWS)
        exact = _distributions(probabilities[part])
        loss += float(metrics.log_loss(labels[part], exact, labels=digits, normalize=False))
        confusion += metrics.confusion_matrix(labels[part], exact.argmax(axis=1), labels=digits)
        calibration += _calibration_sums(labels[part], exact)
        errors += worst_errors(labels[part], exact, rows=rows[part], count=worst)
        errors = sorted(errors, key=lambda error: (-error.prediction_probability, error.row))[
            :worst
        ]
    # Each pair of label and prediction stands for as many digits as were read so.
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        *np.indices(confusion.shape).reshape(2, -1),
        labels=digits,
        sample_weight=confusion.ravel(),
        zero_division=0.0,
    )
    return Metrics(
        accuracy=accuracy_of(int(confusion.trace()), len(labels)),
        log_loss=loss / len(labels),
        calibration_error=_calibration_error(calibration, len(labels)),
        classes=[
            ClassMetrics(
                label=label,
                precision=float(precision[label]),
                recall=float(recall[label]),
                f1=float(f1[label]),
                support=int(support[label]),
            )
            for label in range(CLASSES)
        ],
        confusion=confusion.tolist(),
        worst_errors=errors,
    )


def accuracy_of(correct: int, rows: int) -> Accuracy:
    """Return the share ``correct / rows`` with its 95 % Wilson score interval.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    from scipy import stats  # noqa: PLC0415

    interval = stats.binomtest(correct, rows).proportion_ci(CONFIDENCE_LEVEL, method="wilson")
    return Accuracy(
        value=correct / rows,
        low=float(interval.low),
        high=float(interval.high),
        correct=correct,
        rows=rows,
    )


def expected_calibration_error(
    labels: NDArray[np.integer[Any]], probabilities: NDArray[np.floating[Any]]
) -> float:
    """Return the mean distance between confidence and accuracy, 0 (perfect) to 1.

    Digits are put into 15 bins of equal width by the probability of their prediction (a bin
    includes its lower edge, the last one also 1). Each bin's |accuracy - mean confidence| is
    weighted with its share of the digits, so that only the sums per bin are needed.
    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    return _calibration_error(_calibration_sums(labels, probabilities), len(labels))


def _calibration_sums(
    labels: NDArray[np.integer[Any]], probabilities: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Return (2, 15): correct answers, and confidence, summed in each bin."""
    from scipy import stats  # noqa: PLC0415

    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    sums: NDArray[np.float64] = stats.binned_statistic(
        confidence,
        [correct.astype(np.float64), confidence],
        statistic="sum",
        bins=CALIBRATION_BINS,
        range=(0.0, 1.0),
    ).statistic
    return sums


def _calibration_error(sums: NDArray[np.float64], rows: int) -> float:
    return float(np.abs(sums[0] - sums[1]).sum() / rows)


def worst_errors(
    labels: NDArray[np.integer[Any]],
    probabilities: NDArray[np.floating[Any]],
    *,
    rows: NDArray[np.integer[Any]],
    count: int,
) -> list[WrongAnswer]:
    """Return up to ``count`` wrong answers, the most confident first, then in order of rows."""
    predictions = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predictions != labels)
    by_confidence = np.lexsort((rows[wrong], -probabilities[wrong, predictions[wrong]]))
    return [
        WrongAnswer(
            row=int(rows[index]),
            label=int(labels[index]),
            prediction=int(predictions[index]),
            prediction_probability=float(probabilities[index, predictions[index]]),
            label_probability=float(probabilities[index, labels[index]]),
        )
        for index in wrong[by_confidence[:count]]
    ]


def _check(
    labels: NDArray[np.integer[Any]],
    probabilities: NDArray[np.floating[Any]],
    rows: NDArray[np.integer[Any]],
) -> None:
    count = len(labels)
    if count == 0:
        raise ValueError("there are no labels to measure on")
    if probabilities.shape != (count, CLASSES):
        raise ValueError(
            f"probabilities must be ({count}, {CLASSES}), they are {probabilities.shape}"
        )
    if rows.shape != (count,):
        raise ValueError(f"rows must be ({count},), they are {rows.shape}")
    if labels.min() < 0 or labels.max() >= CLASSES:
        raise ValueError(f"labels must be in [0, {CLASSES})")


def _distributions(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return them as float64, so that each row sums to 1; ValueError if one is no distribution."""
    exact = probabilities.astype(np.float64)
    sums = exact.sum(axis=1, keepdims=True)
    # NaN fails both comparisons, so it is refused too.
    if not ((exact >= 0).all() and (np.abs(sums - 1) < 1e-4).all()):
        raise ValueError("each row of probabilities must be a distribution: from 0 up, sum 1")
    exact /= sums
    return exact
