"""Probabilities of a trained network for any number of images, on all cores."""

from typing import Any

import numpy as np

from pipeline.nn import Network, Predictor
from pipeline.threads import available_cores, single_threaded_blas

Array = np.ndarray[Any, np.dtype[Any]]


def predict(network: Network, images: Array) -> Array:
    """Return probabilities (N, 10) float32 for images (N, 28, 28) uint8.

    The same bits for any number of cores, and the same as in the evaluations of training.
    """
    workers = min(available_cores(), max(1, len(images) // network.rows_at_once))
    with single_threaded_blas(), Predictor(network, images, workers=workers) as predictor:
        return predictor.predict(np.arange(len(images)))
