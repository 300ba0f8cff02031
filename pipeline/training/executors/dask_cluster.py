"""A dask cluster, the user's or one on this machine; its workers checked, and given the digits."""

import asyncio
import hashlib
import logging
import secrets
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import dask
import distributed

from pipeline.plan.plan import Plan
from pipeline.system import files
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import reporter
from pipeline.training.executors import dask_worker

CONNECT_SECONDS = 5
# A worker that hangs longer than this in an answer is asked again later.
ANSWER_SECONDS = 30
WAIT_SECONDS = 60
# The size of a message: large files go in pieces, so that no machine has to hold a whole one.
PIECE_BYTES = 16 * 2**20

# How workers of our own differ from dask's defaults. A daemon may have no children, and its
# training would have threads instead. The profiler makes training wait while it takes samples.
# Giving memory back to the system at once, only to take it again, costs a third of the time.
WORKER_SETTINGS = {
    "distributed.worker.daemon": False,
    "distributed.worker.profile.enabled": False,
    "distributed.nanny.pre-spawn-environ": {},
    "distributed.worker.preload": [dask_worker.__name__],  # for its dask_setup
}

Answer = TypeVar("Answer")


@asynccontextmanager
async def connected(
    address: str | None, *, workers: int, cores: int
) -> AsyncIterator[distributed.Client]:
    """Connect to the scheduler at an address, or start a cluster for the block.

    workers, cores: of a cluster of our own, and how many cores each worker has.
    Raises PipelineError if nobody answers at the address.
    """
    # When workers end, the executor says so in a line; dask would say it at length.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if address:
            async with _client(address, address) as client:
                yield client
            return
        with tempfile.TemporaryDirectory(prefix="digits-dask-") as folder:
            async with (
                _own_cluster(workers, cores, folder) as cluster,
                _client(cluster.scheduler_address, "this machine") as client,
            ):
                yield client


@asynccontextmanager
async def _client(address: str, name: str) -> AsyncIterator[distributed.Client]:
    try:
        client = await distributed.Client(  # type: ignore[no-untyped-call]
            address, asynchronous=True, timeout=CONNECT_SECONDS, set_as_default=False
        )
    except (OSError, TimeoutError, ValueError):
        raise PipelineError(
            f"DASK={name}: no scheduler answers there",
            remedy="Start it with: dask scheduler (its address is in what it says)",
        ) from None
    try:
        yield client
    finally:
        await client.close(timeout=CONNECT_SECONDS)


@asynccontextmanager
async def _own_cluster(workers: int, cores: int, folder: str) -> AsyncIterator[Any]:
    with dask.config.set(WORKER_SETTINGS | {"temporary-directory": folder}):
        try:
            cluster = await distributed.LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=workers,
                threads_per_worker=cores,
                processes=True,
                asynchronous=True,
                host="127.0.0.1",
                dashboard_address=None,
                worker_dashboard_address=None,
                local_directory=folder,
                memory_limit=0,
                silence_logs=logging.CRITICAL,
            )
        except RuntimeError as error:
            raise PipelineError(
                f"No cluster could be started on this machine: {error}",
                remedy="Train without one: EXECUTOR=local",
            ) from error
        try:
            yield cluster
        finally:
            await _as_any(cluster.close(timeout=CONNECT_SECONDS))


def label(worker: str) -> str:
    """Return a worker's address as users are told it: host and port."""
    return urlsplit(worker).netloc or worker


class Workers:
    """The workers of a cluster, as far as they are fit for the work.

    plan: one of those to be trained; all are on the same digits.
    there: all that the scheduler had when it was asked last, fit or not.
    """

    def __init__(self, client: distributed.Client, plan: Plan, where: str) -> None:
        self.client = client
        self._where = where
        processed = plan.workspace.processed(plan.source.name)
        self._files = {
            path.relative_to(plan.workspace.data).as_posix(): path
            for path in (processed.manifest, processed.train_images, processed.train_labels)
        }
        self._checksums = {name: files.sha256(path) for name, path in self._files.items()}
        self.data = hashlib.sha256(repr(self._checksums).encode()).hexdigest()[:16]
        self.there: dict[str, int] = {}
        self._fit: dict[str, bool] = {}

    async def find(self, *, first: bool) -> dict[str, int]:
        """Return the workers that are there and fit: how many cores each has, by address.

        first: before any work, when one that is not fit is an error; later it is passed over.
        Raises PipelineError for that one, and if the scheduler is gone.
        """
        asked = self.client.nthreads()  # type: ignore[no-untyped-call]
        self.there = await self.within(asked)
        for worker in [worker for worker in self.there if worker not in self._fit]:
            await self._take_in(worker, first=first)
        return {worker: cores for worker, cores in self.there.items() if self._fit.get(worker)}

    async def wait_for_first(self) -> None:
        """Wait until there is a worker. Raises PipelineError if none comes, or one is not fit."""
        self._check_scheduler(await self.within(_as_any(self.client.get_versions())))
        begun, told = time.monotonic(), False
        while not await self.find(first=True):
            if not told:
                reporter().line(f"The scheduler at {self._where} has no workers; waiting for one.")
                told = True
            if time.monotonic() - begun > WAIT_SECONDS:
                raise self.none_left()
            await asyncio.sleep(0.5)

    def none_left(self) -> PipelineError:
        """Return the error that there are no workers."""
        return PipelineError(
            f"The scheduler at {self._where} has no workers",
            remedy=f"Start some: dask worker {self._where}",
        )

    async def within(self, answer: Awaitable[Answer]) -> Answer:
        """Return the scheduler's answer. Raises PipelineError if there is none."""
        try:
            async with _in_time():
                return await answer
        except OSError:  # a timeout is one, too
            raise self._silent() from None

    async def ask(self, worker: str, function: Callable[..., Answer], *arguments: Any) -> Answer:
        """Return what a function returns on a worker.

        Raises LostWorkerError if it does not answer, FailedWorkerError if it answers otherwise.
        """
        asked = self.client.run(function, *arguments, workers=[worker], on_error="return")
        try:
            async with _in_time():
                answers = await asked
        except TimeoutError as error:
            raise LostWorkerError(worker) from error
        except OSError:
            raise self._silent() from None
        answer = answers.get(worker)
        if worker not in answers or (isinstance(answer, OSError) and answer.errno is None):
            raise LostWorkerError(worker)  # an error of its disk has a number
        if isinstance(answer, Exception):
            raise FailedWorkerError(f"The worker {label(worker)} cannot work: {answer}")
        return answer  # type: ignore[no-any-return]

    def _silent(self) -> PipelineError:
        return PipelineError(
            f"The scheduler at {self._where} answers no more",
            remedy="The same command goes on from the last checkpoints.",
        )

    async def _take_in(self, worker: str, *, first: bool) -> None:
        """Check a worker that is new, and give it the digits."""
        try:
            theirs = await self.ask(worker, dask_worker.describe)
            _check_worker(label(worker), theirs)
            await self._send_digits(worker)
        except LostWorkerError:
            return  # it may be there again the next time
        except FailedWorkerError as error:
            if first:
                raise
            reporter().line(f"{error.message}; it gets no work.")
            self._fit[worker] = False
        else:
            self._fit[worker] = True

    async def _send_digits(self, worker: str) -> None:
        """Send a worker the digits, unless it has them."""
        if await self.ask(worker, dask_worker.has_digits, self.data):
            return
        part = f"{self.data}-{secrets.token_hex(4)}"
        for name, path in self._files.items():
            with path.open("rb") as stream:
                while piece := stream.read(PIECE_BYTES):
                    await self.ask(worker, dask_worker.take_piece, part, name, piece)
        kept = await self.ask(worker, dask_worker.keep_digits, part, self.data, self._checksums)
        if not kept:
            raise FailedWorkerError(f"The digits arrived damaged at the worker {label(worker)}")

    def _check_scheduler(self, versions: dict[str, Any]) -> None:
        ours, theirs = versions["client"]["packages"], versions["scheduler"]["packages"]
        for name in ("python", "distributed"):
            if ours[name] != theirs[name]:
                raise PipelineError(
                    f"The scheduler at {self._where} has {name} {theirs[name]} "
                    f"instead of {ours[name]}",
                    remedy="Install the same commit and packages there as here.",
                )


def _in_time() -> asyncio.Timeout:
    """Raise TimeoutError in the block if an answer does not come.

    Not asyncio.wait_for: before Python 3.12 a Ctrl-C at the instant of an answer is lost in it.
    """
    return asyncio.timeout(ANSWER_SECONDS)


def _as_any(awaitable: Any) -> Any:
    """For what is an awaitable because the client is asynchronous, which its types can't tell."""
    return awaitable


def _check_worker(worker: str, theirs: dict[str, str]) -> None:
    ours = dask_worker.describe()
    found = [
        f"{name} {theirs.get(name)} instead of {ours[name]}"
        for name in ours
        if theirs.get(name) != ours[name]
    ]
    if found:
        raise FailedWorkerError(
            f"The worker {worker} has {', '.join(found)}: other code gives other bits"
        )


class FailedWorkerError(PipelineError):
    """A worker is not fit for the work."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message, remedy="Install what is here there as well, and start the worker again."
        )


class LostWorkerError(Exception):
    """A worker does not answer; whether it is gone, the scheduler says."""
