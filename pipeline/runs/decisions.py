"""What came of comparing recipes, as it is kept: figures, and what they say in words."""

from typing import Any, Literal

from pipeline.plan.workspace import Workspace
from pipeline.runs.comparison import chance_phrase, p_phrase
from pipeline.runs.paired_accuracy import SIGNIFICANCE
from pipeline.system import records
from pipeline.system.records import Count, Environment, Folds, Number, Record, Share, Whole


class DecidedRecipe(Record):
    """One recipe on the digits that its networks never saw.

    errors: of each seed.  seconds: of training, for each network.
    """

    recipe: str
    errors: list[Whole]
    accuracy: Share
    log_loss: Number
    seconds: Number
    runs: list[str]

    @property
    def mean_errors(self) -> float:
        """On average over the seeds."""
        return sum(self.errors) / len(self.errors)


class DecidedDifference(Record):
    """A recipe's value minus the first one's, with its 95 % interval: below 0 it is better.

    corrected: the p-value after Holm, for as many recipes as stand against the first one.
    digits_deviation, networks_deviation: how far each kind of chance reaches.
    """

    value: float
    low: float
    high: float
    p_value: Share
    corrected: Share
    digits_deviation: Number
    networks_deviation: Number

    @property
    def differ(self) -> bool:
        """Whether chance would hardly do as much."""
        return self.corrected < SIGNIFICANCE


class Contender(Record):
    """A recipe against the first one.  errors: a number of digits."""

    recipe: str
    log_loss: DecidedDifference
    errors: DecidedDifference


class DecidedSetting(Record):
    """One setting in which the recipes differ, as a text for each; "" where there is none."""

    key: str
    values: list[str]


class DecisionRecord(Record):
    """A file in data/decisions.

    recipes: in the order in which they were named.  rows: how many digits each of them read.
    locked_rows: how many were not opened.
    """

    inputs: dict[str, Any]
    kind: Literal["competition", "mnist-csv", "practice"]
    rows: Count
    locked_rows: Whole
    folds: Folds
    seeds: list[Whole]
    recipes: list[DecidedRecipe]
    contenders: list[Contender]
    settings: list[DecidedSetting]
    environment: Environment
    finished_at: str

    @property
    def first(self) -> DecidedRecipe:
        """What the others are compared with."""
        return self.recipes[0]


def read_decisions(workspace: Workspace) -> list[DecisionRecord]:
    """Return all that was decided, the newest last. Raises PipelineError for a damaged file."""
    remedy = "Remove it, or run the same make decide again."
    found = [
        records.load(path, DecisionRecord, remedy=remedy) for path in workspace.all_decisions()
    ]
    return sorted(found, key=lambda decision: decision.finished_at)


def sentence(decision: DecisionRecord, contender: Contender) -> str:
    """Return in plain words how a recipe stands against the first one."""
    loss, errors = contender.log_loss, contender.errors
    several = len(decision.contenders)
    return (
        f"{contender.recipe} has a log loss {_by(loss.value, '.5f', 'lower', 'higher')} than "
        f"{decision.first.recipe} (95 % interval {loss.low:+.5f} to {loss.high:+.5f}): "
        f"{_chance(loss, several)}. It makes {_by(errors.value, '.1f', 'fewer', 'more')} errors "
        f"of {decision.rows:,} ({errors.low:+.1f} to {errors.high:+.1f}): "
        f"{_chance(errors, several)}."
    )


def conclusion(decision: DecisionRecord, contender: Contender) -> str:
    """Return which of the two is better, in a few words."""
    better: dict[str, list[str]] = {}
    for by, found in (("log loss", contender.log_loss), ("errors", contender.errors)):
        if found.differ:
            name = contender.recipe if found.value < 0 else decision.first.recipe
            better.setdefault(name, []).append(by)
    if not better:
        return chance_phrase(differ=False)
    return "; ".join(f"{name} is better by {' and '.join(by)}" for name, by in better.items())


def _by(value: float, form: str, below: str, above: str) -> str:
    return f"{abs(value):{form}} {below if value < 0 else above}"


def _chance(found: DecidedDifference, several: int) -> str:
    text = p_phrase(found.p_value)
    if several > 1:
        text += f", corrected for {several} recipes {p_phrase(found.corrected)}"
    return f"{text}, {chance_phrase(differ=found.differ)}"
