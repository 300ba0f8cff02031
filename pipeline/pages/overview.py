"""The first sections of a run's page: what it reached, and how it came there."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.pages.evidence import RunEvidence
from pipeline.pages.figures import MARKERS, learning_curves, to_svg
from pipeline.pages.page import interval, percent
from pipeline.pages.palette import series
from pipeline.plan.commands import command
from pipeline.runs.listing import short_commit
from pipeline.training.fitting import History

# By the labels of the figures of learning curves: what each shows, and its column in the history.
CAPTIONS = {
    "Loss": (
        "Loss by epochs; distorted digits and smoothed labels raise it in training.",
        "hold_out_loss",
    ),
    "Accuracy": (
        "Share of the held-out digits that are read right, by epochs.",
        "hold_out_accuracy",
    ),
    "Learning rate": ("Learning rate by epochs, as the schedule gave it.", "learning_rate"),
}
# One of the few numbers that a page begins with: its name, the number, a note.
Number = tuple[str, str, str]


@dataclass(frozen=True)
class Drawn:
    """A figure with the sentence below it."""

    svg: Markup
    caption: str


@dataclass(frozen=True)
class Curves:
    """Learning curves.  legend: name, series and marker of each run in them."""

    legend: list[tuple[str, str, str]]
    figures: list[Drawn]


def headline_of(evidence: RunEvidence) -> list[Number]:
    """Return the few numbers that the page begins with."""
    accuracy = evidence.metrics.accuracy
    note = f"{accuracy.correct:,} of {accuracy.rows:,} digits; 95 % interval {interval(accuracy)}"
    headline = [("Hold-out accuracy", percent(accuracy.value), note)]
    if score := evidence.score:
        if score.origin == "leaderboard":
            shown = ("Score on Kaggle", f"{100 * score.value:.3f} %", "public leaderboard")
        else:
            shown = ("Test accuracy", percent(score.value), "by the source's own answer key")
        headline.append(shown)
    return headline


def facts_of(evidence: RunEvidence) -> list[tuple[str, str]]:
    """Return what else the card at the top says: names and values."""
    training = evidence.training
    split, environment = training["split"], training["environment"]
    seed = training["seed"]
    facts = [
        ("Source", evidence.source),
        ("Recipe", training["recipe_name"]),
        ("Seed", "no seed of its own" if seed is None else str(seed)),
    ]
    if evidence.overrides:
        facts.append(("Changed in the recipe", " ".join(evidence.overrides)))
    if evidence.is_ensemble:
        facts.append(("Networks", str(training.get("networks", len(evidence.histories)))))
    facts += [
        ("Trained on", f"{split['training_rows']:,} digits"),
        ("Held out", f"{split['hold_out_rows']:,} digits"),
        ("Parameters", f"{training['parameters']:,}"),
        ("Log-loss", f"{evidence.metrics.log_loss:.4f}"),
        ("Training", f"{training['seconds']:,.1f} s on {_cores(environment['cores'])}"),
        ("Commit", short_commit(environment) or environment.get("no_commit") or "not on record"),
        ("Model", f"SHA-256 {training['model_sha256'][:12]}"),
        ("Finished", f"{training['finished_at'][:16].replace('T', ' ')} UTC"),
    ]
    if evidence.score is None:
        facts.append(_no_score(evidence))
    return facts


def _no_score(evidence: RunEvidence) -> tuple[str, str]:
    if evidence.training["data"]["kind"] == "practice":
        return "Test accuracy", f"not measured yet: {evidence.command}"
    return (
        "Score on Kaggle",
        "these digits have none"
        if evidence.notice
        else f"none yet: {command('submit', RUN=evidence.name)}",
    )


def _cores(count: int) -> str:
    return "1 core" if count == 1 else f"{count} cores"


def draw_curves(histories: Mapping[str, History]) -> Curves:
    """Return the learning curves of a run, or of several; histories: by their names."""
    figures = []
    for figure in learning_curves(histories):
        caption, column = CAPTIONS[str(figure.get_label())]
        ends = "; ".join(
            f"{name} {history.column(column)[-1]:.4g}" for name, history in histories.items()
        )
        svg = to_svg(figure, description=f"{caption} At the end: {ends}.")
        figures.append(Drawn(svg, caption))
    legend = [
        (name, series(number), MARKERS[number % len(MARKERS)][1])
        for number, name in enumerate(histories)
    ]
    return Curves(legend, figures)
