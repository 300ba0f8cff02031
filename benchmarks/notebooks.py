"""Our training beside the notebooks' own float64 arithmetic: same networks, rows and iterations.

    python -m benchmarks.notebooks            all notebook recipes, on generated digits
    python -m benchmarks.notebooks --rounds 5

Both take turns, a few iterations each, so that a drift of the machine's speed hits both alike;
the table gives the median of the rounds' ratios, their range, and what each needs for the whole
recipe. The notebooks hold images as columns, (784, N) float64, and work on all of them at once.
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pipeline.nn import Examples
from pipeline.nn.arrays import Array
from pipeline.recipes.file import RECIPE_FOLDER, RecipeFile
from pipeline.recipes.recipe import Recipe, read_recipe
from pipeline.system.cores import available_cores, single_threaded_blas
from pipeline.training.fitting import make_training

ROWS = 42_000


class NotebookNetwork:
    """Dense layers in the notebooks' manner: whole-file matrices, float64, new arrays each time."""

    def __init__(self, recipe: Recipe, images: Array, labels: Array) -> None:
        rng = np.random.default_rng(0)
        units = [layer.units for layer in recipe.network.layers if layer.kind == "dense"]
        sizes = [784, *units]
        self.weights = [
            rng.normal(scale=0.1, size=(after, before))
            for before, after in itertools.pairwise(sizes)
        ]
        self.biases = [np.zeros((size, 1)) for size in units]
        slopes = [layer.slope for layer in recipe.network.layers if layer.kind == "leaky_relu"]
        self.slope = slopes[0] if slopes else 0.0
        self.rate = recipe.optimizer.learning_rate
        self.inputs = images.reshape(len(images), -1).T / 255.0
        self.targets = np.eye(10)[labels].T

    def iterate(self) -> None:
        """One step of gradient descent on all rows."""
        activations, sums = [self.inputs], []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            sums.append(weight.dot(activations[-1]) + bias)
            activations.append(np.where(sums[-1] > 0, sums[-1], self.slope * sums[-1]))
        exponentials = np.exp(sums[-1] - sums[-1].max(axis=0))
        gradient = exponentials / exponentials.sum(axis=0) - self.targets
        rows = self.inputs.shape[1]
        for layer in reversed(range(len(self.weights))):
            weight_gradient = gradient.dot(activations[layer].T) / rows
            bias_gradient = gradient.sum(axis=1, keepdims=True) / rows
            if layer:
                slopes = np.where(sums[layer - 1] > 0, 1.0, self.slope)
                gradient = self.weights[layer].T.dot(gradient) * slopes
            self.weights[layer] -= self.rate * weight_gradient
            self.biases[layer] -= self.rate * bias_gradient


def seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def compare(path: Path, *, rounds: int, iterations: int) -> dict[str, Any]:
    """Return the seconds of one iteration of each, and the ratios of the rounds."""
    recipe = read_recipe(RecipeFile(path))
    held_out = recipe.split.hold_out
    assert held_out is not None, "no notebook makes folds"
    rows = ROWS - round(held_out * ROWS if held_out < 1 else held_out)
    rng = np.random.default_rng(0)
    # As many dark pixels as in MNIST: their share does not matter to the time, but let it be fair.
    images = rng.integers(0, 256, (rows, 28, 28)) * (rng.random((rows, 28, 28)) < 0.19)
    images = images.astype(np.uint8)
    labels = rng.integers(0, 10, rows).astype(np.uint8)
    notebook = NotebookNetwork(recipe, images, labels)
    training_part = Examples(images, labels, np.arange(rows))
    hold_out = Examples(images, labels, np.arange(rows - 100, rows))
    whole = recipe.training.epochs

    def notebook_iterations() -> None:
        for _ in range(iterations):
            notebook.iterate()

    def our_iterations() -> None:
        values = recipe.training.model_copy(
            update={"epochs": iterations, "evaluate_every": iterations}
        )
        training = make_training(recipe.model_copy(update={"training": values}), ROWS)
        with single_threaded_blas():
            for _ in training.fit(training_part, hold_out, workers=available_cores()):
                pass

    notebook_iterations()
    our_iterations()
    times = [(seconds(notebook_iterations), seconds(our_iterations)) for _ in range(rounds)]
    return {
        "recipe": path.stem,
        "rows": rows,
        "notebook_seconds": median(theirs for theirs, _ in times) / iterations * whole,
        "our_seconds": median(ours for _, ours in times) / iterations * whole,
        "ratios": [theirs / ours for theirs, ours in times],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = parser.parse_args()
    found = []
    print(f"{available_cores()} cores; seconds for the whole recipe; times faster (range)")
    print(f"{'recipe':26} {'notebook':>9} {'here':>7} {'faster':>7}")
    for path in sorted(RECIPE_FOLDER.glob("notebook-*.toml")):
        row = compare(path, rounds=arguments.rounds, iterations=arguments.iterations)
        found.append(row)
        ratios = row["ratios"]
        print(
            f"{row['recipe']:26} {row['notebook_seconds']:9.1f} {row['our_seconds']:7.1f} "
            f"{median(ratios):6.2f}x ({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
