"""Workers that do their parts of one task at the same time, each on a core of its own.

Two threads of Python meet at the interpreter's lock before each operation on an array. Waking the
one that waited costs about as much as a small operation, so that a network trained by two threads
ran 1.4 to 1.7 times as fast as by one. Processes have a lock each: 1.8 to 2.0 times. They share
what they change in common through ``arrays.shared_zeros``; everything else they inherit as it was.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

import numpy as np

from pipeline.nn.arrays import shared_zeros

# Elsewhere a process that is to inherit arrays as they are can't be had, or not safely; there
# the workers are threads.
PROCESSES = sys.platform == "linux"
_REQUESTS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP} if PROCESSES else set()


# So often a worker that waits looks before it asks whether the others are still there.
LOOKS = 2_000
_let_others_run = getattr(os, "sched_yield", lambda: time.sleep(0))


class _Left(RuntimeError):  # noqa: N818
    """That a worker stopped waiting for one that had failed, whose error tells more."""


class Team:
    """Calls one of its own methods for each worker, at the same time; a subclass gives these.

    They take the worker's number first. Worker 0 is the caller itself; each other one works on
    the object as it was when the ``with`` block began, and on shared arrays.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._arrivals = shared_zeros(size, np.int64)
        self._failed = shared_zeros(1, np.bool_)
        self._fence = threading.Lock()
        self._caller = os.getpid()
        self.waited = 0.0
        self._pool: ThreadPoolExecutor | None = None
        self._connections: list[Connection] = []
        self._processes: list[Any] = []

    def __enter__(self) -> Self:
        if not PROCESSES or multiprocessing.current_process().daemon:  # which may have no children
            self._pool = ThreadPoolExecutor(max(1, self.size - 1), "worker")
            return self
        context = multiprocessing.get_context("fork")
        for number in range(1, self.size):
            ours, theirs = context.Pipe()
            self._connections.append(ours)
            process = context.Process(
                target=self._serve,
                args=(theirs, list(self._connections), number),
                daemon=True,
            )
            with _undisturbed(), warnings.catch_warnings():
                # Of threads at the time of the fork. They draw and wait; a worker does neither.
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
            theirs.close()
            self._processes.append(process)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool:
            self._pool.shutdown()
        for connection in self._connections:
            # Closing alone would not do: workers of a later team have inherited this end as well.
            with contextlib.suppress(OSError):
                connection.send(None)
            connection.close()
        for process in self._processes:
            if error is not None:
                process.terminate()
            process.join()
        self._connections, self._processes = [], []

    def ask(self, method: str, *arguments: Any) -> list[Any]:
        """Return what self.method(number, *arguments) returns for each worker, in order.

        What a worker raises is raised here, after all have ended; MemoryError if one was killed,
        be it now or since the last request.
        """
        self._arrivals[...], self._failed[...] = 0, False
        if self._pool:
            futures = [
                self._pool.submit(_call, self, method, number, arguments)
                for number in range(1, self.size)
            ]
            first = _call(self, method, 0, arguments)
            answers = [future.result() for future in futures]
        else:
            for connection in self._connections:
                with contextlib.suppress(ConnectionError):  # that it has ended is told below
                    connection.send((method, arguments))
            first = _call(self, method, 0, arguments)
            answers = [_receive(connection) for connection in self._connections]
        results = [first, *answers]
        errors = [result for result in results if isinstance(result, BaseException)]
        if errors:
            raise next((error for error in errors if not isinstance(error, _Left)), errors[0])
        return results

    def meet(self, number: int, others: Sequence[int] | None = None) -> None:
        """Wait, in the midst of a method, until the other workers (None: all) are as far as this.

        Each worker calls it equally often. It looks at shared memory, which takes a microsecond
        where a message takes fifty; whoever waits lets others have the core.
        """
        if others is None:
            others = range(self.size)
        if len(others) == 1:
            self._arrivals[number] += 1
            return
        # Processors that may swap what they write, or read, do not do so across a lock.
        with self._fence:
            pass
        self._arrivals[number] += 1
        meeting = self._arrivals[number]
        started = time.perf_counter()
        looks = 0
        while any(self._arrivals[other] < meeting for other in others):
            looks += 1
            if not looks % LOOKS:
                self._check_the_others()
            _let_others_run()
        self.waited += time.perf_counter() - started
        with self._fence:
            pass

    def time_waited(self, number: int) -> float:
        """Return for how many seconds a worker has waited in meetings since the team began."""
        return self.waited

    def _check_the_others(self) -> None:
        """Do not wait for workers that have ended."""
        if os.getpid() != self._caller and os.getppid() != self._caller:
            os._exit(0)
        if self._failed[0]:
            raise _Left("another worker has failed")
        if os.getpid() == self._caller and any(not each.is_alive() for each in self._processes):
            raise _gone()

    def _serve(self, requests: Connection, inherited: list[Connection], number: int) -> None:
        """Answer requests until the caller says that there are no more, or ends in whatever way."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides what an interrupt means
        for request in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(request) != signal.SIG_IGN:  # as under nohup
                signal.signal(request, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _REQUESTS)
        for connection in inherited:  # else the pipe would stay open as long as this process lives
            connection.close()
        with contextlib.suppress(EOFError, OSError):
            while request := requests.recv():
                method, arguments = request
                requests.send(_call(self, method, number, arguments))
        os._exit(0)  # without the exit handlers of the process that this is a copy of


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let requests to end wait for the block's end: in mid-fork Python would drop what they raise.

    A process that is forked in the block begins with them waiting.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _REQUESTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _call(team: Team, method: str, number: int, arguments: tuple[Any, ...]) -> Any:
    """Return the method's result, or the error that it raised."""
    try:
        # A diverging network overflows: its loss tells, instead of a warning an operation.
        with np.errstate(over="ignore", invalid="ignore"):
            return getattr(team, method)(number, *arguments)
    except Exception as error:
        team._failed[0] = True
        return error


def _receive(connection: Connection) -> Any:
    try:
        return connection.recv()
    except (EOFError, ConnectionError):
        return _gone()


def _gone() -> MemoryError:
    return MemoryError("a worker process was ended, most likely for want of memory")
