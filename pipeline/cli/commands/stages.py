"""The stages from the source to Kaggle, one command each."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import (
    console,
    executor_options,
    plan_options,
    tell,
    track_option,
    workspace_options,
)
from pipeline.plan.plan import Plan

if TYPE_CHECKING:
    from pipeline.training.executors import Executor


@click.command()
@plan_options
def download(plan: Plan, *, force: bool) -> None:
    """Fetch the digits of the source into data/raw."""
    from pipeline.cli.show import show_download
    from pipeline.stages.download import download as run_stage

    show_download(console(), run_stage(plan, force=force, tell=tell))


@click.command()
@plan_options
def preprocess(plan: Plan, *, force: bool) -> None:
    """Check the CSV files and turn them into arrays."""
    from pipeline.cli.show import show_preprocess
    from pipeline.stages.preprocess import preprocess as run_stage

    show_preprocess(console(), run_stage(plan, force=force, tell=tell))


@click.command()
@plan_options
@track_option
@executor_options
def train(plan: Plan, *, executor: "Executor", force: bool, track: str | None) -> None:
    """Train the recipe's network; goes on where it was interrupted."""
    from pipeline.cli.show import TrainingDisplay, show_train
    from pipeline.stages.train import train as run_stage
    from pipeline.tracking.session import Tracking

    with (
        TrainingDisplay(console()) as display,
        Tracking(
            track,
            plan,
            tell=display.tell,
            watcher=display if executor.one_by_one else None,
        ) as watcher,
    ):
        result = run_stage(plan, force=force, tell=display.tell, watcher=watcher, executor=executor)
    show_train(console(), result)


@click.command()
@plan_options
@track_option
def validate(plan: Plan, *, force: bool, track: str | None) -> None:
    """Measure the run on the digits held out of training."""
    from pipeline.cli.show import show_validate
    from pipeline.stages.validate import validate as run_stage
    from pipeline.tracking.session import Tracking

    with Tracking(track, plan, tell=tell):
        result = run_stage(plan, force=force, tell=tell)
    show_validate(console(), result)


@click.command()
@plan_options
def submission(plan: Plan, *, force: bool) -> None:
    """Predict the test digits and write the checked CSV."""
    from pipeline.cli.show import show_submission
    from pipeline.stages.submission import submission as run_stage

    show_submission(console(), run_stage(plan, force=force, tell=tell))


@click.command()
@plan_options
@track_option
@click.option("--timeout", default=600.0, show_default=True, help="Seconds to wait for the score.")
def submit(plan: Plan, *, force: bool, track: str | None, timeout: float) -> None:
    """Send the CSV to Kaggle and show the score."""
    from pipeline.cli.show import show_submit
    from pipeline.stages.submit import submit as run_stage
    from pipeline.tracking.session import Tracking

    with Tracking(track, plan, tell=tell):
        result = run_stage(plan, force=force, timeout_seconds=timeout, tell=tell)
    show_submit(console(), result)


@click.command()
@plan_options
@track_option
@click.option("--quiet", is_flag=True, help="Write the summary without showing it.")
def summary(plan: Plan, *, force: bool, track: str | None, quiet: bool) -> None:
    """Sum the run up, and say what to do next."""
    from pipeline.cli.show import show_summary
    from pipeline.stages.summary import summary as run_stage
    from pipeline.tracking.session import Tracking

    with Tracking(track, plan, tell=tell):
        result = run_stage(plan, force=force, tell=tell)
    if not quiet:
        show_summary(console(), result)


@click.command()
@click.argument("runs", nargs=-1, envvar="DIGITS_RUNS")
@click.option("--run", envvar="DIGITS_RUN", help="The blend's name (default: made of theirs).")
@workspace_options
def blend(runs: tuple[str, ...], run: str | None, data: str, submissions: str) -> None:
    """Average finished runs into a new one, with a CSV."""
    from pipeline.cli.show import show_submission, show_validate
    from pipeline.plan.members import plan_blend
    from pipeline.plan.workspace import Workspace
    from pipeline.stages.submission import submission as submission_stage
    from pipeline.stages.train import train as train_stage
    from pipeline.stages.validate import validate as validate_stage

    workspace = Workspace(Path(data or "data"), Path(submissions or "submissions"))
    plan = plan_blend(workspace, runs, run=run or None)
    train_stage(plan, tell=tell)
    measured = validate_stage(plan, tell=tell)
    written = submission_stage(plan, tell=tell)
    # Shown also when it was there before: a blend is made to be looked at.
    show_validate(console(), replace(measured, unchanged=False))
    show_submission(console(), replace(written, unchanged=False))
