"""What common mistakes of notebooks cost: each built into the same small network, and measured.

    python -m benchmarks.mistakes                              on the practice digits
    python -m benchmarks.mistakes --arrays data/processed/kaggle
    python -m benchmarks.mistakes --write                      into docs/how-it-learns.md as well

The network is that of the recipe notebook-10, written as notebooks write it: a digit is a column,
all is float64. A quarter of the digits is held out. The gradient check compares the
derivatives with central differences on 20 digits: the largest difference in any array, as a share
of the array's largest derivative. Below a millionth it is right.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from benchmarks.notebook_mistakes import (
    BiasOverAllUnits,
    ClassesPresent,
    FileSize,
    LocalName,
    MaskOfTheOutput,
    Notebook,
    NoTranspose,
    Unshifted,
)
from benchmarks.work import digits
from docs.sections import write_section
from pipeline.nn.arrays import Array
from pipeline.nn.gradcheck import numeric_gradient
from pipeline.system.cores import single_threaded_blas

PAGE = Path(__file__).parents[1] / "docs" / "how-it-learns.md"
RATE = 0.1
CHECKED_DIGITS = 20
EARLY, LATE = 100, 500  # iterations


@dataclass(frozen=True)
class Case:
    """One way to train.

    batch: digits in a step (None: all).  scale: what pixels are divided by.
    digits: how many digits to train on (None: all that are not held out).
    """

    name: str
    network: type[Notebook] = Notebook
    batch: int | None = None
    scale: float = 255.0
    digits: int | None = None
    iterations: int = LATE


CASES = (
    Case("none"),
    Case("one bias gradient for all units", BiasOverAllUnits),
    Case("divided by the rows of the file", FileSize),
    Case("none, batches of 50", batch=50),
    Case("divided by the rows of the file, batches of 50", FileSize, batch=50),
    Case("softmax without the shift", Unshifted),
    Case("none, pixels from 0 to 255", scale=1.0),
    Case("softmax without the shift, pixels from 0 to 255", Unshifted, scale=1.0),
    Case("weights given to a local name", LocalName),
    Case("the rectifier's mask of the wrong layer", MaskOfTheOutput),
    Case("weights not transposed on the way back", NoTranspose),
    Case("classes counted in the batch's labels, batches of 50", ClassesPresent, batch=50),
    Case("nothing held out, 200 digits, 5,000 iterations", digits=200, iterations=5000),
)


@dataclass(frozen=True)
class Digits:
    """images: (N, 28, 28) uint8.  labels: (N,) integers."""

    images: Array
    labels: Array

    def columns(self, rows: Array, scale: float) -> Array:
        """Return the pixels of these rows as (784, n) float64."""
        pixels = self.images[rows].reshape(len(rows), -1)
        return np.ascontiguousarray(pixels.T) / scale


@dataclass(frozen=True)
class Outcome:
    """early, late: accuracies (training part, held out) after the iterations; None if it stopped.

    failure: what stopped the training, or left nothing to train.
    """

    gradient_error: float
    early: tuple[float, float] | None
    late: tuple[float, float] | None
    failure: str


def measure(case: Case, data: Digits, seed: int) -> Outcome:
    """Train one case with one seed."""
    training, held_out = train_test_split(
        np.arange(len(data.labels)), test_size=0.25, stratify=data.labels, random_state=0
    )
    training = training[: case.digits]
    rng = np.random.default_rng(seed)
    network = case.network(len(data.labels), rng=rng)
    inputs, labels = data.columns(training, case.scale), data.labels[training]
    tests, answers = data.columns(held_out, case.scale), data.labels[held_out]
    error = gradient_error(network, inputs[:, :CHECKED_DIGITS], labels[:CHECKED_DIGITS])
    found: dict[int, tuple[float, float]] = {}
    failure = ""
    for iteration in range(1, case.iterations + 1):
        chosen = slice(None) if case.batch is None else rng.choice(len(labels), case.batch)
        try:
            network.iterate(inputs[:, chosen], labels[chosen], RATE)
        except ValueError as problem:
            return Outcome(error, None, None, f"{type(problem).__name__} in iteration {iteration}")
        if not failure and not np.isfinite(network.parameters[0]).all():
            failure = f"NaN from iteration {iteration}"
        if iteration in (EARLY, case.iterations):
            found[iteration] = (network.accuracy(inputs, labels), network.accuracy(tests, answers))
    if not failure and not network.sums(inputs)[1].any():
        failure = "all units off"
    return Outcome(error, found[EARLY], found[case.iterations], failure)


def gradient_error(network: Notebook, inputs: Array, labels: Array) -> float:
    """Return the largest relative error of any array's derivatives; NaN if they are none."""
    errors = []
    for array, gradient in zip(network.parameters, network.gradients(inputs, labels), strict=True):
        numeric = numeric_gradient(lambda: network.loss(inputs, labels), array)
        errors.append(np.abs(gradient - numeric).max() / np.abs(numeric).max())
    return float(np.max(errors))


COLUMNS = (
    "mistake",
    "the line",
    "gradient check",
    f"held out, {EARLY} iterations",
    "held out, at the end",
    "training part, at the end",
)


def row(case: Case, outcomes: list[Outcome]) -> tuple[str, ...]:
    """Return a line of the table: means and deviations over the seeds."""
    error = max(outcome.gradient_error for outcome in outcomes)
    check = "no number" if np.isnan(error) else f"{error:.1g}" if error < 1e-3 else f"{error:.2f}"
    line = f"`{case.network.wrong}`" if case.network.wrong else ""
    stops = "; ".join(dict.fromkeys(outcome.failure for outcome in outcomes if outcome.failure))
    if any(outcome.late is None for outcome in outcomes):
        return case.name, line, check, stops, "", ""
    early = [outcome.early[1] for outcome in outcomes if outcome.early]
    late = [outcome.late[1] for outcome in outcomes if outcome.late]
    own = [outcome.late[0] for outcome in outcomes if outcome.late]
    end = _spread(late) + (f" ({stops})" if stops else "")
    return case.name, line, check, _spread(early), end, _spread(own)


def _spread(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def table(rows: list[tuple[str, ...]]) -> str:
    """Return the rows as Markdown."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def load(arrays: Path | None) -> Digits:
    """Return the practice digits, or those of a folder that ``make preprocess`` wrote."""
    if arrays is None:
        return Digits(*digits())
    return Digits(
        np.load(arrays / "train_images.npy"), np.load(arrays / "train_labels.npy").astype(np.int64)
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mistakes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--arrays", type=Path, help="a folder such as data/processed/practice")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="the mistakes whose names contain this")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.name}")
    arguments = parser.parse_args()
    data = load(arguments.arrays)
    rows = []
    with single_threaded_blas(), np.errstate(all="ignore"):
        for case in CASES:
            if arguments.only in case.name:
                outcomes = [measure(case, data, seed) for seed in range(arguments.seeds)]
                rows.append(row(case, outcomes))
                print(" | ".join(rows[-1]), flush=True)
    if arguments.write:
        write_section(PAGE, "mistakes", table(rows))


if __name__ == "__main__":
    main()
