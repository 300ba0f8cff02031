"""The first sections of a run's page: what it reached, and how it came there."""

from dataclasses import dataclass

from markupsafe import Markup

from pipeline.pages.evidence import RunEvidence
from pipeline.pages.figures import MARKERS, learning_curves, to_svg
from pipeline.pages.page import interval, percent
from pipeline.pages.palette import series
from pipeline.runs.listing import short_commit

# By the labels of the figures of learning curves: what each shows, and its column in the history.
CAPTIONS = {
    "Loss": "Loss by epochs; digits that are distorted in training are harder to read.",
    "Accuracy": "Share of the held-out digits that are read right, by epochs.",
    "Learning rate": "Learning rate by epochs, as the schedule gave it.",
}
COLUMN = {
    "Loss": "hold_out_loss",
    "Accuracy": "hold_out_accuracy",
    "Learning rate": "learning_rate",
}


@dataclass(frozen=True)
class Number:
    """One of the few numbers that a page begins with."""

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class Summary:
    """The card at the top.  accuracy: on held-out digits, in a few words, for the page's title."""

    accuracy: str
    description: str
    notice: str
    headline: list[Number]
    facts: list[tuple[str, str]]


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


def summarize(evidence: RunEvidence) -> Summary:
    """Return the card's texts."""
    accuracy = evidence.metrics.accuracy
    headline = [
        Number(
            "Hold-out accuracy",
            percent(accuracy.value),
            f"{accuracy.correct:,} of {accuracy.rows:,} digits; 95 % interval {interval(accuracy)}",
        )
    ]
    if evidence.score:
        headline.append(_score(evidence.score.value, evidence.score.origin))
    return Summary(
        accuracy=f"{percent(accuracy.value)} of held-out digits right",
        description=evidence.description,
        notice=evidence.notice,
        headline=headline,
        facts=_facts(evidence),
    )


def _score(value: float, origin: str) -> Number:
    if origin == "leaderboard":
        return Number("Score on Kaggle", f"{100 * value:.3f} %", "public leaderboard")
    return Number("Test accuracy", percent(value), "by the source's own answer key")


def _facts(evidence: RunEvidence) -> list[tuple[str, str]]:
    training = evidence.training
    split, environment = training["split"], training["environment"]
    seed = training["seed"]
    facts = [
        ("Source", evidence.source),
        ("Recipe", training["recipe_name"]),
        ("Seed", "none of its own" if seed is None else str(seed)),
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
        ("Commit", short_commit(environment) or "outside of a clone"),
        ("Model", f"SHA-256 {training['model_sha256'][:12]}"),
        ("Finished", f"{training['finished_at'][:16].replace('T', ' ')} UTC"),
    ]
    if evidence.score is None:
        facts.append(_no_score(evidence))
    return facts


def _no_score(evidence: RunEvidence) -> tuple[str, str]:
    if evidence.training["data"]["kind"] == "practice":
        return "Test accuracy", "not measured yet: make all"
    return (
        "Score on Kaggle",
        "these digits have none" if evidence.notice else "none yet: make submit",
    )


def _cores(count: int) -> str:
    return "1 core" if count == 1 else f"{count} cores"


def draw_curves(evidence: RunEvidence) -> Curves:
    """Return the learning curves of the run, or of an ensemble's members."""
    figures = []
    for figure in learning_curves(evidence.histories):
        title = str(figure.get_label())
        ends = "; ".join(
            f"{name} {history.column(COLUMN[title])[-1]:.4g}"
            for name, history in evidence.histories.items()
        )
        svg = to_svg(figure, title=title, description=f"{CAPTIONS[title]} At the end: {ends}.")
        figures.append(Drawn(svg, CAPTIONS[title]))
    return Curves(
        legend=[
            (name, series(number), MARKERS[number % len(MARKERS)][1])
            for number, name in enumerate(evidence.histories)
        ],
        figures=figures,
    )
