"""The runs of one recipe that differ by their seed alone."""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.plan.plan import MOST_TRAININGS, Plan, parse_seed, run_name
from pipeline.system.errors import PipelineError

DEFAULT_SEEDS = "3"


def parse_seeds(text: str | None) -> tuple[int, ...]:
    """Return the seeds that SEEDS means: "3" is 0, 1 and 2; "0 3 7" is these.

    Raises PipelineError for other texts, no seed at all, and one that is there twice.
    """
    words = (text or DEFAULT_SEEDS).split()
    try:
        numbers = [parse_seed(word) or 0 for word in words]
    except PipelineError:
        numbers = []
    if max(len(words), *numbers[: len(numbers) == 1], 0) > MOST_TRAININGS:
        raise PipelineError(
            f"SEEDS={text}: more than {MOST_TRAININGS:,} trainings",
            remedy="For the seeds from 0 to 2, give SEEDS=3; for a large one alone, SEED=.",
        )
    seeds = tuple(numbers) if len(numbers) > 1 else tuple(range(sum(numbers)))
    if not seeds or len(set(seeds)) != len(seeds):
        raise PipelineError(
            f"SEEDS={text}: neither how many seeds nor seeds",
            remedy='Examples: SEEDS=3 for the seeds 0, 1 and 2; SEEDS="0 3 7" for these.',
        )
    return seeds


def seed_plans(plan: Plan, seeds: Sequence[int]) -> tuple[Plan, ...]:
    """Return a plan for each seed; its run is the one that SEED=n by itself has.

    Raises PipelineError if the plan has a seed or a run's name of its own.
    """
    if plan.seed is not None:
        raise PipelineError(f"SEED={plan.seed}: has no meaning beside SEEDS")
    if plan.run != _name(plan, None):
        raise PipelineError(f"RUN={plan.run}: the run of each seed has a name of its own")
    return tuple(replace(plan, seed=seed, run=_name(plan, seed)) for seed in seeds)


def _name(plan: Plan, seed: int | None) -> str:
    return run_name(plan.source, plan.recipe, seed=seed, overrides=plan.overrides, folds=plan.folds)
