"""What ten and a hundred times as many digits take: time and memory of each stage.

python -m benchmarks.scale                  x1, x10 and x100 of 14,000 training digits
python -m benchmarks.scale --rows 2000      a quick trial; the document stays as it is
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import process_memory
from benchmarks.process_memory import Measured
from benchmarks.scale_digits import write_digits

REPOSITORY = Path(__file__).parents[1]
STAGES = ("download", "preprocess", "train", "validate", "submission")
RECIPE = "mlp"
SETTINGS = "training.epochs=1"
ROWS = 14_000
FACTORS = (1, 10, 100)


def measure_size(
    folder: Path, rows: int, *, test_rows: int, recipe: str, tell: Callable[[str], None]
) -> dict[str, Measured]:
    source = folder / "source"
    write_digits(source, training_rows=rows, test_rows=test_rows, seed=0)
    found = {}
    for stage in STAGES:
        command = [
            sys.executable,
            "-m",
            "pipeline",
            stage,
            "--source",
            str(source),
            "--recipe",
            recipe,
        ]
        command += ["--set", SETTINGS, "--data", str(folder / "data")]
        command += ["--submissions", str(folder / "submissions")]
        found[stage] = process_memory.run(command, os.environ, REPOSITORY)
        tell(
            f"{rows:>9,} {stage:12} {found[stage].seconds:8.2f} s {found[stage].own_bytes / 1e6:8.1f} MB own {found[stage].resident_bytes / 1e6:8.1f} MB resident"
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--factors", type=int, nargs="+", default=FACTORS)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--recipe", default=RECIPE)
    a = parser.parse_args()
    for factor in a.factors:
        with tempfile.TemporaryDirectory(dir=a.folder) as folder:
            import time

            t = time.time()
            measure_size(
                Path(folder),
                a.rows * factor,
                test_rows=a.rows * 2 // 3 * factor,
                recipe=a.recipe,
                tell=lambda s: print(s, flush=True),
            )
            print("all", time.time() - t)


if __name__ == "__main__":
    main()
