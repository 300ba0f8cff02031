"""Pages to look at, one command each."""

import click

from pipeline.cli.options import console, plan_options, tell
from pipeline.plan import Plan


@click.command()
@plan_options
def report(plan: Plan, *, force: bool) -> None:
    """Write a page about the run: errors, calibration, curves."""
    from pipeline.display import show_report
    from pipeline.stages.report import report as run_stage

    show_report(console(), run_stage(plan, force=force, tell=tell))
