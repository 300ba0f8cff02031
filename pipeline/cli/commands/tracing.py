"""The way back: from a score to what it was made of, and making it again."""

from pathlib import Path

import click

from pipeline.cli.options import console, workspace_options
from pipeline.plan.workspace import Workspace


@click.command()
@click.argument("what", metavar="RUN|CSV|NUMBER|SCORE", envvar="DIGITS_RUN")
@workspace_options
def trace(what: str, data: str, submissions: str) -> None:
    """Show what a score was made of, and whether it is still there.

    Give a run, a CSV, Kaggle's number of a submission, or a score.
    """
    from pipeline.analysis.trace import trace as follow
    from pipeline.cli.show import show_trace

    workspace = Workspace(Path(data or "data"), Path(submissions or "submissions"))
    show_trace(console(), follow(workspace, what))


@click.command()
@click.argument("run", envvar="DIGITS_RUN")
@click.option("--keep", is_flag=True, help="Leave the second training in data/reproductions.")
@workspace_options
def reproduce(run: str, keep: bool, data: str, submissions: str) -> None:
    """Train a run again from its record, and compare the bits."""
    from pipeline.analysis.reproduce import reproduce as run_stage
    from pipeline.cli.show import TrainingDisplay, show_reproduce

    workspace = Workspace(Path(data or "data"), Path(submissions or "submissions"))
    with TrainingDisplay(console()):
        result = run_stage(workspace, run, keep=keep)
    show_reproduce(console(), result)
    if not result.agrees:
        click.get_current_context().exit(1)
