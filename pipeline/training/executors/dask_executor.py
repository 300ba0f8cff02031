"""Training on the workers of a dask cluster, one run on each of them at a time.

A run goes to a worker part by part: each part is a task, which takes a checkpoint and gives back a
later one. So a run whose worker is lost goes on elsewhere from what its last part left, and a
client that is interrupted goes on with the same command; its tasks end by themselves.
"""

import logging
import pickle
import secrets
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import distributed

from pipeline.plan.plan import Plan
from pipeline.system import files
from pipeline.system.cores import available_cores
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import reporter
from pipeline.training.executors import dask_worker
from pipeline.training.executors.dask_cluster import close, start_cluster
from pipeline.training.executors.dask_job import Job, find_jobs
from pipeline.training.executors.dask_tls import client_security, flags_for
from pipeline.training.executors.dask_worker import Answer, Call, Pace
from pipeline.training.executors.executor import Executor
from pipeline.training.fitting import most_cores
from pipeline.training.network_run import Trained

PACE = Pace()
CONNECT_SECONDS = 5
# Workers that were lost, or are new, are noticed after so long.
ASK_SECONDS = 1.0
ANSWER_SECONDS = 30
WAIT_SECONDS = 60


class DaskExecutor(Executor):
    """Trains on the workers of a scheduler, or of a cluster that it starts on this machine.

    scheduler: an address; None starts a cluster for each call.
    """

    one_by_one = False

    def __init__(self, scheduler: str | None) -> None:
        self._scheduler = scheduler

    def train(
        self,
        plans: Sequence[Plan],
        *,
        each: str,  # noqa: ARG002  (each line names its run)
        force: bool,
    ) -> list[Trained]:
        """Train those runs that are not trained yet; return all of them, in order."""
        with ExitStack() as held:
            trained, jobs = find_jobs(plans, force=force, held=held)
            if jobs:
                shards = max(most_cores(job.recipe) for job in jobs)
                workers, cores = layout(len(jobs), available_cores(), shards)
                with _connected(self._scheduler, workers=workers, cores=cores) as client:
                    _Round(jobs, client, self._scheduler).train()
        trained |= {job.plan.run: Trained(job.record, unchanged=False) for job in jobs}
        return [trained[plan.run] for plan in plans]


def layout(tasks: int, cores: int, shards: int) -> tuple[int, int]:
    """Return how many workers a machine of so many cores is to have, and the cores of each.

    A training uses as many cores as it has shards, at most. Fewer cores each are used better, so
    that of equals the most workers win; but none should be idle while the last run ends.
    """

    def rounds(workers: int) -> float:
        return -(-tasks // workers) / min(cores // workers, shards)

    workers = min(range(min(tasks, cores), 0, -1), key=rounds)
    return workers, cores // workers


@contextmanager
def _connected(address: str | None, *, workers: int, cores: int) -> Iterator[distributed.Client]:
    """Connect to the scheduler at an address, or start a cluster for the block.

    Raises PipelineError if nobody answers at the address, or one that is not like this client.
    """
    # What dask has to say about workers that end is said by the executor, in a line.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with warnings.catch_warnings(), ExitStack() as held:
        warnings.simplefilter("ignore")
        if address:
            scheduler, security = address, client_security(address)
        else:
            scheduler, security = start_cluster(held, workers=workers, cores=cores)
        try:
            client = distributed.Client(  # type: ignore[no-untyped-call]
                scheduler, security=security, timeout=CONNECT_SECONDS, set_as_default=False
            )
            held.callback(close, client)
            theirs = _ask(client, "versions")["packages"]
        except (OSError, ValueError):  # a timeout is an OSError, too
            raise PipelineError(
                f"DASK={scheduler}: no scheduler answers there",
                remedy=f"Start it with: dask scheduler{flags_for(scheduler)} "
                "(its address is in what it says)",
            ) from None
        ours = dask_worker.describe()
        for name in ("Python", "distributed"):
            if not theirs[name.lower()].startswith(ours[name]):  # of Python it says more
                raise PipelineError(
                    f"The scheduler at {scheduler} has {name} {theirs[name.lower()]} "
                    f"instead of {ours[name]}",
                    remedy="Install the same commit and packages there as here.",
                )
        yield client


class _Round:
    """One call's runs on one cluster.

    running: the job of each worker that has one, and its answer to come.
    fit: whether a worker that has answered can do the work.
    """

    def __init__(self, jobs: list[Job], client: distributed.Client, address: str | None) -> None:
        self._pending = list(jobs)
        self._running: dict[str, tuple[Job, Any]] = {}
        self._fit: dict[str, bool] = {}
        self._begun = False
        self._client = client
        self._address = address
        self._answered = threading.Event()
        plan = jobs[0].plan  # all are on the same digits
        processed = plan.workspace.processed(plan.source.name)
        self._digits = files.sha256(processed.manifest)[:16]  # which has those of the arrays
        self._files = {
            path.relative_to(plan.workspace.data).as_posix(): path
            for path in (processed.manifest, processed.train_images, processed.train_labels)
        }

    def train(self) -> None:
        """Train all; what a failure or an interrupt leaves unfinished keeps its checkpoint."""
        idle_since, told = time.monotonic(), False
        while self._pending or self._running:
            there = self._ask_for_workers()
            for worker in self._running.keys() - there:
                self._lose(worker)
            for worker, cores in there.items():
                if self._pending and worker not in self._running and self._fit.get(worker, True):
                    self._send(self._pending.pop(0), worker, cores)
            if self._running:
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > WAIT_SECONDS:
                raise self._none_left()
            elif not told and self._address:
                reporter().line(f"The scheduler at {self._address} has no workers; waiting.")
                told = True
            self._answered.wait(ASK_SECONDS)
            self._answered.clear()
            for worker in list(self._running):
                if self._running[worker][1].done():
                    self._take(worker, there[worker])

    def _ask_for_workers(self) -> dict[str, int]:
        """Return how many cores each worker has, by address; fit or not."""
        try:
            return dict(_ask(self._client, "ncores"))
        except OSError:
            raise PipelineError(
                f"The scheduler at {self._address} answers no more",
                remedy="The same command goes on from the last checkpoints.",
            ) from None

    def _send(self, job: Job, worker: str, cores: int, *, with_digits: bool = False) -> None:
        """Let a worker train a part of a run."""
        content = {}
        if with_digits:
            content = {name: path.read_bytes() for name, path in self._files.items()}
        order = job.order(_label(worker), cores, self._digits, content, PACE)
        future: Any = self._client.submit(
            pickle.loads,
            pickle.dumps(Call(order)),
            key=f"{job.plan.run}-{secrets.token_hex(4)}",
            workers=[worker],
            allow_other_workers=False,
        )
        future.add_done_callback(lambda _: self._answered.set())
        self._running[worker] = job, future

    def _lose(self, worker: str) -> None:
        job, _ = self._running.pop(worker)
        job.lose()
        self._pending.insert(0, job)

    def _take(self, worker: str, cores: int) -> None:
        """Take an answer, and let the worker go on with the next part."""
        job, future = self._running[worker]
        if future.status not in ("finished", "error"):  # it was lost at this moment
            self._lose(worker)
            return
        try:
            answer: Answer = future.result(timeout=ANSWER_SECONDS)
        except TimeoutError:
            if future.status == "finished":
                return  # it is asked for again
            raise
        except Exception as error:
            if self._fit.get(worker):
                raise PipelineError(
                    f"Training of {job.plan.run} failed on the worker {_label(worker)}: "
                    f"{type(error).__name__}: {error}",
                    remedy="The same command goes on from the last checkpoint.",
                ) from error
            self._refuse(worker, f"cannot work: {error}")
            return
        if answer.other:
            self._refuse(worker, f"has {answer.other}: other code gives other bits")
            return
        self._fit[worker] = True
        del self._running[worker]
        if not answer.lacks_digits:
            self._begun = True
            job.take(answer)
        if not answer.finished:
            self._send(job, worker, cores, with_digits=answer.lacks_digits)

    def _refuse(self, worker: str, why: str) -> None:
        """Give a worker no work; before any is done, that is an error."""
        message = f"The worker {_label(worker)} {why}"
        if not self._begun:
            raise PipelineError(
                message, remedy="Install what is here there as well, and start the worker again."
            )
        reporter().line(f"{message}; it gets no work.")
        self._fit[worker] = False
        self._pending.insert(0, self._running.pop(worker)[0])

    def _none_left(self) -> PipelineError:
        if not self._address:
            return PipelineError(
                "No worker could be started on this machine",
                remedy="Train without a cluster: EXECUTOR=local",
            )
        return PipelineError(
            f"The scheduler at {self._address} has no workers",
            remedy=f"Start some: dask worker {self._address}{flags_for(self._address)}",
        )


def _ask(client: Any, what: str) -> Any:
    """Return a scheduler's answer. Raises OSError, which a timeout is too, if there is none."""
    if client.scheduler is None:  # the client has given up
        raise ConnectionError
    return client.sync(getattr(client.scheduler, what), callback_timeout=ANSWER_SECONDS)


def _label(worker: str) -> str:
    """Return a worker's address as it is told: host and port."""
    return urlsplit(worker).netloc or worker
