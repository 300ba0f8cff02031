"""The command line: one thin command for each stage, which parses, calls and shows.

Stages and the libraries behind them are imported when a command runs, so that help is instant.
"""

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline import HOW_TO_INSTALL, __version__
from pipeline.errors import PipelineError
from pipeline.plan import Plan, make_plan, parse_folds, parse_seed

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED = 130  # what shells report for a process that SIGINT ended


class Stages(click.Group):
    """Lists the stages in the order of the pipeline, and turns failures into one or two lines."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)

    def main(self, *args: Any, **extra: Any) -> Any:
        # Around all of click, because help and usage can fail too: on a full disk, say.
        with friendly_failures():
            return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        # And inside of it, because click ends an interrupted command in its own way.
        with friendly_failures():
            return super().invoke(ctx)


@contextmanager
def friendly_failures() -> Iterator[None]:
    """End the process with a clear line on standard error instead of a traceback."""
    try:
        yield
    except PipelineError as error:
        click.secho(f"Error: {error.message}", fg="red", err=True)
        if error.remedy:
            click.echo(error.remedy, err=True)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nInterrupted. The same command goes on from here.", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader (head, a closed terminal) has what it wants; nothing is left to be flushed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ModuleNotFoundError as error:
        click.secho(f"Error: the package {error.name} is not installed", fg="red", err=True)
        click.echo(HOW_TO_INSTALL, err=True)
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.secho(f"Error: {where}{error.strerror or error}", fg="red", err=True)
        sys.exit(1)


def workspace_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where artefacts are; the command takes data and submissions."""
    for option in (
        click.option("--data", envvar="DIGITS_DATA", default="data", help="Folder of artefacts."),
        click.option(
            "--submissions",
            envvar="DIGITS_SUBMISSIONS",
            default="submissions",
            help="Folder of submission files.",
        ),
    ):
        command = option(command)
    return command


def plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that all stages share; the command takes the resulting plan and force."""

    @functools.wraps(command)
    def with_plan(
        *,
        source: str | None,
        recipe: str | None,
        run: str | None,
        seed: str | None,
        overrides: str | None,
        folds: str | None,
        data: str,
        submissions: str,
        force: str | None,
        **others: Any,
    ) -> None:
        plan = make_plan(
            source=source,
            recipe=recipe,
            run=run,
            seed=parse_seed(seed),
            overrides=overrides,
            folds=parse_folds(folds),
            data=data or "data",
            submissions=submissions or "submissions",
        )
        command(plan, force=force not in (None, "", "0"), **others)

    # Values that make exports are empty when unset, so all of them are texts here.
    options = (
        click.option("--source", envvar="DIGITS_SOURCE", help="auto, a named source, or a path."),
        click.option("--recipe", envvar="DIGITS_RECIPE", help="A recipe's name or TOML file."),
        click.option("--run", envvar="DIGITS_RUN", help="The run's name (default: made of these)."),
        click.option("--seed", envvar="DIGITS_SEED", help="Seed (default: the recipe's)."),
        click.option(
            "--set", "overrides", envvar="DIGITS_SET", help='"key=value ...": override the recipe.'
        ),
        click.option(
            "--folds", envvar="DIGITS_FOLDS", help="Train a network for each of so many folds."
        ),
        click.option(
            "--force", envvar="DIGITS_FORCE", is_flag=False, flag_value="1", help="Do it again."
        ),
    )
    decorated: Callable[..., Any] = workspace_options(with_plan)
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def console() -> "Console":
    """Return the console on which a command shows its result."""
    from pipeline.display import make_console

    return make_console()


def tell(message: str) -> None:
    """Print a line from a stage in mid-work."""
    click.echo(f"  {message}")


@click.group(cls=Stages)
@click.version_option(__version__, prog_name="digits")
def main() -> None:
    """From Kaggle's digits to a checked submission, around a network written in NumPy.

    Every stage reads files and writes files; run them in this order, or all with `make all`.
    """


@main.command()
@plan_options
def download(plan: Plan, *, force: bool) -> None:
    """Fetch the digits of the source into data/raw."""
    from pipeline.display import show_download
    from pipeline.stages.download import download as run_stage

    show_download(console(), run_stage(plan, force=force, tell=tell))


@main.command()
@plan_options
def preprocess(plan: Plan, *, force: bool) -> None:
    """Check the CSV files and turn them into arrays."""
    from pipeline.display import show_preprocess
    from pipeline.stages.preprocess import preprocess as run_stage

    show_preprocess(console(), run_stage(plan, force=force, tell=tell))


@main.command()
@plan_options
def train(plan: Plan, *, force: bool) -> None:
    """Train the recipe's network; goes on where it was interrupted."""
    from pipeline.display import TrainingDisplay, show_train
    from pipeline.stages.train import train as run_stage

    with TrainingDisplay(console()) as watcher:
        result = run_stage(plan, force=force, tell=watcher.tell, watcher=watcher)
    show_train(console(), result)


@main.command()
@plan_options
def validate(plan: Plan, *, force: bool) -> None:
    """Measure the run on the digits held out of training."""
    from pipeline.display import show_validate
    from pipeline.stages.validate import validate as run_stage

    show_validate(console(), run_stage(plan, force=force, tell=tell))


@main.command()
@plan_options
def submission(plan: Plan, *, force: bool) -> None:
    """Predict the test digits and write the checked CSV."""
    from pipeline.display import show_submission
    from pipeline.stages.submission import submission as run_stage

    show_submission(console(), run_stage(plan, force=force, tell=tell))


@main.command()
@plan_options
@click.option("--timeout", default=600.0, show_default=True, help="Seconds to wait for the score.")
def submit(plan: Plan, *, force: bool, timeout: float) -> None:
    """Send the CSV to Kaggle and show the score."""
    from pipeline.display import show_submit
    from pipeline.stages.submit import submit as run_stage

    show_submit(console(), run_stage(plan, force=force, timeout_seconds=timeout, tell=tell))


@main.command()
@plan_options
@click.option("--quiet", is_flag=True, help="Write the summary without showing it.")
def summary(plan: Plan, *, force: bool, quiet: bool) -> None:
    """Sum the run up, and say what to do next."""
    from pipeline.display import show_summary
    from pipeline.stages.summary import summary as run_stage

    result = run_stage(plan, force=force, tell=tell)
    if not quiet:
        show_summary(console(), result)


@main.command()
@click.argument("runs", nargs=-1, envvar="DIGITS_RUNS")
@click.option("--run", envvar="DIGITS_RUN", help="The blend's name (default: made of theirs).")
@workspace_options
def blend(runs: tuple[str, ...], run: str | None, data: str, submissions: str) -> None:
    """Average finished runs into a new one, with a CSV."""
    from pipeline.display import show_submission, show_validate
    from pipeline.members import plan_blend
    from pipeline.stages.submission import submission as submission_stage
    from pipeline.stages.train import train as train_stage
    from pipeline.stages.validate import validate as validate_stage
    from pipeline.workspace import Workspace

    workspace = Workspace(Path(data or "data"), Path(submissions or "submissions"))
    plan = plan_blend(workspace, runs, run=run or None)
    train_stage(plan, tell=tell)
    measured = validate_stage(plan, tell=tell)
    written = submission_stage(plan, tell=tell)
    # A blend is made to be looked at, so that it is shown also when it was there before.
    show_validate(console(), replace(measured, unchanged=False))
    show_submission(console(), replace(written, unchanged=False))


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--sample", type=click.Path(path_type=Path), help="A sample_submission.csv.")
@click.option("--rows", type=click.IntRange(min=1), help="Expected rows (default: 28,000).")
def check(file: Path, sample: Path | None, rows: int | None) -> None:
    """Check any submission CSV, and name its first bad line."""
    from pipeline.display import show_check
    from pipeline.stages.check import check as run_check

    show_check(console(), run_check(file, sample=sample, rows=rows))


@main.command()
@workspace_options
def runs(data: str, submissions: str) -> None:
    """List runs and submissions with their scores."""
    from pipeline.display import show_runs
    from pipeline.runs import list_runs
    from pipeline.workspace import Workspace

    show_runs(console(), list_runs(Workspace(Path(data), Path(submissions))))


@main.command()
@workspace_options
@click.option(
    "--readme",
    type=click.Path(path_type=Path),
    default=Path("README.md"),
    show_default=True,
    help="The file with the tables.",
)
def results(data: str, submissions: str, readme: Path) -> None:
    """Write the README's tables of results from the runs."""
    from pipeline.display import show_results
    from pipeline.stages.results import results as run_stage
    from pipeline.workspace import Workspace

    workspace = Workspace(Path(data), Path(submissions))
    show_results(console(), run_stage(workspace, readme=readme))
