"""How much memory training takes, and how little of it depends on the number of digits.

    python -m benchmarks.memory

Trains PyTorch's example network at batch 256 on generated digits in mapped files: as many as the
competition has for training, and ten times as many. Each runs in a process of its own, whose peak
is reported with those of its workers (what they share counts for each of them). The peak is
reached within the first steps; ``--steps 0`` does a whole epoch.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.work import CONVOLUTIONAL_LAYERS
from pipeline.nn import AdamW, Examples, Network, Settings, Training
from pipeline.system.cores import available_cores, single_threaded_blas

ROWS = 42_000
HELD_OUT = 4_200
BATCH_SIZE = 256


def write_digits(path: Path, rows: int) -> None:
    """Write an .npy file piece by piece: what this process once took counts for its children."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (rows, 28, 28)}
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for _ in range(0, rows, 1000):
            file.write(rng.bytes(1000 * 28 * 28))


def train(path: Path, steps: int) -> None:
    """Train on the file's digits and print the peaks in MB: of this process, of its workers."""
    images = np.load(path, mmap_mode="r")
    labels = np.random.default_rng(1).integers(0, 10, len(images)).astype(np.uint8)
    rows = np.random.default_rng(2).permutation(len(images))
    training_rows = rows[HELD_OUT:][: steps * BATCH_SIZE or None]
    training = Training(
        Network(CONVOLUTIONAL_LAYERS, (28, 28, 1)),
        AdamW(learning_rate=1e-3),
        Settings(epochs=1, batch_size=BATCH_SIZE),
        seed=0,
    )
    examples = Examples(images, labels, training_rows), Examples(images, labels, rows[:HELD_OUT])
    with single_threaded_blas():
        list(training.fit(*examples, workers=available_cores()))
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        print(round(resource.getrusage(who).ru_maxrss * unit / 1e6))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=60, help="0: a whole epoch")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.file:
        train(arguments.file, arguments.steps)
        return
    print(f"{'digits':>9} {'process':>10} {'a worker':>10}   peak memory")
    with tempfile.TemporaryDirectory() as folder:
        for rows in (ROWS, 10 * ROWS):
            path = Path(folder) / "images.npy"
            write_digits(path, rows)
            command = [sys.executable, "-m", "benchmarks.memory", "--file", str(path)]
            answer = subprocess.run(
                [*command, "--steps", str(arguments.steps)],
                check=True,
                capture_output=True,
                text=True,
            )
            own, worker = answer.stdout.split()
            print(f"{rows:9,} {own:>7} MB {worker:>7} MB", flush=True)


if __name__ == "__main__":
    main()
