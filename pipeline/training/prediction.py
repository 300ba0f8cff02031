"""Probabilities of a trained network for any number of images, on all cores."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.nn import Network, Predictor
from pipeline.system.cores import available_cores, single_threaded_blas

Array = np.ndarray[Any, np.dtype[Any]]

# Raised when the views, or what is made of them, change: what was made with another version is made
# again.
VERSION = 2

# By how many pixels (down, right) each view shifts the digit; the first leaves it as it is.
_BESIDE = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
_DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))
SHIFTS = {1: _BESIDE[:1], 5: _BESIDE, 9: _BESIDE + _DIAGONAL}


@dataclass(frozen=True)
class Model:
    """A trained network with all that predicting takes.

    views: how many views of a digit are averaged (test-time augmentation): 1, the digit as it is;
    5, also shifted by one pixel up, down, left and right; 9, also diagonally. A digit that the
    first view leaves little doubt of is not looked at again (nn/predictor.py).
    temperature: by which logits are divided (calibration.py).
    Raises ValueError for another number of views, or a temperature that is not above 0.
    """

    network: Network
    views: int = 1
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.views not in SHIFTS:
            raise ValueError(f"views must be one of {list(SHIFTS)}, not {self.views!r}")
        if not 0.0 < self.temperature < float("inf"):
            raise ValueError(f"a temperature is above 0, not {self.temperature!r}")


def predict(model: Model, images: Array, rows: Array | None = None) -> Array:
    """Return probabilities (N, 10) float32 for images (N, 28, 28) uint8.

    rows: (n,) which of the images, and then (n, 10); None is all of them.
    The same bits for any number of cores; with one view and temperature 1, those of the evaluations
    of training.
    """
    rows = _all_rows(images) if rows is None else rows
    with _predictor(model, images, len(rows)) as predictor:
        return predictor.predict(rows)


def predict_in_turn(model: Model, images: Array, rows: Array | None = None) -> Iterator[Array]:
    """Yield what ``predict`` returns, some thousand rows at a time."""
    rows = _all_rows(images) if rows is None else rows
    with _predictor(model, images, len(rows)) as predictor:
        yield from predictor.predict_in_turn(rows)


@contextlib.contextmanager
def _predictor(model: Model, images: Array, rows: int) -> Iterator[Predictor]:
    network = model.network
    workers = min(available_cores(), max(1, rows // network.rows_at_once))
    with (
        single_threaded_blas(),
        Predictor(
            network,
            images,
            workers=workers,
            shifts=SHIFTS[model.views],
            temperature=model.temperature,
        ) as predictor,
    ):
        yield predictor


def _all_rows(images: Array) -> Array:
    return np.arange(len(images), dtype=np.int32)
