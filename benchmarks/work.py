"""The work that the libraries are given: networks, batches, digits, and what they cost."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from pipeline.digits.sources import practice
from pipeline.nn import Network
from pipeline.nn.arrays import Array
from pipeline.nn.conv import Conv2D
from pipeline.nn.layers import Dense
from pipeline.recipes.file import find_recipe
from pipeline.recipes.recipe import read_recipe

LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.01
SEED = 0

DENSE_LAYERS: list[dict[str, Any]] = [
    {"kind": "flatten"},
    {"kind": "dense", "units": 512},
    {"kind": "relu"},
    {"kind": "dense", "units": 512},
    {"kind": "relu"},
    {"kind": "dense", "units": 10},
]

# The network of PyTorch's own MNIST example (github.com/pytorch/examples, mnist/main.py).
CONVOLUTIONAL_LAYERS: list[dict[str, Any]] = [
    {"kind": "conv2d", "filters": 32, "kernel": 3},
    {"kind": "relu"},
    {"kind": "conv2d", "filters": 64, "kernel": 3},
    {"kind": "relu"},
    {"kind": "max_pool2d", "size": 2},
    {"kind": "dropout", "rate": 0.25},
    {"kind": "flatten"},
    {"kind": "dense", "units": 128},
    {"kind": "relu"},
    {"kind": "dropout", "rate": 0.5},
    {"kind": "dense", "units": 10},
]
# What people train: the networks of recipes, without their distortions and averages.
RECIPES = ("quick", "strong")


def _layers_of(recipe: str) -> list[dict[str, Any]]:
    layers = read_recipe(find_recipe(recipe)).network.layers
    return [layer.model_dump(exclude_none=True) for layer in layers]


NETWORKS = {
    "dense": DENSE_LAYERS,
    "convolutional": CONVOLUTIONAL_LAYERS,
    **{recipe: _layers_of(recipe) for recipe in RECIPES},
}


@dataclass(frozen=True)
class Work:
    """One network, trained with so many images at a time, or predicting (batch_size None)."""

    network: str
    batch_size: int | None

    @property
    def name(self) -> str:
        return f"{self.network}, " + (
            f"training, batch {self.batch_size}" if self.batch_size else "predicting"
        )

    @property
    def layers(self) -> list[dict[str, Any]]:
        return NETWORKS[self.network]

    @property
    def operations(self) -> int:
        """Additions and multiplications of the products of one image, done the plain way.

        A layer has one product in prediction and three in training: outputs, gradients of the
        weights, and gradients of the inputs, which the first layer does not need.
        """
        products = [
            _multiplications(layer)
            for layer in Network(self.layers, (28, 28, 1)).layers
            if isinstance(layer, Dense | Conv2D)
        ]
        if self.batch_size is None:
            return 2 * sum(products)
        return 2 * (3 * sum(products) - products[0])


def _multiplications(layer: Dense | Conv2D) -> int:
    places = math.prod(layer.output_shape[:-1])
    (weights,) = (item.shape for item in layer.parameters() if item.name == "weight")
    return places * math.prod(weights)


@cache
def digits() -> tuple[Array, Array]:
    """Return 5,000 MNIST digits: images (5000, 28, 28) uint8 and labels (5000,) int64."""
    pixels, labels = practice.read_digits()
    return pixels.reshape(-1, 28, 28), labels.astype(np.int64)


def batches(batch_size: int, start: int, count: int) -> list[Array]:
    """Return the rows of the batches start, start + 1, ...: the same for every library."""
    rows = len(digits()[1])
    return [
        np.random.default_rng((SEED, number)).choice(rows, batch_size, replace=False)
        for number in range(start, start + count)
    ]


def initial_network(work: Work) -> Network:
    """Return the network with the weights that every library begins with."""
    network = Network(work.layers, (28, 28, 1))
    network.initialize(rng=np.random.default_rng(SEED))
    return network
