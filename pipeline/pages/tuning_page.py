"""The page about a search: what it found, how it went on, and which settings mattered."""

from pipeline.pages.figures import to_svg
from pipeline.pages.overview import Drawn, Number
from pipeline.pages.page import percent, render
from pipeline.pages.tuning_figures import AXIS, against, importance_bars, progress
from pipeline.training.search.outcome import Outcome, Trial, setting_text

CONTENTS = (
    ("summary", "Summary"),
    ("progress", "How the search went"),
    ("importance", "What mattered"),
    ("settings", "Setting by setting"),
    ("trials", "The best trials"),
)
SHOWN = 10


def tuning_page(outcome: Outcome) -> str:
    """Return the page as one HTML text; the same outcome gives the same text."""
    return render(
        "tuning.html.jinja",
        name=outcome.study,
        description=outcome.description,
        contents=CONTENTS,
        headings=dict(CONTENTS),
        headline=_headline(outcome),
        facts=_facts(outcome),
        objective=outcome.objective,
        progress=_progress(outcome),
        importance=_importance(outcome),
        complete=len(outcome.complete),
        settings=[_against(outcome, number) for number in range(len(outcome.dimensions))],
        keys=[dimension.key for dimension in outcome.dimensions],
        rows=_shown(outcome),
        setting_text=setting_text,
        failures=[
            (trial.place + 1, trial.reason) for trial in outcome.trials if trial.state == "failed"
        ],
    )


def _headline(outcome: Outcome) -> list[Number]:
    best, own = outcome.best, outcome.own
    numbers = [("Best trial", percent(best.accuracy or 0.0), f"loss {best.loss:.4f}")]
    if own is not None:
        numbers.append(("The recipe", percent(own.accuracy or 0.0), f"loss {own.loss:.4f}"))
    return numbers


def _facts(outcome: Outcome) -> list[tuple[str, str]]:
    return [
        ("Recipe", outcome.recipe),
        ("Seed", str(outcome.seed)),
        ("Measured on", f"{outcome.hold_out_rows:,} held-out {outcome.digits} digits"),
        ("Searched for", f"the {'lowest' if outcome.objective == 'loss' else 'highest'} "
                         f"{outcome.objective}"),
        ("Trials", str(len(outcome.trials))),
        ("Trained to the end", str(outcome.count("complete"))),
        ("Pruned", str(outcome.count("pruned"))),
        ("Failed", str(outcome.count("failed"))),
    ]  # fmt: skip


def _progress(outcome: Outcome) -> Drawn:
    caption = (
        "Each trial's outcome, and the best so far (ringed: the best of all). Crosses at the edge "
        "were pruned: at the same time, most others were better."
    )
    best = outcome.best
    description = (
        f"{AXIS[outcome.objective].capitalize()} of {len(outcome.trials)} trials. The best is "
        f"trial {best.place + 1} with {best.value(outcome.objective):.4f}."
    )
    return Drawn(to_svg(progress(outcome), description=description), caption)


def _importance(outcome: Outcome) -> Drawn | None:
    if outcome.importances is None:
        return None
    shares = ", ".join(f"{key} {100 * share:.0f} %" for key, share in outcome.importances.items())
    return Drawn(
        to_svg(
            importance_bars(outcome.importances),
            title="Importance of each setting",
            description=f"{shares}.",
        ),
        "How much of the differences between complete trials each setting explains, within its "
        "range (functional analysis of variance).",
    )


def _against(outcome: Outcome, number: int) -> Drawn:
    dimension = outcome.dimensions[number]
    best = setting_text(outcome.best.settings[dimension.key])
    caption = f"The recipe has {setting_text(dimension.own)}, the best trial {best}."
    return Drawn(
        to_svg(
            against(outcome, dimension),
            title=f"{AXIS[outcome.objective].capitalize()} by {dimension.key}",
            description=f"One dot for each complete trial. {caption}",
        ),
        caption,
    )


def _shown(outcome: Outcome) -> list[Trial]:
    """The best trials, and that of the recipe."""
    shown = outcome.ranked[:SHOWN]
    return [*shown, outcome.own] if outcome.own and outcome.own not in shown else shown
