"""Small networks that several tests of the network share."""

from typing import Any

import numpy as np

from pipeline.nn import Network
from pipeline.nn.arrays import Array

LAYERS: list[dict[str, Any]] = [
    {"kind": "flatten"},
    {"kind": "dense", "units": 12},
    {"kind": "batch_norm"},
    {"kind": "relu"},
    {"kind": "dropout", "rate": 0.25},
    {"kind": "dense", "units": 9},
    {"kind": "leaky_relu", "slope": 0.1},
    {"kind": "dense", "units": 10, "weight": {"kind": "glorot"}},
]
# Without chance in the forward pass, for comparisons with differences and with other libraries.
PLAIN_LAYERS = [layer for layer in LAYERS if layer["kind"] != "dropout"]


def make_network(
    layers: list[dict[str, Any]] = LAYERS,
    shape: tuple[int, ...] = (6, 5, 1),
    dtype: Any = np.float32,
    seed: int = 0,
) -> Network:
    network = Network(layers, shape, dtype=dtype)
    network.initialize(rng=np.random.default_rng(seed))
    return network


def make_digits(rows: int, seed: int = 0) -> tuple[Array, Array]:
    """Random uint8 images (rows, 6, 5) in which one bright pixel tells the label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, rows).astype(np.uint8)
    images = rng.integers(0, 40, (rows, 6, 5))
    images[np.arange(rows), labels // 2, labels % 2] = 255
    return images.astype(np.uint8), labels
