"""How many cores there are, which BLAS, and how to keep BLAS to one thread for each shard."""

import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import threadpoolctl

# Two numbers, microseconds of work allowed in each period of so many; or "max" for no limit.
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
# What ``share_cores`` leaves to this process.
_shares: list[int] = []


def available_cores() -> int:
    """Return how many cores this process may use, which in a container may be fewer than exist.

    A container's share of time counts as well (docker run --cpus, Linux control groups version 2),
    and what ``share_cores`` allows.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    # A share of 1.5 is used up by two threads; one alone would leave the half unused.
    return max(1, math.ceil(min(cores, _share(), *_shares)))


@contextmanager
def share_cores(count: int) -> Iterator[None]:
    """Let this process use so many cores at most in the block, because others use the rest."""
    _shares.append(count)
    try:
        yield
    finally:
        _shares.remove(count)


def _share() -> float:
    """How many cores' time a control group allows; infinity where nothing limits it."""
    try:
        quota, period = map(int, _QUOTA.read_text(encoding="ascii").split())
        return quota / period
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def single_threaded_blas() -> AbstractContextManager[Any]:
    """Return a context in which each matrix product runs on the thread that asked for it.

    The number of BLAS threads can change the last bits of a product; with one, it never does.
    """
    limits: AbstractContextManager[Any] = threadpoolctl.threadpool_limits(1, "blas")
    return limits


def blas_library() -> dict[str, Any] | None:
    """Return name, version, threads and kernels of NumPy's BLAS; None if it can't be told.

    threads: how many it uses where nothing limits it; training always limits it to one.
    """
    found = [item for item in threadpoolctl.threadpool_info() if item["user_api"] == "blas"]
    if not found:
        return None
    # SciPy may bring one of its own; NumPy's lies in numpy.libs or numpy/.dylibs.
    found.sort(key=lambda item: "numpy" not in "".join(Path(item["filepath"]).parts[-3:-1]))
    return {
        "name": found[0]["internal_api"],
        "version": found[0]["version"],
        "threads": found[0]["num_threads"],
        "kernels": found[0].get("architecture"),
    }
