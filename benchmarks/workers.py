"""The same bits with any number of workers, and how long these wait for each other.

    python -m benchmarks.workers
    python -m benchmarks.workers --shards 8 --workers 1 2 8

A recipe's network is trained for some steps, as the recipe says, by each number of workers in turn.
With more workers than cores, those that wait let others run: their share says little then.
"""

import argparse
import hashlib
import time

import numpy as np

from benchmarks.work import batches, digits
from pipeline.nn import Shards, plan_cut
from pipeline.nn.shards import Step
from pipeline.recipes.file import find_recipe
from pipeline.recipes.recipe import read_recipe
from pipeline.system.cores import available_cores, single_threaded_blas
from pipeline.training.fitting import make_training

NUMBERS = (1, 2, 3, 8, 16)


def measure(recipe_name: str, shards: int | None, workers: int, steps: int) -> str:
    """Train, and return a line about it."""
    recipe = read_recipe(find_recipe(recipe_name))
    training = make_training(recipe, len(digits()[1]))
    settings, network = training.settings, training.network
    assert settings.batch_size
    cut = plan_cut(network, settings.batch_size, shards)
    images, labels = digits()
    work = [Step(rows, 1.0, 0.9) for rows in batches(settings.batch_size, 0, steps)]
    with (
        single_threaded_blas(),
        Shards(
            network,
            training.optimizer,
            images,
            labels,
            cut=cut,
            workers=workers,
            augmentation=settings.augmentation,
        ) as team,
    ):
        team.begin_epoch(np.random.SeedSequence(0))
        team.run(work[:2])
        before = team.ask("time_waited")
        started = time.perf_counter()
        team.run(work)
        seconds = time.perf_counter() - started
        waited = np.subtract(team.ask("time_waited"), before) / seconds
        used = team.size
    digest = hashlib.sha256(network.parameters.tobytes()).hexdigest()[:12]
    speed = steps * settings.batch_size / seconds
    shares = f"{waited.mean():6.1%} ({waited.min():.1%} to {waited.max():.1%})"
    return f"{workers:>7} {used:>5} {digest:>14} {speed:>9,.0f}   {shares}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--shards", type=int, help="into how many a batch is cut")
    parser.add_argument("--workers", type=int, nargs="+", default=NUMBERS)
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()
    print(f"{available_cores()} cores")
    print("workers  used        weights  images/s   waiting (least to most)")
    for workers in arguments.workers:
        print(measure(arguments.recipe, arguments.shards, workers, arguments.steps), flush=True)


if __name__ == "__main__":
    main()
