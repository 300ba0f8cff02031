"""Training here, one network after another, each on all cores."""

from collections.abc import Callable, Sequence

from pipeline.plan.plan import Plan
from pipeline.training.network_run import Watcher, train_network


class LocalExecutor:
    """The executor that needs nothing else."""

    one_by_one = True

    def train(
        self,
        plans: Sequence[Plan],
        *,
        each: str,
        force: bool,
        tell: Callable[[str], None] | None,
        watcher: Watcher | None,
    ) -> bool:
        """Train those runs that are not trained yet; return whether none was due."""
        say = tell if tell and each else lambda _: None
        all_there = True
        for number, plan in enumerate(plans, start=1):
            say(f"{each} {number} of {len(plans)}: {plan.run}")
            if train_network(plan, force=force, tell=tell, watcher=watcher):
                say("is trained already")
            else:
                all_there = False
        return all_there
