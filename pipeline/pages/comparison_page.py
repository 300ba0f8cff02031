"""The page of several runs side by side: what it is made of, and its sections in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.pages.figures import MARKERS
from pipeline.pages.overview import draw_curves
from pipeline.pages.page import render
from pipeline.pages.palette import series
from pipeline.recipes.differences import Setting, differences
from pipeline.runs.comparison import Comparison, Pair, p_text, verdicts
from pipeline.runs.listing import RunScore, short_commit
from pipeline.runs.metrics import Accuracy, Metrics
from pipeline.training.fitting import History

CONTENTS = (
    ("results", "Results"),
    ("tests", "Is one better?"),
    ("curves", "How they learnt"),
    ("classes", "Digit by digit"),
    ("settings", "Settings"),
    ("disagreements", "Where they disagree"),
)
# So many digits that are not read alike are shown.
GALLERY = 40


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs.

    short: its name beside the others.  training, recipe: its training.json and recipe.json.
    hold_out: on all digits that it held out itself.  score: None if there is none yet.
    history: None of an ensemble.
    readers: how many networks, at least and at most, read one of the common digits here.
    networks: how many read a test digit.
    """

    name: str
    short: str
    training: Mapping[str, Any]
    recipe: Mapping[str, Any]
    hold_out: Accuracy
    score: RunScore | None
    history: History | None
    readers: tuple[int, int]
    networks: int


@dataclass(frozen=True)
class ComparisonEvidence:
    """Runs, and what came of comparing them.

    pictures: (28, 28) uint8 by row, of the first ``GALLERY`` disagreements at least.
    digits: what they are, to stand behind their number.
    """

    runs: tuple[ComparedRun, ...]
    comparison: Comparison
    pictures: Mapping[int, NDArray[np.uint8]]
    digits: str


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


def comparison_page(evidence: ComparisonEvidence) -> str:
    """Return the page as one HTML text; the same evidence gives the same text."""
    runs, compared = evidence.runs, evidence.comparison
    labels = _labels(runs)
    learnt = {run.short: run.history for run in runs if run.history is not None}
    return render(
        "compare.html.jinja",
        contents=CONTENTS,
        title=_title(runs),
        everyone="both" if len(runs) == 2 else f"all {len(runs)}",
        digits=evidence.digits,
        labels=labels,
        results=_results(runs, compared.metrics),
        notes=notes(runs, compared.rows),
        sentences=verdicts(compared, {run.name: run.short for run in runs}),
        tested=_tested(compared.pairs),
        p_text=p_text,
        points=_points,
        curves=draw_curves(learnt) if learnt else None,
        ensembles=[run.short for run in runs if run.history is None],
        classes=_classes(list(compared.metrics.values())),
        settings=_settings(runs),
        agreed=compared,
        gallery=compared.disagreements[:GALLERY],
        pictures=evidence.pictures,
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


def _results(
    runs: Sequence[ComparedRun], metrics: Mapping[str, Metrics]
) -> list[tuple[ComparedRun, Metrics, Span]]:
    """Each run with its metrics on the common digits, and its accuracy beside the others'."""
    accuracies = [metrics[run.name].accuracy for run in runs]
    scale = min(item.low for item in accuracies), max(item.high for item in accuracies)
    return [(run, metrics[run.name], _span(metrics[run.name].accuracy, scale)) for run in runs]


def _span(values: Any, scale: tuple[float, float]) -> Span:
    """values: with low, value and high."""
    start, width = scale[0], (scale[1] - scale[0]) or 1.0
    low, value, high = (
        100 * (found - start) / width for found in (values.low, values.value, values.high)
    )
    return Span(low, value, high)


def _tested(pairs: Sequence[Pair]) -> list[tuple[Pair, Span, float]]:
    """Each pair with its difference on one scale, and where the two would be equal on it."""
    scale = (
        min(0.0, *(pair.difference.low for pair in pairs)),
        max(0.0, *(pair.difference.high for pair in pairs)),
    )
    zero = _span(Span(0.0, 0.0, 0.0), scale).value
    return [(pair, _span(pair.difference, scale), zero) for pair in pairs]


def _points(difference: float) -> str:
    """A difference of accuracies in percentage points, with a minus that is one."""
    return f"{100 * difference:+.2f}".replace("-", "\N{MINUS SIGN}")


def _classes(metrics: Sequence[Metrics]) -> list[tuple[int, list[int]]]:
    """For each digit, how many there are and how many each run reads wrong."""
    return [
        (sum(counts), [sum(counts) - found.confusion[label][label] for found in metrics])
        for label, counts in enumerate(metrics[0].confusion)
    ]


def _settings(runs: Sequence[ComparedRun]) -> list[Setting]:
    """What differs in the recipes, and then in what is no setting but may matter as much."""
    commits = Setting(
        "code (commit)",
        tuple(short_commit(run.training["environment"]) or "unknown" for run in runs),
    )
    found = list(differences([run.recipe for run in runs]))
    return [*found, commits] if len(set(commits.values)) > 1 else found
