"""What happens on a worker: it keeps the digits, trains one run at a time, and answers of it.

A worker shares no disk with the client. All that it is given and leaves is in a folder of its
own, below the one that dask made for it, and goes with that. The client asks it now and then how
a run is doing, and takes the newest checkpoint along; a run that nobody asks for is given up.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import distributed
import numpy as np

import pipeline
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import RunFolder, Workspace
from pipeline.recipes.recipe import Recipe
from pipeline.system import files
from pipeline.system.cores import share_cores
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import Epoch, Reporter, TrainStart, listening
from pipeline.training.network_run import train_network

# A client that has not asked for this long is gone: it asks once a second.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Order:
    """One run to be trained, as the client hands it over.

    attempt: a name that no other order has.  data: the name under which the digits are kept.
    split: the file in which the rows are parted, by name.
    checkpoints: what an earlier attempt left, by name.  cores: how many it may use.
    """

    attempt: str
    plan: Plan
    recipe: Recipe
    data: str
    split: tuple[str, bytes]
    checkpoints: dict[str, bytes]
    cores: int


@dataclass(frozen=True)
class Report:
    """What is new of a run under way.

    events: starts and evaluations, in their order.
    files: those that changed since the client had them: (stamp, content) by name.
    """

    events: list[TrainStart | Epoch]
    files: dict[str, tuple[int, bytes]]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    files: all that is in the run's folder, by name.  events: all of this attempt.
    error: message and remedy of what failed; None if the run is finished.
    given_up: whether it was stopped, or nobody asked for it.
    """

    files: dict[str, bytes]
    events: list[TrainStart | Epoch]
    error: tuple[str, str] | None = None
    given_up: bool = False


class GivenUpError(Exception):
    """The client is gone, or wants no more of the run."""


@dataclass
class Task(Reporter):
    """A run on this worker, which listens to its training."""

    order: Order
    events: list[TrainStart | Epoch] = field(default_factory=list)
    run: RunFolder | None = None
    stopped: bool = False
    asked_at: float = field(default_factory=time.monotonic)

    def start(self, start: TrainStart) -> None:
        """Note what is going to be trained."""
        self.events.append(start)

    def epoch(self, result: Epoch) -> None:
        """Note an evaluation. Raises GivenUpError if nobody waits for more of them."""
        self.events.append(result)
        self.check()

    def check(self) -> None:
        """Raise GivenUpError if nobody waits for the run."""
        if self.stopped or time.monotonic() - self.asked_at > PATIENCE_SECONDS:
            raise GivenUpError


def _checksum_of_code() -> str:
    digest = hashlib.sha256()
    root = Path(pipeline.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


# Of the code that is loaded, whatever is installed while the worker runs.
_CODE = _checksum_of_code()
_tasks: dict[str, Task] = {}
# The threads of BLAS are one setting of the whole process, so it trains one run at a time.
_training = threading.Lock()


def dask_setup(worker: Any) -> None:  # noqa: ARG001  (the name and its argument are dask's)
    """Prepare a worker of a client's own cluster: Ctrl-C is for the client, which then ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


# ---- what the client calls between tasks ---------------------------------------------------------
def describe() -> dict[str, str]:
    """Return what must be the same everywhere, for the bits to be."""
    return {
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "distributed": metadata.version("distributed"),
        "this package's code": _CODE,
    }


def has_digits(data: str, dask_worker: Any) -> bool:
    """Whether this worker keeps these digits."""
    return (_folder_of(dask_worker) / data).exists()


def take_piece(part: str, name: str, piece: bytes, dask_worker: Any) -> None:
    """Append a piece to a file of digits that are on their way under the name ``part``."""
    path = _folder_of(dask_worker) / part / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as stream:
        stream.write(piece)


def keep_digits(part: str, data: str, checksums: dict[str, str], dask_worker: Any) -> bool:
    """Keep the digits that came in pieces; return whether each file is what it should be.

    checksums: SHA-256 by name.
    """
    folder = _folder_of(dask_worker)
    whole = all(files.sha256(folder / part / name) == checksums[name] for name in checksums)
    if whole and not (folder / data).exists():
        (folder / part).rename(folder / data)
    shutil.rmtree(folder / part, ignore_errors=True)
    return whole


def take_order(order: Order) -> None:
    """Take note of a run; its task comes after it."""
    _tasks[order.attempt] = Task(order)


def report(attempt: str, seen: int, stamps: dict[str, int]) -> Report | None:
    """Return what is new of a run; None if it is not here.

    seen: how many of its events the client has.  stamps: those of its files, by name.
    """
    task = _tasks.get(attempt)
    if task is None:
        return None
    task.asked_at = time.monotonic()
    events = task.events[seen:]
    changed = {}
    for path in _under_way(task.run) if task.run else ():
        with contextlib.suppress(FileNotFoundError):  # not there yet, or finished just now
            stamp = path.stat().st_mtime_ns
            if stamp != stamps.get(path.name):
                changed[path.name] = (stamp, path.read_bytes())
    return Report(events, changed)


def stop(attempt: str) -> None:
    """Let a run end at its next evaluation."""
    if attempt in _tasks:
        _tasks[attempt].stopped = True


# ---- the task ------------------------------------------------------------------------------------
def train_run(attempt: str) -> Outcome:
    """Train the run of an order, and return its files."""
    task = _tasks[attempt]
    order = task.order
    base = _folder_of(distributed.get_worker())
    own = base / attempt
    try:
        workspace = Workspace(base / order.data, base / order.data).apart(own)
        plan = replace(order.plan, workspace=workspace)
        task.run = run = workspace.run(plan.run)
        _unpack(order, workspace.processed(plan.source.name).folds, run)
        error, given_up = None, False
        try:
            with _alone(task), share_cores(order.cores), listening(task):
                train_network(plan, force=False, recipe=order.recipe)
        except PipelineError as failure:
            error = (failure.message, failure.remedy)
        except GivenUpError:
            given_up = True
        found = {path.name: path.read_bytes() for path in run.folder.iterdir()}
        return Outcome(found, task.events, error, given_up)
    finally:
        del _tasks[attempt]
        shutil.rmtree(own, ignore_errors=True)


@contextlib.contextmanager
def _alone(task: Task) -> Iterator[None]:
    """Wait until no other client's run is trained in this process."""
    while not _training.acquire(timeout=1):
        task.check()
    try:
        yield
    finally:
        _training.release()


def _unpack(order: Order, folds: Path, run: RunFolder) -> None:
    name, split = order.split
    if not (folds / name).exists():
        with files.atomic_write(folds / name) as stream:
            stream.write(split)
    for name, checkpoint in order.checkpoints.items():
        with files.atomic_write(run.folder / name) as stream:
            stream.write(checkpoint)


def _under_way(run: RunFolder) -> tuple[Path, ...]:
    """What a client takes along of a run that may not come to its end here."""
    return run.history, run.checkpoint, run.refit_checkpoint


def _folder_of(worker: Any) -> Path:
    return Path(worker.local_directory) / "digits"
