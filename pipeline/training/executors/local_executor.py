"""Training here, one network after another, each on all cores."""

from collections.abc import Sequence

from pipeline.plan.plan import Plan
from pipeline.system.reporter import reporter
from pipeline.training.network_run import train_network


class LocalExecutor:
    """The executor that needs nothing else."""

    one_by_one = True

    def train(
        self,
        plans: Sequence[Plan],
        *,
        each: str,
        force: bool,
    ) -> bool:
        """Train those runs that are not trained yet; return whether none was due."""
        all_there = True
        for number, plan in enumerate(plans, start=1):
            if each:
                reporter().line(f"{each} {number} of {len(plans)}: {plan.run}")
            is_there = train_network(plan, force=force)
            if is_there and each:
                reporter().line("is trained already")
            all_there = all_there and is_there
        return all_there
