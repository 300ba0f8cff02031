"""What became of runs and submissions: lists, tables, and a check of any CSV."""

from pathlib import Path

import click

from pipeline.cli.options import console, workspace_options


@click.command()
@click.argument("file", type=click.Path(readable=False, path_type=Path))
@click.option(
    "--sample", type=click.Path(readable=False, path_type=Path), help="A sample_submission.csv."
)
@click.option("--rows", type=click.IntRange(min=1), help="Expected rows (default: 28,000).")
def check(file: Path, sample: Path | None, rows: int | None) -> None:
    """Check any submission CSV, and name its first bad line."""
    from pipeline.analysis.check import check as run_check
    from pipeline.cli.show import show_check

    show_check(console(), run_check(file, sample=sample, rows=rows))


@click.command()
@workspace_options
def runs(data: str, submissions: str) -> None:
    """List runs and submissions with their scores."""
    from pipeline.cli.show import show_runs
    from pipeline.plan.workspace import Workspace
    from pipeline.runs.listing import list_runs

    show_runs(console(), list_runs(Workspace(Path(data), Path(submissions))))
