"""A cluster of this machine's cores, for one command and nobody else.

Its scheduler and its workers listen on ports of this machine, and whoever may speak to them runs
code as the user who started them. So each of these ports demands a certificate that is made for
this cluster. Its key stays in memory: workers are handed it through a pipe, and no other user can
read that, nor the folder in which OpenSSL finds it for a moment.
"""

import asyncio
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import dask
import distributed

from pipeline.training.executors import dask_worker

CLOSE_SECONDS = 5

# How workers of our own differ from dask's defaults. A daemon may have no children, and its
# training would have threads instead. The profiler takes its samples while training waits. Memory
# that is given back to the system at once, which is taken again at once, costs a third of the time.
WORKER_SETTINGS = {
    "distributed.worker.daemon": False,
    "distributed.worker.profile.enabled": False,
    "distributed.nanny.pre-spawn-environ": {},
    "distributed.worker.preload": [dask_worker.__name__],  # for its dask_setup
}


class _WithoutPages:
    """Comes before a class of dask's that would serve pages about itself to anybody.

    These are served with and without a dashboard, and there is no certificate that they demand.
    """

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Serve nothing."""


class _Scheduler(_WithoutPages, distributed.Scheduler):
    pass


class _Worker(_WithoutPages, distributed.Worker):
    pass


def start_cluster(held: ExitStack, *, workers: int, cores: int) -> tuple[str, distributed.Security]:
    """Start so many workers, each with so many cores; ``held`` ends them.

    Returns the scheduler's address, and what a client needs to be let in.
    """
    folder = held.enter_context(tempfile.TemporaryDirectory(prefix="digits-dask-"))
    held.enter_context(dask.config.set(WORKER_SETTINGS | {"temporary-directory": folder}))
    held.enter_context(_without_credentials())
    security = distributed.Security.temporary()  # type: ignore[no-untyped-call]
    # A scheme of its own, because the user's configuration may have another one by default.
    listening = {"host": "127.0.0.1", "protocol": "tls://", "security": security}
    cluster: Any = distributed.SpecCluster(  # type: ignore[no-untyped-call]
        workers={},  # nobody is there yet who would be left behind by an interrupt
        scheduler={"cls": _Scheduler, "options": listening | {"port": 0, "dashboard": False}},
        worker={
            # Processes, because each training has processes of its own for its shards.
            "cls": distributed.Nanny,
            "options": listening
            | {
                "worker_class": _Worker,
                "nthreads": cores,
                "local_directory": folder,
                "memory_limit": 0,
                "silence_logs": logging.CRITICAL,
            },
        },
        security=security,
        silence_logs=logging.CRITICAL,
    )
    held.callback(close, cluster)
    held.callback(_end_workers, cluster)
    cluster.scale(workers)
    return str(cluster.scheduler_address), security


@contextmanager
def _without_credentials() -> Iterator[None]:
    """Hide Kaggle's from the processes that are started in the block: none of them needs any."""
    names = [name for name in os.environ if name.startswith("KAGGLE_")]
    hidden = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _end_workers(cluster: Any) -> None:
    """End workers of our own without waiting for what they are at: nobody wants it any more."""

    async def end() -> None:
        nannies = cluster.workers.values()
        await asyncio.gather(*(nanny.close(timeout=1) for nanny in nannies), return_exceptions=True)

    cluster.sync(end)


def close(opened: Any) -> None:
    """Close a cluster or a client."""
    with suppress(OSError):  # a timeout, which would hide why it came to this
        opened.close(timeout=CLOSE_SECONDS)
