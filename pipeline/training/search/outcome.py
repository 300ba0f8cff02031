"""What came of a search, as values that pages, tables and files are made of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.recipes.ranges import Range
from pipeline.recipes.recipe import Recipe, range_faults, value_of

State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Dimension:
    """A setting that varies.  own: its value in the recipe, which the first trial has."""

    key: str
    own: Any
    range: Range


@dataclass(frozen=True)
class Trial:
    """One set of values, tried.

    place: from 0, in the order in which they were begun; 0 is the recipe as it is.
    settings: the values, by their dotted keys.
    loss, accuracy: on the held-out digits; of a pruned one, at its last evaluation, and None of
    one that failed before it had any.
    progress: the share of the training that was done, 0 to 1.  reason: why it failed, else "".
    """

    place: int
    state: State
    settings: Mapping[str, Any]
    loss: float | None
    accuracy: float | None
    progress: float
    reason: str

    def value(self, objective: str) -> float | None:
        """Return what the search compares: loss or accuracy."""
        return self.accuracy if objective == "accuracy" else self.loss


@dataclass(frozen=True)
class Outcome:
    """A finished search.

    study: its name.  recipe: the name of the recipe it began with.  digits: their kind.
    trials: all of them, by place.  hold_out_rows: on how many digits they were measured.
    importances: of each setting, which sum to 1; None where too few trials tell.
    """

    study: str
    recipe: str
    description: str
    digits: str
    seed: int
    objective: Literal["loss", "accuracy"]
    dimensions: Sequence[Dimension]
    trials: Sequence[Trial]
    hold_out_rows: int
    importances: Mapping[str, float] | None

    @property
    def complete(self) -> list[Trial]:
        """The trials that were trained to their end."""
        return [trial for trial in self.trials if trial.state == "complete"]

    @property
    def ranked(self) -> list[Trial]:
        """The complete trials, best first; of equal ones, the earlier first."""
        return sorted(self.complete, key=lambda trial: _order(trial, self.objective))

    @property
    def best(self) -> Trial:
        """The best complete trial; there must be one."""
        return self.ranked[0]

    @property
    def own(self) -> Trial | None:
        """The trial of the recipe as it is; None if its training failed."""
        return next((trial for trial in self.complete if trial.place == 0), None)

    def count(self, state: State) -> int:
        """Return how many trials ended so."""
        return sum(trial.state == state for trial in self.trials)


def dimensions_of(recipe: Recipe) -> list[Dimension]:
    """Return the settings that vary, in the recipe's order.

    Raises ValueError if the recipe, overrides included, lies outside of its own ranges.
    """
    faults = range_faults(recipe)
    if faults or recipe.tune is None:
        raise ValueError("; ".join(faults[:3]) or "tune: missing key")
    whole = recipe.model_dump()
    return [
        Dimension(key, value_of(whole, key), found) for key, found in recipe.tune.ranges.items()
    ]


def claim(outcome: Outcome) -> str:
    """Return what a tuned recipe says of itself, as comments of a few lines."""
    best, own, rows = outcome.best, outcome.own, f"{outcome.hold_out_rows:,}"
    trials = len(outcome.trials)
    if best is own:
        found = f"the recipe itself, which none of {trials - 1} other trials beat"
    else:
        found = f"the best of {trials} trials on these same digits, so likely a little too good"
    lines = [f"# Tuned: {_figures(best)} on {rows} held-out {outcome.digits} digits, {found}."]
    if own is None:
        lines.append(f"# The recipe it came from, {outcome.recipe}, could not be trained.")
    elif best is not own:
        lines.append(
            f"# The recipe it came from, {outcome.recipe}: {_figures(own)} "
            f"(same digits, same seed {outcome.seed})."
        )
    return "\n".join(lines)


def setting_text(value: Any) -> str:
    """Return a setting's value as people read it."""
    return value if isinstance(value, str) else json.dumps(value)


def _figures(trial: Trial) -> str:
    return f"{trial.accuracy:.4f} (loss {trial.loss:.4f})"


def _order(trial: Trial, objective: str) -> tuple[float, float, int]:
    assert trial.loss is not None
    assert trial.accuracy is not None
    first = -trial.accuracy if objective == "accuracy" else trial.loss
    return first, trial.loss, trial.place


def trial_text(trial: Trial, trials: int) -> str:
    """Return a finished trial in a line.  trials: how many there are to be."""
    settings = "  ".join(
        f"{key.rpartition('.')[2]} {setting_text(value)}" for key, value in trial.settings.items()
    )
    number = f"{trial.place + 1:>{len(str(trials))}}/{trials}"
    return f"trial {number}  {_outcome(trial)}  {settings}"


def _outcome(trial: Trial) -> str:
    if trial.state == "failed":
        return f"failed: {trial.reason}"
    figures = f"loss {trial.loss:.4f}  accuracy {trial.accuracy:.4f}"
    if trial.state == "pruned":
        return f"{figures}  pruned after {100 * trial.progress:.0f} %"
    return figures
