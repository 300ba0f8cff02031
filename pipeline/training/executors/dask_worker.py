"""What happens on a worker of a cluster: a part of a training, from a checkpoint to a later one.

A worker shares no disk with the client. It keeps the digits, in a folder of its own below the one
that dask made for it; all else comes with the order for a part, and goes back with the answer. So
a worker that is lost takes no more along than one part, and a client that is gone leaves nothing.
"""

import hashlib
import pickle
import platform
import signal
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import distributed
import numpy as np

import pipeline
from pipeline.digits import dataset
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import RunFolder, Workspace
from pipeline.recipes.recipe import Recipe
from pipeline.system import files
from pipeline.system.cores import share_cores
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import Epoch, Reporter, TrainStart, listening
from pipeline.training.network_run import train_network


@dataclass(frozen=True)
class Pace:
    """How long a part takes, apart from what is left to do of the epoch then under way.

    seconds: at least.  times: at least so often as long as what must be done before its first
    epoch, which is done for each part anew.
    """

    seconds: float = 5.0
    times: float = 20.0


@dataclass(frozen=True)
class Order:
    """A part of a run, to be trained.

    digits: the name under which a worker keeps them.  content: their files, by their path below
    the workspace's data, where a worker said that it has none.
    split: the file in which the rows are parted, and checkpoints: what the part before left; by
    name.  pace: when the part ends.
    """

    plan: Plan
    recipe: Recipe
    digits: str
    content: Mapping[str, bytes]
    split: tuple[str, bytes]
    checkpoints: Mapping[str, bytes]
    pace: Pace


@dataclass(frozen=True)
class Answer:
    """What became of an order.

    other: what is not the same there as here, and would give other bits: nothing was done.
    lacks_digits: nothing was done for want of them.
    finished: whether the run is at its end; else there is another part, from the checkpoints.
    events: starts and evaluations, in their order.  files: those of the run's folder, by name.
    error: message and remedy of what failed.
    """

    other: str = ""
    lacks_digits: bool = False
    finished: bool = False
    events: list[TrainStart | Epoch] = field(default_factory=list)
    files: Mapping[str, bytes] = field(default_factory=dict)
    error: tuple[str, str] | None = None


class _PartIsOver(Exception):  # noqa: N818  (it is no error)
    """Its time is up, and the checkpoint of this epoch is written."""


class _Listener(Reporter):
    """Notes what happens in a part, and ends it."""

    def __init__(self, pace: Pace) -> None:
        self.events: list[TrainStart | Epoch] = []
        self._pace = pace
        self._idle_since = time.monotonic()
        self._end = 0.0

    def start(self, start: TrainStart) -> None:
        self.events.append(start)
        now = time.monotonic()
        before = now - self._idle_since
        self._end = now + max(self._pace.seconds, self._pace.times * before)

    def epoch(self, result: Epoch) -> None:
        self.events.append(result)
        self._idle_since = time.monotonic()
        if self._idle_since >= self._end:
            raise _PartIsOver


class Call:
    """An order in such a form that whoever unpickles it carries it out, and has the answer.

    It passes through a scheduler, which need not have this package; it never looks inside.
    """

    def __init__(self, order: Order) -> None:
        self._arguments = describe(), pickle.dumps(order)

    def __reduce__(self) -> tuple[Any, ...]:
        return train_part, self._arguments


def _checksum_of_code() -> str:
    digest = hashlib.sha256()
    root = Path(pipeline.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


# Of the code that is loaded, not of what may be installed while a worker runs.
_CODE = _checksum_of_code()
# A process has one setting for the threads of its BLAS, so that it trains one run at a time.
_training = threading.Lock()


def dask_setup(worker: Any) -> None:  # noqa: ARG001  (the name and its argument are dask's)
    """Prepare a worker of a client's own cluster: Ctrl-C is for the client, which then ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def describe() -> dict[str, str]:
    """Return what must be the same everywhere, for the bits to be."""
    return {
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "distributed": metadata.version("distributed"),
        "this package's code": _CODE,
    }


def train_part(client: Mapping[str, str], pickled: bytes) -> Answer:
    """Train a part of a run.  client: what is there.  pickled: an Order of the same code."""
    here = describe()
    other = [name for name in client if client[name] != here.get(name)]
    if other:
        told = [f"{name} {here.get(name)} instead of {client[name]}" for name in other]
        return Answer(other=", ".join(told))
    order: Order = pickle.loads(pickled)
    worker = distributed.get_worker()
    base = Path(worker.local_directory) / "digits"
    base.mkdir(exist_ok=True)
    with _training, share_cores(worker.state.nthreads):
        if not _has_digits(base / order.digits, order):
            return Answer(lacks_digits=True)
        with tempfile.TemporaryDirectory(dir=base) as own:
            return _train(order, Workspace(base / order.digits, base).apart(Path(own)))


def _has_digits(folder: Path, order: Order) -> bool:
    """Whether the digits are there, those that came along included, and are whole."""
    if order.content:
        with files.atomic_folder(folder) as made:
            for name, content in order.content.items():
                _write(made / name, content)
        return True
    try:
        dataset.load_labelled(Workspace(folder, folder).processed(order.plan.source.name))
    except PipelineError:
        return False
    return True


def _train(order: Order, workspace: Workspace) -> Answer:
    plan = replace(order.plan, workspace=workspace)
    run = workspace.run(plan.run)
    name, split = order.split
    _write(workspace.processed(plan.source.name).folds / name, split)
    for name, checkpoint in order.checkpoints.items():
        _write(run.folder / name, checkpoint)
    listener, error, finished = _Listener(order.pace), None, False
    try:
        with listening(listener):
            train_network(plan, force=False, recipe=order.recipe)
        finished = True
    except _PartIsOver:
        pass
    except PipelineError as failure:
        error = (failure.message, failure.remedy)
    left = run.folder.iterdir() if finished else filter(Path.exists, under_way(run))
    found = {path.name: path.read_bytes() for path in left}
    return Answer(finished=finished, events=listener.events, files=found, error=error)


def under_way(run: RunFolder) -> tuple[Path, ...]:
    """Return what the next part needs, and who follows the run."""
    return run.checkpoint, run.refit_checkpoint, run.history


def _write(path: Path, content: bytes) -> None:
    with files.atomic_write(path) as stream:
        stream.write(content)
