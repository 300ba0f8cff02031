"""The way back: from a score to what it was made of, and making it again."""

import click

from pipeline.cli.options import console, workspace_options
from pipeline.plan.workspace import Workspace


@click.command()
@click.argument("what", metavar="RUN|CSV|NUMBER|SCORE", envvar="DIGITS_RUN")
@workspace_options
def trace(workspace: Workspace, *, what: str) -> None:
    """Show what a score was made of, and whether it is still there.

    Give a run, a CSV, Kaggle's number of a submission, or a score.
    """
    from pipeline.analysis.trace import trace as follow
    from pipeline.cli.show.trace import show_trace

    show_trace(console(), follow(workspace, what))


@click.command()
@click.argument("run", envvar="DIGITS_RUN")
@click.option("--keep", is_flag=True, help="Leave the second training in data/reproductions.")
@workspace_options
def reproduce(workspace: Workspace, *, run: str, keep: bool) -> None:
    """Train a run again from its record, and compare the bits."""
    from pipeline.analysis.reproduce import reproduce as run_stage
    from pipeline.cli.show.progress import TrainingDisplay
    from pipeline.cli.show.trace import show_reproduce

    with TrainingDisplay(console()):
        result = run_stage(workspace, run, keep=keep)
    show_reproduce(console(), result)
    if not result.agrees:
        click.get_current_context().exit(1)
