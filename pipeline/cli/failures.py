"""How commands fail: a clear line on standard error and an exit code, never a traceback."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from pipeline import HOW_TO_INSTALL
from pipeline.cli.advice import advice
from pipeline.cli.endings import Terminated, end_as_asked, request_behind
from pipeline.system.errors import NO_MEMORY, NO_THREADS, PipelineError, explain
from pipeline.system.text import as_shown

TRACEBACK = "DIGITS_TRACEBACK"  # if set, an unexpected error shows its traceback


class Commands(click.Group):
    """Lists the commands in the order of the pipeline, and turns failures into one or two lines."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)

    def main(self, *args: Any, **extra: Any) -> Any:
        _print_whatever_can_be_printed()
        stands_alone = extra.pop("standalone_mode", True)
        # Around all of click, because help and usage can fail too: on a full disk, say.
        with friendly_failures():
            try:
                # Standing alone, click would end an interrupted command in its own way.
                code = super().main(*args, **{**extra, "standalone_mode": False})
            except click.ClickException as error:
                error.show()
                code = error.exit_code
        if stands_alone:
            sys.exit(code or 0)
        return code

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        # And inside of click, because it would handle an interrupt in its own way, and because
        # only there it is known what the command was given.
        if cmd.callback is not None:
            cmd.callback = friendly_failures()(cmd.callback)
        super().add_command(cmd, name)


@contextmanager
def friendly_failures() -> Iterator[None]:
    """End the process with a clear line on standard error instead of a traceback.

    With DIGITS_TRACEBACK=1, what nobody expected keeps its traceback.
    """
    try:
        yield
    except (click.exceptions.Exit, click.ClickException):
        raise  # click's own: an exit code, or a wrong option
    except PipelineError as error:
        show_error(error)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort, Terminated) as request:
        end_as_asked(request)
    except BrokenPipeError:
        # The reader (head, a closed terminal) has what it wants; nothing is left to be flushed.
        _discard_output()
        sys.exit(1)
    except ModuleNotFoundError as error:
        click.secho(f"Error: the package {error.name} is not installed", fg="red", err=True)
        click.echo(HOW_TO_INSTALL, err=True)
        sys.exit(1)
    except ImportError as error:
        _end(
            f"a package cannot be loaded ({error})",
            f"There may be too little memory for it, or it may be damaged. {HOW_TO_INSTALL}",
        )
    except OSError as error:
        _end(*explain(error))
    except MemoryError:
        _end(*NO_MEMORY)
    except Exception as error:
        if (asked := request_behind(error)) is not None:
            end_as_asked(asked)
        if "can't start new thread" in str(error):  # Python has no class of its own for it
            _end(*NO_THREADS)
        if os.environ.get(TRACEBACK):
            raise
        what = " ".join(f"{type(error).__name__}: {error}".split())
        _end(
            f"unexpected {what}",
            f"This is a mistake in the pipeline. {TRACEBACK}=1 before the command shows where.",
        )


def _end(message: str, remedy: str) -> NoReturn:
    show_error(PipelineError(message, remedy=remedy))
    sys.exit(1)


def _discard_output() -> None:
    """Let what is still to be flushed go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())


def _print_whatever_can_be_printed() -> None:
    """Show a letter that the terminal does not know as its number, instead of failing."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def show_error(error: PipelineError) -> None:
    """Print what is wrong, and what to do about it, on standard error."""
    click.secho(as_shown(f"Error: {error.message}"), fg="red", err=True)
    if error.remedy:
        click.echo(as_shown(advice(error.remedy)), err=True)
