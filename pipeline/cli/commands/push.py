"""The pipeline inside Kaggle: a notebook that holds all of it, and its way there."""

import click

from pipeline.cli.options import console, plan_options
from pipeline.plan.plan import Plan


@click.command()
@plan_options
def notebook(plan: Plan, *, force: bool) -> None:
    """Write a notebook that runs all of this at Kaggle."""
    from pipeline.cli.show.push import show_notebook
    from pipeline.stages.notebook import notebook as run_stage

    show_notebook(console(), run_stage(plan, force=force))


@click.command()
@plan_options
def push(plan: Plan, *, force: bool) -> None:
    """Send the notebook to Kaggle, where it runs by itself."""
    from pipeline.cli.show.push import show_push
    from pipeline.stages.push import push as run_stage

    show_push(console(), run_stage(plan, force=force))
