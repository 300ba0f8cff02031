"""Training here, one network after another, each on all cores."""

from collections.abc import Sequence

from pipeline.plan.plan import Plan
from pipeline.system.reporter import reporter
from pipeline.training.network_run import Trained, train_network


class LocalExecutor:
    """The executor that needs nothing else."""

    one_by_one = True

    def train(self, plans: Sequence[Plan], *, each: str, force: bool) -> list[Trained]:
        """Train those runs that are not trained yet; return all of them, in order."""
        trained = []
        for number, plan in enumerate(plans, start=1):
            if each:
                reporter().line(f"{each} {number} of {len(plans)}: {plan.run}")
            trained.append(train_network(plan, force=force))
            if trained[-1].unchanged and each:
                reporter().line("is trained already")
        return trained
