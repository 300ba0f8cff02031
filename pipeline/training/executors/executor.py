"""Training here, one network after another; what trains elsewhere does as much."""

from collections.abc import Sequence

from pipeline.plan.plan import Plan
from pipeline.system.reporter import reporter
from pipeline.training.network_run import Trained, train_network


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
            reporter().turn(number, len(plans))
            trained.append(train_network(plan, force=force))
            if trained[-1].unchanged and each:
                reporter().line("is trained already")
        return trained
