"""Pages to look at, one command each."""

from pathlib import Path

import click

from pipeline.cli.options import console, plan_options, workspace_options
from pipeline.plan.plan import Plan


@click.command()
@plan_options
def report(plan: Plan, *, force: bool) -> None:
    """Write a page about the run: errors, calibration, curves."""
    from pipeline.analysis.report import report as run_stage
    from pipeline.cli.show import show_report

    show_report(console(), run_stage(plan, force=force))


@click.command()
@click.argument("runs", nargs=-1, envvar="DIGITS_RUNS")
@workspace_options
def compare(runs: tuple[str, ...], data: str, submissions: str) -> None:
    """Put validated runs side by side, on a page and here."""
    from pipeline.analysis.compare import compare as run_stage
    from pipeline.cli.show import show_compare
    from pipeline.plan.workspace import Workspace

    workspace = Workspace(Path(data or "data"), Path(submissions or "submissions"))
    show_compare(console(), run_stage(workspace, runs))
