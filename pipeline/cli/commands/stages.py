"""The stages from the source to Kaggle, one command each."""

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from pipeline.cli.advice import mean
from pipeline.cli.options import (
    console,
    executor_options,
    plan_options,
    track_option,
    workspace_options,
)
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.training.executors import Executor


@click.command(name="all")
@plan_options
@track_option
@executor_options
def all_(plan: Plan, *, executor: "Executor", force: bool, track: str | None) -> None:
    """Do every stage that is due, and sum the run up."""
    from pipeline.cli.show import stages as show
    from pipeline.cli.show.progress import TrainingDisplay
    from pipeline.cli.show.validate import show_validate
    from pipeline.stages.download import download as download_stage
    from pipeline.stages.preprocess import preprocess as preprocess_stage
    from pipeline.stages.submission import submission as submission_stage
    from pipeline.stages.summary import summary as summary_stage
    from pipeline.stages.train import train as train_stage
    from pipeline.stages.validate import validate as validate_stage
    from pipeline.tracking.session import Tracking

    screen = console()
    if not (downloaded := download_stage(plan, force=force)).unchanged:
        show.show_download(screen, downloaded)
    if not (preprocessed := preprocess_stage(plan, force=force)).unchanged:
        show.show_preprocess(screen, preprocessed)
    with Tracking(track, plan):
        with TrainingDisplay(screen, each_epoch=executor.one_by_one):
            trained = train_stage(plan, force=force, executor=executor)
        if not trained.unchanged:
            show.show_train(screen, trained)
        if not (validated := validate_stage(plan, force=force)).unchanged:
            show_validate(screen, validated)
        if not (written := submission_stage(plan, force=force)).unchanged:
            show.show_submission(screen, written)
        summed_up = summary_stage(plan, force=force)
    show.show_summary(screen, summed_up)


@click.command()
@plan_options
def download(plan: Plan, *, force: bool) -> None:
    """Fetch the digits of the source into data/raw."""
    from pipeline.cli.show.stages import show_download
    from pipeline.stages.download import download as run_stage

    show_download(console(), run_stage(plan, force=force))


@click.command()
@plan_options
def preprocess(plan: Plan, *, force: bool) -> None:
    """Check the CSV files and turn them into arrays."""
    from pipeline.cli.show.stages import show_preprocess
    from pipeline.stages.preprocess import preprocess as run_stage

    show_preprocess(console(), run_stage(plan, force=force))


@click.command()
@plan_options
@track_option
@executor_options
def train(plan: Plan, *, executor: "Executor", force: bool, track: str | None) -> None:
    """Train the recipe's network; goes on where it was interrupted."""
    from pipeline.cli.show.progress import TrainingDisplay
    from pipeline.cli.show.stages import show_train
    from pipeline.stages.train import train as run_stage
    from pipeline.tracking.session import Tracking

    with (
        TrainingDisplay(console(), each_epoch=executor.one_by_one),
        Tracking(track, plan),
    ):
        result = run_stage(plan, force=force, executor=executor)
    show_train(console(), result)


@click.command()
@plan_options
@track_option
def validate(plan: Plan, *, force: bool, track: str | None) -> None:
    """Measure the run on the digits held out of training."""
    from pipeline.cli.show.validate import show_validate
    from pipeline.stages.validate import validate as run_stage
    from pipeline.tracking.session import Tracking

    with Tracking(track, plan):
        result = run_stage(plan, force=force)
    show_validate(console(), result)


@click.command()
@plan_options
def submission(plan: Plan, *, force: bool) -> None:
    """Predict the test digits and write the checked CSV."""
    from pipeline.cli.show.stages import show_submission
    from pipeline.stages.submission import submission as run_stage

    show_submission(console(), run_stage(plan, force=force))


@click.command()
@plan_options
@track_option
@click.option("--timeout", default=600.0, show_default=True, help="Seconds to wait for the score.")
def submit(plan: Plan, *, force: bool, track: str | None, timeout: float) -> None:
    """Send the CSV to Kaggle and show the score."""
    from pipeline.cli.show.stages import show_submit
    from pipeline.stages.submit import submit as run_stage
    from pipeline.tracking.session import Tracking

    with Tracking(track, plan):
        result = run_stage(plan, force=force, timeout_seconds=timeout)
    show_submit(console(), result)


@click.command()
@plan_options
@track_option
@click.option("--quiet", is_flag=True, help="Write the summary without showing it.")
def summary(plan: Plan, *, force: bool, track: str | None, quiet: bool) -> None:
    """Sum the run up, and say what to do next."""
    from pipeline.cli.show.stages import show_summary
    from pipeline.stages.summary import summary as run_stage
    from pipeline.tracking.session import Tracking

    with Tracking(track, plan):
        result = run_stage(plan, force=force)
    if not quiet:
        show_summary(console(), result)


@click.command()
@click.argument("runs", nargs=-1, envvar="DIGITS_RUNS")
@click.option("--run", envvar="DIGITS_RUN", help="The blend's name (default: made of theirs).")
@workspace_options
def blend(workspace: Workspace, *, runs: tuple[str, ...], run: str | None) -> None:
    """Average finished runs into a new one, with a CSV."""
    from pipeline.cli.show.stages import show_submission
    from pipeline.cli.show.validate import show_validate
    from pipeline.plan.members import plan_blend
    from pipeline.stages.submission import submission as submission_stage
    from pipeline.stages.train import train as train_stage
    from pipeline.stages.validate import validate as validate_stage

    plan = plan_blend(workspace, runs, run=run or None)
    mean(RUN=plan.blend[0])  # whose digits are those of all
    train_stage(plan)
    measured = validate_stage(plan)
    written = submission_stage(plan)
    # A blend is made to be looked at, so that it is shown also when it was there before.
    show_validate(console(), replace(measured, unchanged=False))
    show_submission(console(), replace(written, unchanged=False))
