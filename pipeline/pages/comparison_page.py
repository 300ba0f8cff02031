"""The page of several runs side by side: its sections in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.pages.compared import GALLERY, ComparedRun, ComparisonEvidence
from pipeline.pages.figures import MARKERS, learning_curves, to_svg
from pipeline.pages.overview import Drawn
from pipeline.pages.page import interval, percent, render
from pipeline.pages.palette import series
from pipeline.pages.pictures import to_data_uri
from pipeline.recipes.differences import Setting, differences
from pipeline.runs.comparison import Comparison, Pair, p_text, verdicts
from pipeline.runs.listing import short_commit

CONTENTS = (
    ("results", "Results"),
    ("tests", "Is one better?"),
    ("curves", "How they learnt"),
    ("classes", "Digit by digit"),
    ("settings", "Settings"),
    ("disagreements", "Where they disagree"),
)


@dataclass(frozen=True)
class Label:
    """A run as it is told apart everywhere on the page: by name, colour and marker."""

    name: str
    short: str
    series: str
    marker: str


@dataclass(frozen=True)
class Span:
    """A value with its interval as places on a scale, in percent from the left."""

    low: float
    value: float
    high: float

    @property
    def width(self) -> float:
        return self.high - self.low


@dataclass(frozen=True)
class Tested:
    """A pair as a row.  zero: where on the scale the two are equal, in percent."""

    pair: Pair
    first: Label
    second: Label
    difference: str
    interval: str
    p_value: str
    corrected: str
    span: Span
    zero: float


@dataclass(frozen=True)
class ShownReading:
    """What one run reads in a digit."""

    label: Label
    prediction: int
    probability: str
    right: bool


@dataclass(frozen=True)
class ShownDigit:
    """A digit of the gallery."""

    row: int
    label: int
    picture: str
    readings: list[ShownReading]


def comparison_page(evidence: ComparisonEvidence) -> str:
    """Return the page as one HTML text; the same evidence gives the same text."""
    labels = _labels(evidence.runs)
    compared = evidence.comparison
    return render(
        "compare.html.jinja",
        contents=CONTENTS,
        title=_title(evidence.runs),
        rows=compared.rows,
        everyone="both" if len(labels) == 2 else f"all {len(labels)}",
        digits=evidence.digits,
        labels=labels,
        results=_results(evidence, labels),
        notes=notes(evidence.runs, compared.rows),
        sentences=verdicts(compared, {run.name: run.short for run in evidence.runs}),
        tested=_tested(compared, labels),
        curves=_draw_curves(evidence.runs),
        legend=[
            (labels[run.name].short, labels[run.name].series, labels[run.name].marker)
            for run in evidence.runs
            if run.history is not None
        ],
        ensembles=[run.short for run in evidence.runs if run.history is None],
        classes=_classes(compared),
        settings=_settings(evidence.runs),
        agreed=compared,
        gallery=_gallery(evidence, list(labels.values())),
    )


def notes(runs: Sequence[ComparedRun], rows: int) -> list[str]:
    """Return what must be known to read the results fairly, one sentence for each run concerned.

    rows: the digits that all of them held out.
    """
    found = []
    for run in runs:
        if run.hold_out.rows > rows:
            found.append(
                f"{run.short} held out {run.hold_out.rows:,} digits; "
                f"{run.hold_out.rows - rows:,} of them were not held out by every run, and an "
                "answer that was learnt proves nothing: they do not count."
            )
        low, high = run.readers
        if low < run.networks:
            readers = f"{low}" if low == high else f"{low} to {high}"
            found.append(
                f"{run.short} reads each of these digits with {readers} of its {run.networks} "
                f"networks, those that never saw it; a test digit is read by all {run.networks}."
            )
        if run.training.get("refit"):
            found.append(
                f"{run.short} was trained once more, on all labelled digits, to read the test "
                "digits: its score is that of this second network, all else that of the first."
            )
    return found


def _labels(runs: Sequence[ComparedRun]) -> dict[str, Label]:
    """Networks come first in the colours, because the curves are theirs alone."""
    order = sorted(runs, key=lambda run: run.history is None)
    place = {run.name: number for number, run in enumerate(order)}
    return {
        run.name: Label(
            run.name,
            run.short,
            series(place[run.name]),
            MARKERS[place[run.name] % len(MARKERS)][1],
        )
        for run in runs
    }


def _title(runs: Sequence[ComparedRun]) -> str:
    if len(runs) == 2:
        return f"{runs[0].short} and {runs[1].short}"
    return f"{len(runs)} runs compared"


def _results(evidence: ComparisonEvidence, labels: Mapping[str, Label]) -> list[dict[str, object]]:
    """One row for each run, by the names that the template has for its columns."""
    metrics = evidence.comparison.metrics
    lowest = min(item.accuracy.low for item in metrics.values())
    highest = max(item.accuracy.high for item in metrics.values())
    rows: list[dict[str, object]] = []
    for run in evidence.runs:
        measured, training = metrics[run.name], run.training
        accuracy = measured.accuracy
        rows.append(
            {
                "label": labels[run.name],
                "accuracy": percent(accuracy.value),
                "interval": interval(accuracy),
                "span": _span((accuracy.low, accuracy.value, accuracy.high), (lowest, highest)),
                "wrong": accuracy.rows - accuracy.correct,
                "log_loss": f"{measured.log_loss:.4f}",
                "calibration": f"{measured.calibration_error:.4f}",
                "hold_out": percent(run.hold_out.value),
                "hold_out_rows": run.hold_out.rows,
                "score": run.score,
                "seconds": training["seconds"],
                "cores": training["environment"]["cores"],
                "parameters": training["parameters"],
            }
        )
    return rows


def _span(values: tuple[float, float, float], scale: tuple[float, float]) -> Span:
    start, width = scale[0], (scale[1] - scale[0]) or 1.0
    return Span(*(100 * (value - start) / width for value in values))


def _tested(compared: Comparison, labels: Mapping[str, Label]) -> list[Tested]:
    lowest = min(0.0, *(pair.difference.low for pair in compared.pairs))
    highest = max(0.0, *(pair.difference.high for pair in compared.pairs))
    scale = (lowest, highest)
    rows = []
    for pair in compared.pairs:
        found = pair.difference
        rows.append(
            Tested(
                pair=pair,
                first=labels[pair.first],
                second=labels[pair.second],
                difference=_points(found.value),
                interval=f"{_points(found.low)} to {_points(found.high)}",
                p_value=p_text(pair.p_value),
                corrected=p_text(pair.corrected),
                span=_span((found.low, found.value, found.high), scale),
                zero=_span((0.0, 0.0, 0.0), scale).value,
            )
        )
    return rows


def _points(difference: float) -> str:
    """A difference of accuracies in percentage points, with a minus that is one."""
    return f"{100 * difference:+.2f}".replace("-", "\N{MINUS SIGN}")


def _draw_curves(runs: Sequence[ComparedRun]) -> list[Drawn]:
    histories = {run.short: run.history for run in runs if run.history is not None}
    if not histories:
        return []
    names = ", ".join(histories)
    return [
        Drawn(
            to_svg(
                figure,
                title=str(figure.get_label()),
                description=f"{figure.get_label()} over the epochs of {names}.",
            ),
            "",
        )
        for figure in learning_curves(histories)
    ]


def _classes(compared: Comparison) -> list[dict[str, object]]:
    """For each digit, how many there are and how many each run reads wrong."""
    tables = [metrics.confusion for metrics in compared.metrics.values()]
    rows: list[dict[str, object]] = []
    for label, counts in enumerate(tables[0]):
        support = sum(counts)
        wrong = [support - table[label][label] for table in tables]
        rows.append(
            {
                "digit": label,
                "support": support,
                "cells": [
                    {
                        "wrong": count,
                        "accuracy": percent(1 - count / support) if support else "",
                        "fewest": count == min(wrong) < max(wrong),
                    }
                    for count in wrong
                ],
            }
        )
    return rows


def _settings(runs: Sequence[ComparedRun]) -> list[Setting]:
    """What differs in the recipes, and then in what is no setting but may matter as much."""
    commits = Setting(
        "code (commit)",
        tuple(short_commit(run.training["environment"]) or "unknown" for run in runs),
    )
    found = list(differences([run.recipe for run in runs]))
    return [*found, commits] if len(set(commits.values)) > 1 else found


def _gallery(evidence: ComparisonEvidence, labels: Sequence[Label]) -> list[ShownDigit]:
    return [
        ShownDigit(
            row=digit.row,
            label=digit.label,
            picture=to_data_uri(evidence.pictures[digit.row]),
            readings=[
                ShownReading(
                    label,
                    reading.prediction,
                    f"{100 * reading.probability:.1f} %",
                    reading.prediction == digit.label,
                )
                for label, reading in zip(labels, digit.readings, strict=True)
            ],
        )
        for digit in evidence.comparison.disagreements[:GALLERY]
    ]
