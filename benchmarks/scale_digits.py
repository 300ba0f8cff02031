"""Any number of digits as the competition's CSV files: the practice digits, each row deformed anew.

InfiMNIST makes its 8.1 million digits of MNIST's in the same way: Loosli, Canu and Bottou 2007,
"Training invariant support vector machines using selective sampling".
"""

import itertools
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.digits.dialect import KAGGLE_PIXELS, LABEL, SIDE_PIXELS
from pipeline.digits.sources import SAMPLE_SUBMISSION, TEST, TRAIN, practice
from pipeline.kaggle.submission_csv import write_submission
from pipeline.nn import Augmentation
from pipeline.nn.batches import to_inputs
from pipeline.system.cores import available_cores, single_threaded_blas

BLOCK_ROWS = 1_000
DEFORMATION = Augmentation(
    shift_pixels=1.5, angle_degrees=10.0, scale=0.1, shear=0.1, elastic_pixels=0.8
)
# The text of each value with its comma, filled up with zeros, which occur in no text.
_TEXTS = np.array([b"%d," % value for value in range(256)], "S4").view(np.uint8).reshape(256, 4)
_COMMA, _LINE_FEED = b",\n"


@dataclass(frozen=True)
class _Originals:
    """Digits to deform.  pixels: (N, 784) uint8.  labels: (N,) uint8, or None to leave them out."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None

    def rows(self, count: int, seed: tuple[int, ...]) -> bytes:
        """Return rows of CSV, each of an original that chance chose and deformed."""
        rng = np.random.default_rng(seed)
        chosen = rng.integers(0, len(self.pixels), count)
        images = self.pixels[chosen].reshape(-1, SIDE_PIXELS, SIDE_PIXELS)
        with single_threaded_blas():
            deformed = DEFORMATION.distort(to_inputs(images), rng=rng).reshape(count, -1)
        table = np.rint(deformed * 255.0).clip(0, 255).astype(np.uint8)
        if self.labels is not None:
            table = np.column_stack([self.labels[chosen], table])
        texts = _TEXTS[table]
        last = texts[:, -1]
        last[last == _COMMA] = _LINE_FEED
        written: bytes = texts[texts != 0].tobytes()
        return written


def write_digits(folder: Path, *, training_rows: int, test_rows: int, seed: int) -> None:
    """Write train.csv, test.csv and sample_submission.csv into a new folder.

    A test digit is never a deformed training digit: the two come of different practice digits.
    The same seed gives the same bytes; memory does not grow with the number of rows.
    """
    pixels, labels = practice.read_digits()
    training, test = practice.split(labels)
    with_labels = _Originals(pixels[training], labels[training])
    folder.mkdir(parents=True)
    with ProcessPoolExecutor(available_cores(), multiprocessing.get_context("spawn")) as pool:
        for name, header, rows, originals in (
            (TRAIN, [LABEL, *KAGGLE_PIXELS], training_rows, with_labels),
            (TEST, KAGGLE_PIXELS, test_rows, _Originals(pixels[test], None)),
        ):
            with (folder / name).open("wb") as file:
                file.write(",".join(header).encode() + b"\n")
                for text in _in_blocks(originals, rows, (seed, len(header)), pool):
                    file.write(text)
    write_submission(folder / SAMPLE_SUBMISSION, itertools.repeat(0, test_rows))


def _in_blocks(
    originals: _Originals, rows: int, seed: tuple[int, ...], pool: Executor
) -> Iterator[bytes]:
    """Yield the rows in blocks, each with chance of its own; few of them are made in advance."""
    sizes = [min(BLOCK_ROWS, rows - start) for start in range(0, rows, BLOCK_ROWS)]
    together = 4 * available_cores()
    for first in range(0, len(sizes), together):
        numbers = range(first, min(first + together, len(sizes)))
        seeds = [(*seed, number) for number in numbers]
        yield from pool.map(originals.rows, sizes[first : first + together], seeds)
