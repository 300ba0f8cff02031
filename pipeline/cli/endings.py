"""How a command ends that is asked to: by Ctrl-C, by kill, by a terminal that is closed."""

import contextlib
import os
import signal
import sys
from types import FrameType

import click

INTERRUPTED = 130  # what shells report for a process that SIGINT ended
REQUESTS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
_GOES_ON = "The same command goes on from here."


class Terminated(BaseException):
    """Another process asked this one to end; it is cleared up as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def listen_for_requests() -> None:
    """Let a request to end raise Terminated, unless somebody (nohup) said to ignore it."""
    for number in REQUESTS:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _raise)


def end_as_asked(request: BaseException) -> None:
    """Say that the command can be taken up again, and end the process as it was asked to."""
    if isinstance(request, Terminated):
        # The streams may be gone with the terminal.
        with contextlib.suppress(OSError, ValueError):
            click.echo(f"\nTerminated. {_GOES_ON}", err=True)
            sys.stdout.flush()
        # End by the signal itself, so that the sender sees that it was obeyed.
        signal.signal(request.number, signal.SIG_DFL)
        os.kill(os.getpid(), request.number)
    # Somebody impatient pressed twice: the process ends as it is.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    click.echo(f"\nInterrupted. {_GOES_ON}", err=True)
    sys.exit(INTERRUPTED)


def request_behind(error: BaseException) -> BaseException | None:
    """Return the request to end on whose way up another error was raised; None if there is none.

    So it is with a module that was interrupted while it was imported: half of its names are gone.
    """
    above: BaseException | None = error
    while above is not None and not isinstance(above, KeyboardInterrupt | Terminated):
        above = above.__context__
    return above


def _raise(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (as signal calls it)
    signal.signal(number, signal.SIG_IGN)  # a second one would disturb the clearing up
    raise Terminated(number)
