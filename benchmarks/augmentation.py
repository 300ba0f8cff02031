"""What distorting the images adds to an epoch of training.

    python -m benchmarks.augmentation
    python -m benchmarks.augmentation --recipe strong --rounds 7

The same network is trained with the recipe's augmentation and without it, by turns, so that a
drift of the machine's speed hits both alike. The result is the median of the rounds' ratios.
"""

import argparse
from statistics import median

import numpy as np

from pipeline.digits.sources import practice
from pipeline.nn import Examples
from pipeline.recipes.file import find_recipe
from pipeline.recipes.recipe import Recipe, read_recipe
from pipeline.system.cores import available_cores, single_threaded_blas
from pipeline.training.fitting import make_training

ROWS = 5_000
HELD_OUT = 100


def microseconds(recipe: Recipe) -> float:
    """Train for one epoch; return the time of an image, by the clock, on all cores."""
    pixels, labels = practice.read_digits()
    images = pixels.reshape(-1, 28, 28)
    rows = np.arange(ROWS)
    training, hold_out = Examples(images, labels, rows), Examples(images, labels, rows[:HELD_OUT])
    with single_threaded_blas():
        (result,) = make_training(recipe, ROWS).fit(training, hold_out, workers=available_cores())
    return 1e6 / result.images_per_second


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    path = find_recipe(arguments.recipe)
    with_it = read_recipe(path, overrides=("training.epochs=1", "training.least_steps=0"))
    without = with_it.model_copy(update={"augmentation": None})
    print(f"{'with':>10} {'without':>10}   share of the epoch")
    shares = []
    for _ in range(arguments.rounds):
        distorted, plain = microseconds(with_it), microseconds(without)
        shares.append(1.0 - plain / distorted)
        print(f"{distorted:7.0f} us {plain:7.0f} us   {shares[-1]:6.1%}", flush=True)
    low, high = min(shares), max(shares)
    print(f"augmentation takes {median(shares):.1%} ({low:.1%} to {high:.1%})")


if __name__ == "__main__":
    main()
