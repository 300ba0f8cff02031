"""What commands share: their options, the console they show on, the lines they print."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.advice import advice
from pipeline.plan.plan import check_text, make_plan, parse_folds, parse_seed
from pipeline.plan.workspace import Workspace
from pipeline.system.files import expand
from pipeline.system.reporter import Reporter
from pipeline.system.text import as_shown

if TYPE_CHECKING:
    from rich.console import Console


# Values that make exports are empty when unset, so all of them are texts here.
source_option = click.option(
    "--source", envvar="DIGITS_SOURCE", help="auto, a named source, or a path."
)
set_option = click.option(
    "--set", "overrides", envvar="DIGITS_SET", help='"key=value ...": override the recipe.'
)
folds_option = click.option(
    "--folds", envvar="DIGITS_FOLDS", help="Train a network for each of so many folds."
)
force_option = click.option(
    "--force",
    envvar="DIGITS_FORCE",
    is_flag=False,
    flag_value="1",
    callback=lambda _context, _option, text: text not in (None, "", "0"),
    help="Do it again.",
)


def folder_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where artefacts are; the command takes data and submissions."""
    for option in (
        click.option(
            "--submissions",
            envvar="DIGITS_SUBMISSIONS",
            default="submissions",
            help="Folder of submission files.",
        ),
        click.option("--data", envvar="DIGITS_DATA", default="data", help="Folder of artefacts."),
    ):
        command = option(command)
    return command


def workspace_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where artefacts are; the command takes the workspace."""

    @functools.wraps(command)
    def with_workspace(*, data: str, submissions: str, **others: Any) -> None:
        folders = {"DATA": data or "data", "SUBMISSIONS": submissions or "submissions"}
        for name, folder in folders.items():
            check_text(name, folder)
        command(Workspace(*map(expand, folders.values())), **others)

    return folder_options(with_workspace)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which run; the command takes the resulting plan."""

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
        command(plan, **others)

    options = (
        source_option,
        click.option("--recipe", envvar="DIGITS_RECIPE", help="A recipe's name or TOML file."),
        click.option("--run", envvar="DIGITS_RUN", help="The run's name (default: made of these)."),
        click.option("--seed", envvar="DIGITS_SEED", help="Seed (default: the recipe's)."),
        set_option,
        folds_option,
    )
    decorated: Callable[..., Any] = folder_options(with_plan)
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that all stages share; the command takes the resulting plan and force."""
    return run_options(force_option(command))


def track_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that names a tracking service; the command takes it as track."""
    decorated: Callable[..., Any] = click.option(
        "--track", envvar="DIGITS_TRACK", help="Tell a tracking service: mlflow or wandb."
    )(command)
    return decorated


def executor_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where networks are trained; the command takes the executor."""

    @functools.wraps(command)
    def with_executor(*what: Any, executor: str | None, dask: str | None, **others: Any) -> None:
        from pipeline.training.executors import make_executor

        command(*what, executor=make_executor(executor, dask), **others)

    decorated: Callable[..., Any] = with_executor
    for option in (
        click.option(
            "--dask", envvar="DIGITS_DASK", help="A dask scheduler: tls://host:8786, or tcp://."
        ),
        click.option("--executor", envvar="DIGITS_EXECUTOR", help="Where to train: local or dask."),
    ):
        decorated = option(decorated)
    return decorated


def console() -> "Console":
    """Return the console on which a command shows its result."""
    from pipeline.cli.show.console import make_console

    return make_console()


class Lines(Reporter):
    """Prints the lines of work in progress, as they come."""

    def line(self, text: str) -> None:
        """Print a line."""
        click.echo(as_shown(f"  {advice(text)}"))
