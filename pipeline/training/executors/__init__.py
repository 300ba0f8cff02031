"""Where networks are trained: here one after another, or as tasks of a dask cluster."""

import importlib.util
import re

from pipeline.system.errors import PipelineError
from pipeline.training.executors.executor import Executor

__all__ = ["Executor", "make_executor"]

_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx)://\S+:\d+")


def make_executor(name: str | None, scheduler: str | None) -> Executor:
    """Return the executor of this name; by default the local one, or dask's for a scheduler.

    scheduler: its address, for dask; None or "" starts a cluster on this machine.
    Raises PipelineError for another name, an address that is none, and if dask is not installed.
    """
    name = name or ("dask" if scheduler else "local")
    if name == "local":
        return Executor()
    if name != "dask":
        raise PipelineError(f"EXECUTOR={name}: no such executor", remedy="Give local or dask.")
    if scheduler and not _ADDRESS.fullmatch(scheduler):
        raise PipelineError(
            f"DASK={scheduler}: not the address of a scheduler", remedy="Example: tcp://host:8786"
        )
    if importlib.util.find_spec("distributed") is None:
        raise PipelineError(
            "EXECUTOR=dask: the package distributed is not installed",
            remedy="Run: make install EXECUTOR=dask "
            "(or, into the interpreter at hand: pip install -e '.[dask]')",
        )
    from pipeline.training.executors.dask_executor import DaskExecutor  # noqa: PLC0415

    return DaskExecutor(scheduler or None)
