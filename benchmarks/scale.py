"""What ten and a hundred times as many digits take: time, memory and disk of every stage.

    make scale                              x1, x10 and x100 of 21,000 training digits
    python -m benchmarks.scale --rows 500   a quick trial; docs/scale.md stays as it is

The digits are generated, and removed as soon as they are measured: at x100 they and all that is
made of them take 11 GB of disk. The stages are the real ones, each a process of its own, and work
on files that lie in the page cache. At x1 there are half as many labelled digits as the competition
has, and fewer test digits, because each of those costs what a labelled one costs.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import process_memory
from benchmarks.scale_digits import write_digits
from benchmarks.scale_page import FIGURE, PAGE, Point, Size, summary, write_page

REPOSITORY = Path(__file__).parents[1]
ROWS = 21_000
FACTORS = (1, 10, 100)
HELD_OUT = 0.1
TEST_SHARE = 6  # of the labelled digits, one in so many
STAGES = ("download", "preprocess", "train", "validate", "submission")
DENSE, CONVOLUTIONAL = "mlp", "quick"
# One epoch whatever the number of rows, and one look at each digit.
SETTINGS = f"split.hold_out={HELD_OUT} training.epochs=1 training.least_steps=0 prediction.views=1"
# The convolutional network is slower by far, and its time a row is known by then.
MOST_CONVOLUTIONAL = 10
# What takes a moment is done several times: its peak of memory is over before it is looked at.
LEAST_SECONDS, TRIES = 20, 6


@dataclass(frozen=True)
class Trial:
    """One number of digits, and the folder in which it is tried."""

    folder: Path
    training_rows: int
    test_rows: int
    tries: int

    def run(self, stage: str, recipe: str) -> Point:
        """Run a stage on the digits."""
        command = [sys.executable, "-m", "pipeline", stage, "--source", str(self.folder / "source")]
        command += ["--recipe", recipe, "--run", recipe, "--set", SETTINGS]
        command += ["--data", str(self.data), "--submissions", str(self.folder / "submissions")]
        command += ["--force"]
        # What this very make was asked for is meant for no stage.
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("DIGITS_")
        }
        tries = [process_memory.run(command, environment, REPOSITORY)]
        while len(tries) < self.tries and sum(one.seconds for one in tries) < LEAST_SECONDS:
            tries.append(process_memory.run(command, environment, REPOSITORY))
        everything = self.training_rows + self.test_rows
        rows = {
            "download": everything,
            "preprocess": everything,
            "train": self.training_rows,
            "validate": round(self.training_rows * HELD_OUT),
            "submission": self.test_rows,
        }[stage]
        name = stage if recipe == DENSE else f"{stage}, `{recipe}`"
        return Point(
            name,
            rows,
            median(one.seconds for one in tries),
            max(one.own_bytes for one in tries),
            max(one.resident_bytes for one in tries),
        )

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def size(self, points: Sequence[Point]) -> Size:
        """Return what is known of it when all stages are through."""
        training = json.loads((self.data / "runs" / DENSE / "training.json").read_text("utf-8"))
        return Size(
            training_rows=self.training_rows,
            test_rows=self.test_rows,
            points=tuple(points),
            raw_bytes=_bytes(self.data / "raw"),
            array_bytes=_bytes(self.data / "processed"),
            hold_out_accuracy=training["hold_out_accuracy"],
        )


def measure(training_rows: int, *, convolutional: bool, tries: int, parent: Path | None) -> Size:
    """Generate so many digits and a sixth of them for test.csv, and run all stages."""
    with tempfile.TemporaryDirectory(dir=parent, prefix="digits-scale-") as folder:
        trial = Trial(Path(folder), training_rows, training_rows // TEST_SHARE, tries)
        print(f"{training_rows:,} training digits and {trial.test_rows:,} test digits", flush=True)
        write_digits(
            trial.folder / "source",
            training_rows=training_rows,
            test_rows=trial.test_rows,
            seed=training_rows,
        )
        jobs = [(stage, DENSE) for stage in STAGES]
        if convolutional:
            jobs.append(("train", CONVOLUTIONAL))
        points = []
        for stage, recipe in jobs:
            points.append(trial.run(stage, recipe))
            print(f"  {summary(points[-1])}", flush=True)
        return trial.size(points)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=ROWS, help="training digits at x1")
    parser.add_argument("--factors", type=int, nargs="+", default=FACTORS)
    parser.add_argument(
        "--tries", type=int, default=TRIES, help="how often a short stage is measured, at most"
    )
    parser.add_argument("--folder", type=Path, help="where to work, instead of the usual /tmp")
    parser.add_argument("--page", type=Path, help="the document to write the tables into")
    parser.add_argument("--figure", type=Path, help="the picture to draw")
    arguments = parser.parse_args()
    if not Path("/proc/self/smaps_rollup").exists():
        parser.error("memory is measured by /proc/PID/smaps_rollup, which only Linux has")
    if len(arguments.factors) < 2 or list(arguments.factors) != sorted(set(arguments.factors)):
        parser.error("--factors takes two or more numbers that rise")
    sizes = [
        measure(
            arguments.rows * factor,
            convolutional=factor <= MOST_CONVOLUTIONAL,
            tries=arguments.tries,
            parent=arguments.folder,
        )
        for factor in arguments.factors
    ]
    whole = (arguments.rows, tuple(arguments.factors)) == (ROWS, FACTORS)
    page, figure = arguments.page or (PAGE if whole else None), arguments.figure or FIGURE
    if page:
        write_page(sizes, page=page, figure=figure)
        print(f"Written to {page} and {figure}.")


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
