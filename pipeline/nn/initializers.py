"""How weights begin: each initializer is a printable value that fills an array in place."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.nn.arrays import Array
from pipeline.nn.kinds import make


@dataclass(frozen=True)
class Constant:
    """Every value the same: zero for biases, one for the scales of a normalization."""

    value: float = 0.0

    def fill(self, array: Array, *, rng: np.random.Generator) -> None:
        array[...] = self.value


@dataclass(frozen=True)
class Normal:
    """Independent normal values with mean 0 and standard deviation ``scale``."""

    scale: float

    def fill(self, array: Array, *, rng: np.random.Generator) -> None:
        array[...] = rng.normal(0.0, self.scale, array.shape)


@dataclass(frozen=True)
class Uniform:
    """Independent values, uniform in [low, high)."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError("low must be below high")

    def fill(self, array: Array, *, rng: np.random.Generator) -> None:
        array[...] = rng.uniform(self.low, self.high, array.shape)


@dataclass(frozen=True)
class He:
    """Normal with variance 2 / fan_in, which keeps the variance of activations through ReLU.

    Source: He et al. 2015, arXiv:1502.01852, section 2.2.
    """

    def fill(self, array: Array, *, rng: np.random.Generator) -> None:
        fan_in, _ = fans(array.shape)
        Normal(math.sqrt(2.0 / fan_in)).fill(array, rng=rng)


@dataclass(frozen=True)
class Glorot:
    """Uniform with variance 2 / (fan_in + fan_out), for layers without a rectifier after them.

    Source: Glorot and Bengio 2010, section 4.2, equation 16.
    """

    def fill(self, array: Array, *, rng: np.random.Generator) -> None:
        limit = math.sqrt(6.0 / sum(fans(array.shape)))
        Uniform(-limit, limit).fill(array, rng=rng)


Initializer = Constant | Normal | Uniform | He | Glorot

INITIALIZERS: dict[str, Callable[..., Initializer]] = {
    "constant": Constant,
    "normal": Normal,
    "uniform": Uniform,
    "he": He,
    "glorot": Glorot,
}


def make_initializer(config: dict[str, Any]) -> Initializer:
    """Return the initializer that ``{"kind": "normal", "scale": 0.01}`` describes."""
    return make("initializer", INITIALIZERS, config)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many inputs one output sees, and how many outputs one input reaches.

    shape: (..., inputs, outputs); the leading dimensions are a convolution's kernel.
    """
    if len(shape) < 2:
        raise ValueError(f"a weight has at least two dimensions, got shape {shape}")
    receptive = math.prod(shape[:-2])
    return receptive * shape[-2], receptive * shape[-1]
