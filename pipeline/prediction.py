"""Probabilities of a trained network for any number of images, on all cores."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.nn import Network, Predictor
from pipeline.threads import available_cores, single_threaded_blas

Array = np.ndarray[Any, np.dtype[Any]]

# By how many pixels (down, right) each view shows the digit shifted: as it is first.
_BESIDE = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
_DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))
SHIFTS = {1: _BESIDE[:1], 5: _BESIDE, 9: _BESIDE + _DIAGONAL}


@dataclass(frozen=True)
class Model:
    """A trained network with all that predicting takes.

    views: how many views of a digit are averaged (test-time augmentation): 1, the digit as it is;
    5, also shifted by one pixel up, down, left and right; 9, also diagonally.
    Raises ValueError for another number.
    """

    network: Network
    views: int = 1

    def __post_init__(self) -> None:
        if self.views not in SHIFTS:
            raise ValueError(f"views must be one of {list(SHIFTS)}, not {self.views!r}")


def predict(model: Model, images: Array) -> Array:
    """Return probabilities (N, 10) float32 for images (N, 28, 28) uint8: the mean of all views.

    The same bits for any number of cores; with one view, those of the evaluations of training.
    """
    network, shifts = model.network, SHIFTS[model.views]
    workers = min(available_cores(), max(1, len(images) // network.rows_at_once))
    rows = np.arange(len(images))
    total = np.zeros((len(images), *network.output_shape), network.dtype)
    with single_threaded_blas():
        for down, right in shifts:
            view = shift(images, down, right)
            with Predictor(network, view, workers=workers) as predictor:
                total += predictor.predict(rows)
    total /= len(shifts)
    return total


def shift(images: Array, down: int, right: int) -> Array:
    """Return images (N, H, W) moved by whole pixels, with zeros coming in at the border.

    Negative is up and left.  Without a shift, the images themselves.
    """
    if not down and not right:
        return images
    height, width = images.shape[1:]
    moved = np.zeros_like(images)
    to_rows, from_rows = _overlap(down, height)
    to_columns, from_columns = _overlap(right, width)
    moved[:, to_rows, to_columns] = images[:, from_rows, from_columns]
    return moved


def _overlap(by: int, size: int) -> tuple[slice, slice]:
    """Where to, and where from, a line of ``size`` pixels goes that moves ``by`` so many."""
    return slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size - max(by, 0))
