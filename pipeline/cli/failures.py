"""How commands fail: a clear line on standard error and an exit code, never a traceback."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from pipeline import HOW_TO_INSTALL
from pipeline.addresses import without_password
from pipeline.errors import PipelineError
from pipeline.plain_text import printable

INTERRUPTED = 130  # what shells report for a process that SIGINT ended


class Commands(click.Group):
    """Lists the commands in the order of the pipeline, and turns failures into one or two lines."""

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
        show_error(error)
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
        click.secho(shown(f"Error: {where}{error.strerror or error}"), fg="red", err=True)
        sys.exit(1)


def shown(text: str) -> str:
    """Return a text as a terminal may have it: nothing to obey, and no password of an address."""
    return printable(without_password(text))


def show_error(error: PipelineError) -> None:
    """Print what is wrong, and what to do about it, on standard error."""
    click.secho(shown(f"Error: {error.message}"), fg="red", err=True)
    if error.remedy:
        click.echo(shown(error.remedy), err=True)
