"""Commands as forks of a process that has imported everything: many tries in little time."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.practice_case import REPOSITORY, environment
from tests.stress.machine import Outcome, variables_of


class Warm:
    """A warm process. One command runs at a time; ``with Warm(folder) as warm`` ends it.

    folder: for what the commands print.  wrapper: a command in front of it, as unshare.
    """

    def __init__(self, folder: Path, *, wrapper: tuple[str, ...] = ()) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-m", "tests.stress.child", "--serve"],
            cwd=REPOSITORY,
            env=environment(PYTHONPATH=str(REPOSITORY), HOME=str(folder.parent / "home")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.communicate(timeout=60)

    def start(
        self,
        folder: Path,
        arguments: tuple[str, ...],
        condition: Mapping[str, Any] | None = None,
        **variables: str,
    ) -> int:
        """Begin a command in a trial's folder; return the number of its process."""
        job = {
            "condition": condition or {},
            "arguments": arguments,
            "cwd": str(folder),
            "environment": variables_of(folder) | variables,
            "out": str(self.folder / "out"),
            "err": str(self.folder / "err"),
        }
        assert self.process.stdin
        self.process.stdin.write(f"{json.dumps(job)}\n")
        self.process.stdin.flush()
        return int(self._line())

    def end(self) -> Outcome:
        """Wait for the command that was begun."""
        code = int(self._line())
        out, err = (
            (self.folder / name).read_text(encoding="utf-8", errors="replace")
            for name in ("out", "err")
        )
        return Outcome(code, out, err)

    def run(
        self,
        folder: Path,
        arguments: tuple[str, ...],
        condition: Mapping[str, Any] | None = None,
        **variables: str,
    ) -> Outcome:
        """Run a command to its end."""
        self.start(folder, arguments, condition, **variables)
        return self.end()

    def _line(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "the warm process ended"
        return line
