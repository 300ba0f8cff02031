"""Training on the workers of a dask cluster, one run on each of them at a time.

The client alone decides which worker trains what. It asks each one how its run is doing once
a second, and takes the newest checkpoint along: so a run whose worker is lost goes on
elsewhere, and a client that is interrupted goes on with the same command.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from pipeline.plan.plan import Plan
from pipeline.system.cores import available_cores
from pipeline.system.errors import PipelineError
from pipeline.training.executors import dask_worker, event_loop
from pipeline.training.executors.dask_cluster import (
    WAIT_SECONDS,
    LostWorkerError,
    Workers,
    connected,
    label,
)
from pipeline.training.executors.dask_job import Job, find_jobs
from pipeline.training.executors.dask_worker import Outcome
from pipeline.training.network_run import Trained

# What a lost worker costs, beyond its work since the last checkpoint.
ASK_SECONDS = 1.0


class DaskExecutor:
    """Trains on the workers of a scheduler, or of a cluster that it starts on this machine.

    scheduler: an address; None starts a cluster for each call.
    """

    one_by_one = False

    def __init__(self, scheduler: str | None) -> None:
        self._scheduler = scheduler

    def train(self, plans: Sequence[Plan], *, each: str, force: bool) -> list[Trained]:  # noqa: ARG002
        """Train those runs that are not trained yet; return all of them, in order."""
        with ExitStack() as locks:
            trained, jobs = find_jobs(plans, force=force, held=locks)
            if jobs:
                event_loop.run(_Round(jobs, trained, self._scheduler).train())
        return [trained[plan.run] for plan in plans]


def layout(tasks: int, cores: int, shards: int) -> tuple[int, int]:
    """Return how many workers to start on this many cores, and the cores of each.

    A training uses as many cores as it has shards, at most. Fewer cores each are used better, so
    that of equals the most workers win; but none should be idle while the last run ends.
    """

    def rounds(workers: int) -> float:
        return -(-tasks // workers) / min(cores // workers, shards)

    workers = min(range(min(tasks, cores), 0, -1), key=rounds)
    return workers, cores // workers


class _Round:
    """One call's runs on one cluster."""

    def __init__(
        self,
        jobs: list[Job],
        trained: dict[str, Trained],
        scheduler: str | None,
    ) -> None:
        self._pending = list(jobs)
        self._trained = trained
        self._running: dict[asyncio.Task[Outcome | None], tuple[Job, str]] = {}
        self._scheduler = scheduler

    async def train(self) -> None:
        """Train all; what a failure or an interrupt leaves unfinished keeps its checkpoint."""
        shards = max(job.recipe.training.shards for job in self._pending)
        workers, cores = layout(len(self._pending), available_cores(), shards)
        async with connected(self._scheduler, workers=workers, cores=cores) as client:
            where = self._scheduler or "this machine"
            self._workers = Workers(client, self._pending[0].plan, where)
            await self._workers.wait_for_first()
            try:
                await self._go_on()
            finally:
                await self._stop()

    async def _go_on(self) -> None:
        idle_since = time.monotonic()
        while self._pending or self._running:
            there = await self._workers.find(first=False)
            busy = {worker for _, worker in self._running.values()}
            for worker in [worker for worker in there if worker not in busy]:
                if self._pending:
                    job = self._pending.pop(0)
                    attempt = asyncio.create_task(self._attempt(job, worker, there[worker]))
                    self._running[attempt] = job, worker
            if self._running:
                idle_since = time.monotonic()
                await asyncio.wait(
                    self._running, timeout=ASK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                self._take_finished()
            elif time.monotonic() - idle_since > WAIT_SECONDS:
                raise self._workers.none_left()
            else:
                await asyncio.sleep(ASK_SECONDS)

    def _take_finished(self) -> None:
        for attempt in [attempt for attempt in self._running if attempt.done()]:
            job, worker = self._running.pop(attempt)
            outcome = attempt.result()
            if outcome is None or outcome.given_up:
                if outcome:
                    job.mirror_checkpoints(outcome)
                job.lose(label(worker))
                self._pending.insert(0, job)
            else:
                record = job.bring_home(outcome, label(worker))
                self._trained[job.plan.run] = Trained(record, unchanged=False)

    async def _attempt(self, job: Job, worker: str, cores: int) -> Outcome | None:
        """Have a worker train a run; return how that ended, None if the worker was lost."""
        attempt = f"{job.plan.run}-{secrets.token_hex(4)}"
        workers = self._workers
        try:
            order = job.order(attempt, workers.data, cores)
            await workers.ask(worker, dask_worker.take_order, order)
        except LostWorkerError:
            return None
        future: Any = workers.client.submit(
            _task(),
            attempt,
            key=attempt,
            pure=False,
            retries=0,
            workers=[worker],
            allow_other_workers=False,
        )
        answer = asyncio.create_task(_result(future))
        following = asyncio.create_task(self._follow(job, worker))
        try:
            while not answer.done() and worker in workers.there:
                await asyncio.wait(
                    [answer, following],
                    timeout=ASK_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if following.done():  # which it never is by itself
                    following.result()
            return _outcome_of(answer, job, worker) if answer.done() else None
        finally:
            following.cancel()
            answer.cancel()
            future.release()

    async def _follow(self, job: Job, worker: str) -> None:
        """Ask a worker how its run is doing, again and again."""
        while True:
            await asyncio.sleep(ASK_SECONDS)
            with suppress(LostWorkerError):
                report = await self._workers.ask(worker, dask_worker.report, *job.asks())
                if report:
                    job.keep(report, label(worker))

    async def _stop(self) -> None:
        """End what is under way, and keep its last checkpoints."""
        for attempt, (job, worker) in self._running.items():
            attempt.cancel()
            with suppress(LostWorkerError, PipelineError):
                await self._workers.ask(worker, dask_worker.stop, job.attempt)
        await asyncio.gather(*self._running, return_exceptions=True)


def _task() -> Callable[[str], Any]:
    """Return what a worker runs. It goes there as code, because it goes through the scheduler,
    which need not have this package.
    """

    def train_run(attempt: str) -> Any:
        from pipeline.training.executors import dask_worker as there  # noqa: PLC0415

        return there.train_run(attempt)

    return train_run


async def _result(future: Any) -> Outcome:
    outcome: Outcome = await future
    return outcome


def _outcome_of(answer: "asyncio.Future[Outcome]", job: Job, worker: str) -> Outcome | None:
    if answer.cancelled():
        return None
    error = answer.exception()
    if error is None:
        return answer.result()
    raise PipelineError(
        f"Training of {job.plan.run} failed on the worker {label(worker)}: "
        f"{type(error).__name__}: {error}",
        remedy="The same command goes on from the last checkpoint.",
    ) from error
