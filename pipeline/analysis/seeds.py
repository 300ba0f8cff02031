"""Stage seeds: how far apart runs lie that differ by their seed alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.plan.plan import Plan
from pipeline.runs.metrics import Accuracy
from pipeline.runs.run import hold_out_accuracy, read_run
from pipeline.runs.spread import Spread, spread


@dataclass(frozen=True)
class SeedRow:
    """The run of one seed.  seconds: of its training."""

    seed: int | None
    run: str
    accuracy: Accuracy
    seconds: float


@dataclass(frozen=True)
class SeedsResult:
    """rows: one for each seed, in the order asked for.  hold_out: the spread of accuracies."""

    recipe: str
    rows: tuple[SeedRow, ...]
    hold_out: Spread


def seeds(plans: Sequence[Plan]) -> SeedsResult:
    """Return what runs with several seeds reach on the digits that they held out.

    Raises PipelineError if one is not trained, or not validated since.
    """
    rows = []
    for plan in plans:
        run = read_run(plan)
        rows.append(SeedRow(plan.seed, plan.run, hold_out_accuracy(run), run.training["seconds"]))
    return SeedsResult(
        plans[0].recipe_name, tuple(rows), spread(row.accuracy.value for row in rows)
    )
