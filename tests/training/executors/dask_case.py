"""A real scheduler and real workers as processes on this machine, each with a folder of its own."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.practice_case import REPOSITORY, environment

SECONDS = 60


def wait_until(is_so: Callable[[], object], what: str) -> None:
    """Look again and again, for a minute at most."""
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, f"{what}: not within {SECONDS} seconds"
        time.sleep(0.05)


class Cluster:
    """A scheduler, and the workers that are added to it; the ``with`` block ends them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self.address = ""

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        told = self._folder / "scheduler.json"
        # To the scheduler the runs' names and files mean nothing: it does without the package.
        self._start("dask_scheduler", "--port", "0", "--scheduler-file", str(told), code=None)
        wait_until(lambda: told.exists() and told.read_text(encoding="utf-8"), "a scheduler")
        self.address = json.loads(told.read_text(encoding="utf-8"))["address"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()

    def add_worker(self, *, code: Path = REPOSITORY) -> subprocess.Popen[bytes]:
        """Start a worker without a nanny, so that one that is killed stays away."""
        folder = self._folder / f"worker-{len(self._processes)}"
        folder.mkdir()
        return self._start(
            *("dask_worker", self.address, "--nthreads", "1", "--no-nanny"),
            *("--local-directory", str(folder)),
            code=code,
        )

    def _start(self, command: str, *arguments: str, code: Path | None) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", f"distributed.cli.{command}", *arguments),
                *("--host", "127.0.0.1", "--no-dashboard"),
            ],
            cwd=self._folder,
            env=environment(PYTHONPATH=str(code or self._folder)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._processes.append(process)
        return process


def children_of(pid: int) -> list[int]:
    """The processes below one, and those below them, that are neither dead nor waited for."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[:2]
        except OSError:  # it ended just now
            continue
        if int(parent) == pid and state != "Z":
            child = int(stat.parent.name)
            found += [child, *children_of(child)]
    return found


def kill_worker(pid: int, port: str) -> None:
    """Kill the process below ``pid`` that listens on a port."""
    entries = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    sockets = {
        f"socket:[{fields[9]}]"
        for fields in map(str.split, entries)
        if fields[1].endswith(f":{int(port):04X}") and fields[3] == "0A"  # listening
    }
    assert sockets
    for child in children_of(pid):
        links = [str(link.readlink()) for link in Path(f"/proc/{child}/fd").glob("*")]
        if sockets & set(links):
            subprocess.run(["kill", f"-{signal.SIGKILL.value}", str(child)], check=True)
            return
    raise AssertionError(f"nobody below {pid} listens on {port}")
