"""What a run gets wrong: digits taken for one another, single errors, labels that look wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.digits.folds import Rows
from pipeline.pages.evidence import Images, Labels, Probabilities, RunEvidence
from pipeline.runs.metrics import CLASSES, Accuracy, Metrics, accuracy_of

HEATS = 4  # steps of colour in the table of confusions; the palette has one colour for each
WORST_SHOWN = 24
SUSPECTS_SHOWN = 30
# A label is suspect if the network gives it little, and another digit nearly everything.
SUSPECT_LABEL_BELOW = 0.1
SUSPECT_OTHER_ABOVE = 0.9


@dataclass(frozen=True)
class ClassRow:
    """One digit.  precision: None of a digit that was never read, recall of one never there."""

    label: int
    digits: int
    recall: Accuracy | None
    precision: Accuracy | None


@dataclass(frozen=True)
class Odds:
    """One of a digit's most probable readings.  kind: "label", "prediction" or "other"."""

    digit: int
    probability: float
    kind: str


@dataclass(frozen=True)
class Case:
    """One digit that was read otherwise than its label says.

    row: 0-based in train.csv.  odds: the three most probable readings.
    held_out: whether the run never saw it.
    """

    row: int
    image: Images
    label: int
    prediction: int
    label_probability: float
    odds: list[Odds]
    held_out: bool = True


@dataclass(frozen=True)
class Cases:
    """Some digits of those that there are.  total: how many."""

    shown: list[Case]
    total: int


def heats_of(metrics: Metrics) -> list[list[int]]:
    """Return the step of colour for each number of the table of confusions; 0 for no error."""
    errors = _errors(metrics)
    most = max(HEATS, int(errors.max()))  # a few single errors are no reason for alarm
    heats: list[list[int]] = (-(-HEATS * errors // most)).tolist()
    return heats


def frequent_errors(metrics: Metrics, shown: int = 3) -> str:
    """Return a sentence that names the most frequent confusions."""
    errors = _errors(metrics)
    if errors.max() == 1 < errors.sum():
        return f"{errors.sum():,} errors, no two alike."
    order = np.argsort(-errors, axis=None, kind="stable")[:shown]
    found = [
        f"{place // CLASSES} read as {place % CLASSES}: {_times(int(errors.flat[place]))}"
        for place in order.tolist()
        if errors.flat[place]
    ]
    if not found:
        return "Every held-out digit is read right."
    return f"The most frequent errors: {'; '.join(found)}."


def _errors(metrics: Metrics) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = np.array(metrics.confusion)
    np.fill_diagonal(counts, 0)
    return counts


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def classes_of(metrics: Metrics) -> tuple[list[ClassRow], float]:
    """Return recall and precision of each digit, with 95 % Wilson intervals.

    And where their bars begin, a share; they end at 1.
    """
    counts = np.array(metrics.confusion)
    rows = [
        ClassRow(
            label,
            digits=int(counts[label].sum()),
            recall=_share(int(counts[label, label]), int(counts[label].sum())),
            precision=_share(int(counts[label, label]), int(counts[:, label].sum())),
        )
        for label in range(CLASSES)
    ]
    lows = [share.low for row in rows for share in (row.recall, row.precision) if share]
    # A round share below all intervals, so that differences near 1 are seen.
    return rows, float(np.floor(20 * min(lows)) / 20)


def _share(correct: int, rows: int) -> Accuracy | None:
    return accuracy_of(correct, rows) if rows else None


def worst_errors(evidence: RunEvidence) -> Cases:
    """Return the held-out digits that were misread, the least probable labels first."""
    held_out = evidence.held_out
    wrong = np.flatnonzero(held_out.probabilities.argmax(axis=1) != held_out.labels)
    given = held_out.probabilities[wrong, held_out.labels[wrong]]
    order = wrong[np.lexsort((held_out.rows[wrong], given))]
    return Cases(
        _cases(
            held_out.rows[order[:WORST_SHOWN]],
            held_out.labels[order[:WORST_SHOWN]],
            held_out.probabilities[order[:WORST_SHOWN]],
            evidence.train_images,
        ),
        len(wrong),
    )


def suspects(evidence: RunEvidence) -> Cases:
    """Return the rows of train.csv whose label the run clearly contradicts, the clearest first.

    Of a network also rows that it learnt from: it was told the label, and still says otherwise.
    """
    rows, labels, probabilities = _all_readings(evidence)
    given = probabilities[np.arange(len(rows)), labels]
    clear = (given < SUSPECT_LABEL_BELOW) & (probabilities.max(axis=1) > SUSPECT_OTHER_ABOVE)
    found = np.flatnonzero(clear)
    order = found[np.lexsort((rows[found], given[found]))][:SUSPECTS_SHOWN]
    shown = _cases(
        rows[order],
        labels[order],
        probabilities[order],
        evidence.train_images,
        held_out=np.isin(rows[order], evidence.held_out.rows),
    )
    return Cases(shown, len(found))


def _all_readings(evidence: RunEvidence) -> tuple[Rows, Labels, Probabilities]:
    held_out = evidence.held_out
    if evidence.train_probabilities is None:
        return held_out.rows, held_out.labels, held_out.probabilities
    probabilities = evidence.train_probabilities.copy()
    probabilities[held_out.rows] = held_out.probabilities
    return np.arange(len(probabilities)), np.asarray(evidence.train_labels), probabilities


def _cases(
    rows: Rows,
    labels: Labels,
    probabilities: Probabilities,
    images: Images,
    *,
    held_out: NDArray[np.bool_] | None = None,
) -> list[Case]:
    return [
        Case(
            row,
            np.asarray(images[row]),
            label,
            int(given.argmax()),
            float(given[label]),
            _odds(label, given.tolist()),
            held_out=True if held_out is None else bool(held_out[place]),
        )
        for place, (row, label, given) in enumerate(
            zip(rows.tolist(), labels.tolist(), probabilities, strict=True)
        )
    ]


def _odds(label: int, probabilities: Sequence[float], shown: int = 3) -> list[Odds]:
    order = sorted(range(len(probabilities)), key=lambda digit: -probabilities[digit])[:shown]
    kinds = {order[0]: "prediction", label: "label"}
    return [Odds(digit, probabilities[digit], kinds.get(digit, "other")) for digit in order]
