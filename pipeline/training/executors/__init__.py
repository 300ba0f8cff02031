"""Where networks are trained: here one after another, or as tasks of a dask cluster."""

import importlib.util
import re
from collections.abc import Sequence

from pipeline.plan.plan import Plan
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import reporter
from pipeline.training.network_run import Trained, train_network

_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx)://\S+:\d+")


class Executor:
    """Trains runs here, one after another, each on all cores.

    one_by_one: whether each epoch is reported as it ends; else there are lines about all runs as
    they go, and the start and the last epoch of each one when it is finished.
    """

    one_by_one = True

    def train(self, plans: Sequence[Plan], *, each: str, force: bool) -> list[Trained]:
        """Train those runs that are not trained yet; return all of them, in order.

        each: what a run is to the user, such as "member"; "" for one that stands alone.
        Interrupted at any time, the same call goes on, with any executor, and ends with the same
        bits.
        Raises PipelineError like ``train_network``, and if there is no cluster to train on.
        """
        trained = []
        for number, plan in enumerate(plans, start=1):
            if each:
                reporter().line(f"{each} {number} of {len(plans)}: {plan.run}")
            trained.append(train_network(plan, force=force))
            if trained[-1].unchanged and each:
                reporter().line("is trained already")
        return trained


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
