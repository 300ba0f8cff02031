"""Searching for better settings of a recipe."""

import click

from pipeline.cli.options import console, run_options
from pipeline.plan.plan import Plan, check_text, parse_trials


@click.command()
@run_options
@click.option(
    "--trials", envvar="DIGITS_TRIALS", help="How many in all (default: the recipe's number)."
)
@click.option(
    "--storage",
    envvar="DIGITS_STORAGE",
    help="A database that several machines share (default: a file).",
)
def tune(plan: Plan, *, trials: str | None, storage: str | None) -> None:
    """Search the recipe's ranges for better settings."""
    from pipeline.analysis.tune import tune as run_stage
    from pipeline.cli.show.progress import TuningDisplay
    from pipeline.cli.show.tune import show_tune

    wanted = parse_trials(trials)
    check_text("STORAGE", storage or "")
    with TuningDisplay(console()):
        result = run_stage(plan, trials=wanted, storage=storage or None)
    show_tune(console(), result)
