"""Training here, several networks at once where cores allow; what trains elsewhere does as much."""

from collections.abc import Sequence

from pipeline.plan.plan import Plan
from pipeline.system.cores import available_cores
from pipeline.system.memory import available_memory
from pipeline.system.reporter import reporter
from pipeline.training.executors.own_process import can_have_processes
from pipeline.training.executors.side_by_side import (
    FEW_CORES,
    DueRun,
    SideBySide,
    count_places,
    find_due,
)
from pipeline.training.network_run import Trained, train_network


class Executor:
    """Trains runs here: side by side on many cores, one after another on few.

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
        runs: list[DueRun] = []
        cores, places = available_cores(), 1
        if len(plans) > 1 and cores > FEW_CORES and can_have_processes():
            runs = find_due(plans, force=force)
            places = count_places(runs, cores, available_memory())
        beside = {run.place for run in runs} if places > 1 else set()
        trained = {}
        for place, plan in enumerate(plans):
            if place in beside:
                continue
            if each:
                reporter().line(f"{each} {place + 1} of {len(plans)}: {plan.run}")
            reporter().turn(place + 1, len(plans))
            trained[place] = train_network(plan, force=force)
            if trained[place].unchanged and each:
                reporter().line("is trained already")
        if beside:
            trained |= SideBySide(runs, places, cores, len(plans), each, force).train()
        return [trained[place] for place in range(len(plans))]
