"""Work in a process of its own, which tells its caller how it goes, and ends when the caller does.

It is a fork: it has what the caller has, digits that are mapped included, and nothing is copied.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from pipeline.system.errors import PipelineError
from pipeline.system.reporter import Epoch, Reporter, TrainStart, listening

_REQUESTS = {signal.SIGINT, signal.SIGTERM}
if hasattr(signal, "SIGHUP"):
    _REQUESTS.add(signal.SIGHUP)


def can_have_processes() -> bool:
    """Whether work can be done in processes of their own here; elsewhere a fork is not safe."""
    return sys.platform == "linux" and not multiprocessing.current_process().daemon


class _Ended(BaseException):
    """The caller asked this process to end, or is gone."""


class Caller(Reporter):
    """The caller as the work sees it: it hears of all that is reported there.

    cores: how many there are for it, at this time.
    """

    def __init__(self, connection: Connection, cores: int) -> None:
        self.cores = cores
        self._connection = connection

    def line(self, text: str) -> None:
        self._connection.send(("line", text))

    def start(self, start: TrainStart) -> None:
        self._connection.send(("start", start))

    def epoch(self, result: Epoch) -> None:
        self._connection.send(("epoch", result))

    def end(self) -> None:
        self._connection.send(("end",))

    def listen(self) -> None:
        """Take what the caller says until it is gone; then ask this process to end."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                self.cores = self._connection.recv()
        os.kill(os.getpid(), signal.SIGTERM)


class OwnProcess:
    """The process as its caller sees it.

    name: what the work is to the user.  work: is called there; what it returns or raises comes
    back.  cores: how many it begins with.  running: those under way; this one is put among them.
    """

    def __init__(
        self, name: str, work: Callable[[Caller], Any], cores: int, running: list["OwnProcess"]
    ) -> None:
        self.name = name
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        inherited = [self.connection, *(other.connection for other in running)]
        self._process = context.Process(
            target=_serve, args=(work, Caller(theirs, cores), theirs, inherited)
        )
        # A request to end, in mid-fork, waits until both know what to do about it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _REQUESTS)
        try:
            with warnings.catch_warnings():
                # Of threads at the time of the fork. They draw and wait; this process does neither.
                warnings.simplefilter("ignore", DeprecationWarning)
                self._process.start()
            theirs.close()
            running.append(self)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def give(self, cores: int) -> None:
        """Tell it how many cores there are for it now; the work takes them when it can."""
        with contextlib.suppress(OSError):  # that it has ended is told when it is heard
            self.connection.send(cores)

    def hear(self) -> tuple[Any, ...]:
        """Return the next thing that it tells: a reporter's method with its arguments, or "done".

        Raises what the work raised, and PipelineError if the process was killed.
        """
        try:
            method, *arguments = self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode or 0
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            raise PipelineError(
                f"The process that trained {self.name} was ended {how}",
                remedy="Most likely there was too little memory: close other programs, or allow "
                "more. The same command goes on from the last checkpoints.",
            ) from None
        if method == "failed":
            raise arguments[0]
        return method, *arguments

    def end(self) -> None:
        """End it, if it has not ended; what it has half-written, it clears up."""
        self._process.terminate()
        self._process.join()
        self.connection.close()


def _serve(
    work: Callable[[Caller], Any],
    caller: Caller,
    connection: Connection,
    inherited: list[Connection],
) -> None:
    """Do the work, in the new process."""
    signal.signal(signal.SIGTERM, _raise_ended)
    for request in _REQUESTS - {signal.SIGTERM}:  # the caller decides what they mean
        signal.signal(request, signal.SIG_IGN)
    with contextlib.suppress(_Ended, OSError):  # an OSError of the line: the caller is gone
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _REQUESTS)
        for other in inherited:  # else a line would stay open as long as this process lives
            other.close()
        threading.Thread(target=caller.listen, daemon=True).start()
        answer = _do(work, caller)
        try:
            connection.send(answer)
        except Exception:  # it cannot be sent, for whatever reason: its text can
            connection.send(("failed", RuntimeError(repr(answer[1]))))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends by itself


def _do(work: Callable[[Caller], Any], caller: Caller) -> tuple[str, Any]:
    try:
        with listening(caller):
            return "done", work(caller)
    except Exception as error:
        error.add_note(traceback.format_exc())  # of this process, for whoever wants to see it
        return "failed", error


def _raise_ended(number: int, frame: object) -> NoReturn:  # noqa: ARG001  (as signal calls it)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would disturb the clearing up
    raise _Ended
