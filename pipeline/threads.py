"""How many cores there are, and BLAS kept to one thread while shards run on all of them."""

import os
from contextlib import AbstractContextManager
from typing import Any

import threadpoolctl


def available_cores() -> int:
    """Return how many cores this process may use, which in a container may be fewer than exist."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def single_threaded_blas() -> AbstractContextManager[Any]:
    """Return a context in which each matrix product runs on the thread that asked for it.

    The number of BLAS threads can change the last bits of a product; with one, it never does.
    """
    limits: AbstractContextManager[Any] = threadpoolctl.threadpool_limits(1, "blas")
    return limits
