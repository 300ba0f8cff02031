"""Each library in a process of its own, so that none's idle threads spin while another works."""

import contextlib
import multiprocessing
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from benchmarks.libraries import LIBRARIES
from benchmarks.work import Work


class Peer:
    """A process that holds one library's network for one work, and takes turns when asked to."""

    def __init__(self, library: str, work: Work, cores: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, library, work, cores))
        self._process.start()
        theirs.close()

    def turn(self, steps: int) -> dict[str, Any]:
        """Return what ``Library.turn`` says; raises RuntimeError if the process failed."""
        answer: dict[str, Any] | str = "the process of a library has ended"
        with contextlib.suppress(EOFError, OSError):
            with contextlib.suppress(OSError):  # it may have failed, and have said so, before
                self._ours.send(steps)
            answer = self._ours.recv()
        if isinstance(answer, str):
            raise RuntimeError(answer)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ours.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.terminate()


def _serve(requests: Connection, library: str, work: Work, cores: int) -> None:
    try:
        network = LIBRARIES[library](work, cores)
        while True:
            requests.send(network.turn(requests.recv()))
    except (EOFError, OSError, KeyboardInterrupt):
        return
    except Exception as error:
        requests.send(f"{library}: {type(error).__name__}: {error}")
