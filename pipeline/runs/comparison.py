"""Several runs on the digits that none of them has seen: who is better, and where they disagree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations, takewhile

import numpy as np
import numpy.typing as npt

from pipeline.digits.folds import Rows
from pipeline.runs.ensemble import HeldOut
from pipeline.runs.metrics import Metrics, measure
from pipeline.runs.paired_accuracy import (
    SIGNIFICANCE,
    Difference,
    PairedCounts,
    difference,
    holm,
    mcnemar,
)

SPOKEN_OF = 3  # pairs; if there are more, only those that differ get a sentence


@dataclass(frozen=True)
class Pair:
    """Two runs beside each other.

    difference: accuracy of the first minus that of the second.
    p_value: McNemar's exact test.  corrected: after Holm, for as many pairs as there are.
    """

    first: str
    second: str
    counts: PairedCounts
    difference: Difference
    p_value: float
    corrected: float

    @property
    def differ(self) -> bool:
        """Whether chance would hardly do as much, given how many pairs are looked at."""
        return self.corrected < SIGNIFICANCE


@dataclass(frozen=True)
class RunReading:
    """What one run reads in a digit, and how sure it is of that and of the label."""

    prediction: int
    probability: float
    label_probability: float


@dataclass(frozen=True)
class Disagreement:
    """A digit that is not read alike.

    row: 0-based in train.csv.  readings: one for each run, in order.
    """

    row: int
    label: int
    readings: tuple[RunReading, ...]

    @property
    def right(self) -> int:
        """How many runs read it right."""
        return sum(reading.prediction == self.label for reading in self.readings)


@dataclass(frozen=True)
class Comparison:
    """Runs on the digits that all of them held out.

    rows: how many digits that is.  metrics: of each run on them, in order of the runs.
    disagreements: all digits that are not read alike, the most telling first.
    all_wrong: digits that every run misreads.  alike_wrong: those of them read as the same digit.
    """

    rows: int
    metrics: Mapping[str, Metrics]
    pairs: tuple[Pair, ...]
    disagreements: tuple[Disagreement, ...]
    all_wrong: int
    alike_wrong: int


def common_rows(runs: Sequence[HeldOut]) -> Rows:
    """Return the rows that every run held out, ascending; a run has learnt all others, maybe."""
    return reduce(np.intersect1d, [run.rows for run in runs])


def compare(runs: Mapping[str, HeldOut]) -> Comparison:
    """Measure all runs on the digits that each of them held out, and test every pair.

    The digits that only some held out do not count: the others may have learnt them.
    Raises ValueError if there are fewer than two runs, if they have no such digit in common, or
    if they do not agree on its label.
    """
    if len(runs) < 2:
        raise ValueError("a comparison needs at least two runs")
    rows = common_rows(list(runs.values()))
    if not len(rows):
        raise ValueError("no digit was held out by all of the runs")
    places = [np.searchsorted(run.rows, rows) for run in runs.values()]
    labels = np.stack([run.labels[at] for run, at in zip(runs.values(), places, strict=True)])
    if (labels != labels[0]).any():
        raise ValueError("the runs do not agree on the labels of their digits")
    probabilities = {
        name: run.probabilities[at] for (name, run), at in zip(runs.items(), places, strict=True)
    }
    predictions = np.stack([found.argmax(axis=1) for found in probabilities.values()])
    right = predictions == labels
    all_wrong = ~right.any(axis=0)
    return Comparison(
        rows=len(rows),
        metrics={
            name: measure(labels[0], found, rows=rows) for name, found in probabilities.items()
        },
        pairs=_pairs(list(runs), right),
        disagreements=_disagreements(rows, labels[0], list(probabilities.values())),
        all_wrong=int(all_wrong.sum()),
        alike_wrong=int((all_wrong & (predictions == predictions[0]).all(axis=0)).sum()),
    )


def short_names(runs: Sequence[str]) -> dict[str, str]:
    """Return names without what all of them begin with, up to a dash: "quick" of "kaggle-quick".

    Names stay whole if one would become empty, or there is only one.
    """
    words = [run.split("-") for run in runs]
    starts = zip(*(parts[:-1] for parts in words), strict=False)
    shared = sum(1 for _ in takewhile(lambda found: len(set(found)) == 1, starts))
    shortened = ["-".join(parts[shared:]) for parts in words]
    if len(runs) < 2 or not all(shortened):
        shortened = list(runs)
    return dict(zip(runs, shortened, strict=True))


def verdict(pair: Pair, names: Mapping[str, str], *, pairs: int) -> str:
    """Return in a plain sentence what the test says of two runs.

    names: what to call them.  pairs: how many are looked at together.
    """
    first, second, counts = names[pair.first], names[pair.second], pair.counts
    if not counts.first_only + counts.second_only:
        return f"{first} and {second} are right on the very same digits."
    found = p_phrase(pair.p_value)
    if pairs > 1:
        found += f" (corrected for {pairs} pairs: {p_text(pair.corrected)})"
    chance = chance_phrase(differ=pair.differ)
    return (
        f"{first} is right on {_digits(counts.first_only)} where {second} is wrong, and wrong on "
        f"{counts.second_only:,} where {second} is right: {found}, {chance}."
    )


def verdicts(comparison: Comparison, names: Mapping[str, str]) -> list[str]:
    """Return what is to be said of all pairs: of each one, or of many only those that differ."""
    pairs = comparison.pairs
    few = len(pairs) <= SPOKEN_OF
    told = [pair for pair in pairs if few or pair.differ]
    sentences = [verdict(pair, names, pairs=len(pairs)) for pair in told]
    if not told:
        sentences.append(f"No two of these {len(names)} runs differ more than chance would do.")
    elif len(told) < len(pairs):
        rest = len(pairs) - len(told)
        other = "other pair differs" if rest == 1 else f"other {rest} pairs differ"
        sentences.append(f"The {other} no more than chance would do.")
    return sentences


def p_text(value: float) -> str:
    """Return a p-value in two digits that count, as it is written everywhere."""
    return "< 0.0001" if value < 1e-4 else f"{value:#.2g}"


def p_phrase(value: float) -> str:
    """Return a p-value as a sentence has it: "p = 0.012", "p < 0.0001"."""
    text = p_text(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def chance_phrase(*, differ: bool) -> str:
    """Return what a test says of a difference, as it is said everywhere."""
    return "more than chance would do" if differ else "no more than chance would do"


def _digits(count: int) -> str:
    return f"{count:,} digit" if count == 1 else f"{count:,} digits"


def _pairs(names: Sequence[str], right: npt.NDArray[np.bool_]) -> tuple[Pair, ...]:
    """right: (runs, digits), whether each run reads each digit right."""
    chosen = list(combinations(range(len(names)), 2))
    counts = [_count(right[first], right[second]) for first, second in chosen]
    p_values = [mcnemar(count) for count in counts]
    return tuple(
        Pair(names[first], names[second], count, difference(count), p_value, corrected)
        for (first, second), count, p_value, corrected in zip(
            chosen, counts, p_values, holm(p_values), strict=True
        )
    )


def _count(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> PairedCounts:
    return PairedCounts(
        both=int((first & second).sum()),
        first_only=int((first & ~second).sum()),
        second_only=int((~first & second).sum()),
        neither=int((~first & ~second).sum()),
    )


def _disagreements(
    rows: Rows,
    labels: npt.NDArray[np.uint8],
    probabilities: Sequence[npt.NDArray[np.float32]],
) -> tuple[Disagreement, ...]:
    """All digits that are not read alike.

    First come those that some run reads right, because they decide which one is better; then,
    in each part, those with the surest wrong answer.
    """
    predictions = np.stack([found.argmax(axis=1) for found in probabilities])
    found = [
        Disagreement(
            int(rows[place]),
            int(labels[place]),
            tuple(_reading(run[place], int(labels[place])) for run in probabilities),
        )
        for place in np.flatnonzero((predictions != predictions[0]).any(axis=0))
    ]
    return tuple(sorted(found, key=_interest))


def _reading(probabilities: npt.NDArray[np.float32], label: int) -> RunReading:
    prediction = int(probabilities.argmax())
    return RunReading(prediction, float(probabilities[prediction]), float(probabilities[label]))


def _interest(digit: Disagreement) -> tuple[bool, float, int]:
    surest = max(
        reading.probability for reading in digit.readings if reading.prediction != digit.label
    )
    return digit.right == 0, -surest, digit.row
