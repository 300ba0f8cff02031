"""One recipe with several seeds, as one command."""

from typing import TYPE_CHECKING

import click

from pipeline.cli.options import console, executor_options, plan_options, track_option
from pipeline.plan.plan import Plan

if TYPE_CHECKING:
    from pipeline.training.executors import Executor


@click.command()
@plan_options
@track_option
@executor_options
@click.option("--seeds", envvar="DIGITS_SEEDS", help='How many seeds, or which: "0 3 7".')
def seeds(
    plan: Plan, *, executor: "Executor", force: bool, track: str | None, seeds: str | None
) -> None:
    """Train and validate with several seeds: how much is luck."""
    from pipeline.analysis.seeds import seeds as run_stage
    from pipeline.cli.show import TrainingDisplay, show_seeds
    from pipeline.plan.seeds import parse_seeds, seed_plans
    from pipeline.stages.train import train_together
    from pipeline.stages.validate import validate as validate_stage
    from pipeline.tracking.session import Tracking

    plans = seed_plans(plan, parse_seeds(seeds))
    with (
        TrainingDisplay(console(), each_epoch=executor.one_by_one),
        Tracking(track, plans[0]),
    ):
        train_together(plans, force=force, executor=executor)
    for each in plans:
        with Tracking(track, each):
            validate_stage(each, force=force)
    show_seeds(console(), run_stage(plans))
