"""What one asks of runs: lists, comparisons, pages, how much is luck, a check of any CSV."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import (
    console,
    executor_options,
    folds_option,
    force_option,
    plan_options,
    set_option,
    source_option,
    track_option,
    workspace_options,
)
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import Workspace

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
    from pipeline.cli.show.progress import TrainingDisplay
    from pipeline.cli.show.runs import show_seeds
    from pipeline.plan.seed_plans import parse_seeds, seed_plans
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


@click.command()
@click.argument("recipes", nargs=-1, envvar="DIGITS_RECIPES")
@source_option
@set_option
@folds_option
@click.option("--seeds", envvar="DIGITS_SEEDS", help='How many seeds, or which: "0 3 7".')
@force_option
@executor_options
@workspace_options
def decide(
    workspace: Workspace,
    *,
    recipes: tuple[str, ...],
    source: str | None,
    overrides: str | None,
    folds: str | None,
    seeds: str | None,
    force: bool,
    executor: "Executor",
) -> None:
    """Compare recipes out-of-fold: is one better than the first?"""
    from pipeline.analysis.decide import decide as run_stage
    from pipeline.cli.show.progress import TrainingDisplay
    from pipeline.cli.show.runs import show_decide
    from pipeline.plan.decision_plans import decision_plans
    from pipeline.stages.train import train_together
    from pipeline.stages.validate import validate as validate_stage

    plans = decision_plans(
        workspace, recipes, source=source, overrides=overrides, folds=folds, seeds=seeds
    )
    each = [plan for of_recipe in plans for plan in of_recipe]
    with TrainingDisplay(console(), each_epoch=executor.one_by_one):
        train_together(each, force=force, executor=executor)
    for plan in each:
        validate_stage(plan, force=force)
    show_decide(console(), run_stage(plans))


@click.command()
@plan_options
def report(plan: Plan, *, force: bool) -> None:
    """Write a page about the run: errors, calibration, curves."""
    from pipeline.analysis.report import report as run_stage
    from pipeline.cli.show.runs import show_report

    show_report(console(), run_stage(plan, force=force))


@click.command()
@click.argument("runs", nargs=-1, envvar="DIGITS_RUNS")
@workspace_options
def compare(workspace: Workspace, *, runs: tuple[str, ...]) -> None:
    """Put validated runs side by side, on a page and here."""
    from pipeline.analysis.compare import compare as run_stage
    from pipeline.cli.show.runs import show_compare

    show_compare(console(), run_stage(workspace, runs))


@click.command()
@click.argument("file", type=click.Path(readable=False, path_type=Path))
@click.option(
    "--sample", type=click.Path(readable=False, path_type=Path), help="A sample_submission.csv."
)
@click.option("--rows", type=click.IntRange(min=1), help="Expected rows (default: 28,000).")
def check(file: Path, sample: Path | None, rows: int | None) -> None:
    """Check any submission CSV, and name its first bad line."""
    from pipeline.analysis.check import check as run_check
    from pipeline.cli.show.runs import show_check

    show_check(console(), run_check(file, sample=sample, rows=rows))


@click.command()
@workspace_options
def runs(workspace: Workspace) -> None:
    """List runs and submissions with their scores."""
    from pipeline.cli.show.runs import show_runs
    from pipeline.runs.listing import list_runs

    show_runs(console(), list_runs(workspace))
