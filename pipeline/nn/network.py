"""A stack of layers over one flat vector that holds all their parameters."""

import itertools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from pipeline.nn.arrays import Array, shared_zeros
from pipeline.nn.base import Layer, Parameter, Shape
from pipeline.nn.blocks import Blocks
from pipeline.nn.conv import Conv2D
from pipeline.nn.kinds import make
from pipeline.nn.layers import Dense, Dropout, Flatten, LeakyReLU, ReLU
from pipeline.nn.losses import softmax
from pipeline.nn.normalization import BatchNorm
from pipeline.nn.pooling import AvgPool2D, Crop2D, GlobalAvgPool, MaxPool2D, Pooling

LAYERS: dict[str, type[Layer]] = {
    "flatten": Flatten,
    "dense": Dense,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "dropout": Dropout,
    "batch_norm": BatchNorm,
    "crop2d": Crop2D,
    "conv2d": Conv2D,
    "max_pool2d": MaxPool2D,
    "avg_pool2d": AvgPool2D,
    "global_avg_pool": GlobalAvgPool,
}

# More rows than these, or more values of one layer, are no faster, and take memory.
MOST_ROWS_AT_ONCE = 1024
MOST_VALUES_AT_ONCE = 8_000_000

# The order in the vector: what is decayed, what is trained but not decayed, what is not trained.
ROLES = ("weight", "offset", "statistic")


class Network:
    """Layers one after another, from a batch of inputs to a batch of logits.

    config: one dict for each layer, such as {"kind": "dense", "units": 512}.
    input_shape: the shape of one input, without N.

    vector: every value as one array [weights | offsets | statistics]; the layers work on views
    of it. So a step of the optimizer, an average of weights or a checkpoint is one operation.
    parameters: its trained part, (P,).  gradients: the same layout, (P,).
    weight_count: how many of the parameters, from the front, are weights that may be decayed.
    rows_at_once: how many inputs best go through it at once.
    """

    def __init__(
        self, config: Iterable[dict[str, Any]], input_shape: Shape, *, dtype: Any = np.float32
    ) -> None:
        self.config = [dict(layer) for layer in config]
        self.input_shape = tuple(input_shape)
        self.dtype = np.dtype(dtype)
        self.layers = [make("layer", LAYERS, layer) for layer in self.config]
        shape = self.input_shape
        for number, (layer, values) in enumerate(zip(self.layers, self.config, strict=True), 1):
            try:
                shape = layer.place(shape)
            except ValueError as error:
                raise ValueError(f"layer {number} ({values['kind']}): {error}") from None
        self.output_shape = shape
        shapes = [layer.output_shape for layer in self.layers]
        declared = [(layer, parameter) for layer in self.layers for parameter in layer.parameters()]
        self._layout = [item for role in ROLES for item in declared if item[1].role == role]
        sizes = {
            role: sum(math.prod(item.shape) for _, item in declared if item.role == role)
            for role in ROLES
        }
        self.weight_count = sizes["weight"]
        self.parameter_count = sizes["weight"] + sizes["offset"]
        self._steps = _arrange(self.layers)
        self._first_trained = next(
            (n for n, step in enumerate(self._steps) if step.is_trained), len(self._steps)
        )
        largest = max([math.prod(self.input_shape), *(math.prod(s) for s in shapes)])
        self.rows_at_once = min(MOST_ROWS_AT_ONCE, max(1, MOST_VALUES_AT_ONCE // largest))
        self._awaited: Shape | None = None
        vector = shared_zeros(sum(sizes.values()), self.dtype)
        self._bind(vector[: self.parameter_count], vector[self.parameter_count :])
        self.vector = vector

    def initialize(self, *, rng: np.random.Generator) -> None:
        """Draw new values for all parameters, layer by layer from the input."""
        for layer in self.layers:
            for parameter in layer.parameters():
                parameter.initializer.fill(layer.values[parameter.name], rng=rng)

    def replicate(self, *, own_statistics: bool = True) -> "Network":
        """Return a network on the same parameters, with its own gradients, statistics, buffers.

        Replicas can run forward and backward at the same time. A replica has no ``vector``: its
        values are not in one place.
        """
        replica = Network(self.config, self.input_shape, dtype=self.dtype)
        statistics = self.statistics
        if own_statistics:
            statistics = shared_zeros(len(statistics), self.dtype)
            statistics[...] = self.statistics
        replica._bind(self.parameters, statistics)
        del replica.vector
        return replica

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        """Return logits (N, K) for inputs (N, *input_shape).

        They are a buffer, valid until the next call: copy what is to stay.
        """
        self._awaited = None
        if inputs.shape[1:] != self.input_shape:
            raise ValueError(f"expected inputs (N, *{self.input_shape}), got {inputs.shape}")
        outputs = inputs
        for step in self._steps:
            outputs = step.forward(outputs, training=training, rng=rng)
        self._awaited = outputs.shape if training else None
        return outputs

    def backward(self, grad_logits: Array) -> None:
        """Overwrite ``gradients``, given the loss's gradient at the logits.

        The chain rule, from the last layer to the first one that has parameters; what lies
        before that one, and its own input, needs no gradient.
        Raises ValueError unless it follows a forward pass in training, each one once.
        """
        if self._awaited is None:
            raise ValueError("a backward pass follows a forward pass in training, each one once")
        if grad_logits.shape != self._awaited:
            raise ValueError(
                f"expected the gradient of logits {self._awaited}, got {grad_logits.shape}"
            )
        self._awaited = None
        gradient: Array | None = grad_logits
        for number in range(len(self._steps) - 1, self._first_trained - 1, -1):
            assert gradient is not None
            gradient = self._steps[number].backward(
                gradient, need_input=number > self._first_trained
            )

    def predict(self, inputs: Array) -> Array:
        """Return probabilities (N, K) for one block of inputs (N, *input_shape)."""
        return softmax(self.forward(inputs))

    def _bind(self, parameters: Array, statistics: Array) -> None:
        self.parameters = parameters
        self.statistics = statistics
        self.gradients = shared_zeros(len(parameters), self.dtype)
        values: dict[Layer, dict[str, Array]] = {layer: {} for layer in self.layers}
        gradients: dict[Layer, dict[str, Array]] = {layer: {} for layer in self.layers}
        start = 0
        for layer, parameter in self._layout:
            if parameter.role == "statistic":
                values[layer][parameter.name] = _view(
                    statistics, start - self.parameter_count, parameter
                )
            else:
                values[layer][parameter.name] = _view(parameters, start, parameter)
                gradients[layer][parameter.name] = _view(self.gradients, start, parameter)
            start += math.prod(parameter.shape)
        for layer in self.layers:
            layer.bind(values[layer], gradients[layer])


def _arrange(layers: list[Layer]) -> list[Layer]:
    """Return the steps to go through: image layers together, as blocks; the others as they are."""
    layers = list(layers)
    for place in range(len(layers) - 1):
        if isinstance(layers[place], ReLU | LeakyReLU) and isinstance(layers[place + 1], MaxPool2D):
            # A rectifier never changes which of two values is larger, so it gives the same after
            # the pooling, on a quarter of the values. Shapes change for it alone.
            layers[place], layers[place + 1] = layers[place + 1], layers[place]
            layers[place + 1].place(layers[place].output_shape)
    steps: list[Layer] = []
    for by_image, group in itertools.groupby(layers, key=lambda layer: layer.by_image):
        members = list(group)
        if by_image and any(isinstance(layer, Conv2D | Pooling) for layer in members):
            blocks = Blocks(members)
            blocks.place(members[0].input_shape)
            steps.append(blocks)
        else:
            steps.extend(members)
    return steps


def _view(vector: Array, start: int, parameter: Parameter) -> Array:
    return vector[start : start + math.prod(parameter.shape)].reshape(parameter.shape)
