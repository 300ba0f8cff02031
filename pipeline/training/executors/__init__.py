"""Where networks are trained: here, as many at once as cores allow, or on a dask cluster."""

import importlib.util
import re

from pipeline.system.errors import PipelineError
from pipeline.training.executors.executor import Executor

__all__ = ["Executor", "make_executor"]

# dask's others, such as ws:// and ucx://, have needs of their own, and nobody has tried them here.
_ADDRESS = re.compile(r"(tcp|tls)://[^\s/@]+:(\d{1,5})")
_LAST_PORT = 65_535
_PACKAGES = ("distributed", "cryptography")  # of the extra "dask"


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
    found = _ADDRESS.fullmatch(scheduler or "")
    if scheduler and not (found and int(found[2]) <= _LAST_PORT):
        raise PipelineError(
            f"DASK={scheduler}: not the address of a scheduler",
            remedy="Examples: tcp://host:8786, or tls://host:8786 with certificates",
        )
    for package in _PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise PipelineError(
                f"EXECUTOR=dask: the package {package} is not installed",
                remedy="Run: make install EXECUTOR=dask "
                "(or, into the interpreter at hand: pip install -e '.[dask]')",
            )
    try:
        from pipeline.training.executors.dask_executor import DaskExecutor  # noqa: PLC0415
    except ValueError as error:  # a file of dask's configuration; the message names it
        raise PipelineError(str(error), remedy="Mend that file, or move it away.") from None

    return DaskExecutor(scheduler or None)
