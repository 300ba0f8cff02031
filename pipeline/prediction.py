"""Probabilities of a trained network for any number of images, on all cores."""

from typing import Any

import numpy as np

from pipeline.nn import Network, Shards
from pipeline.threads import available_cores, single_threaded_blas

Array = np.ndarray[Any, np.dtype[Any]]


def predict(network: Network, images: Array) -> Array:
    """Return probabilities (N, 10) float32 for images (N, 28, 28) uint8.

    The same bits for any number of cores, and the same as in the evaluations of training.
    """
    cores = available_cores()
    with single_threaded_blas(), Shards(network, shards=cores, threads=cores) as shards:
        return shards.predict(images, np.arange(len(images)))
