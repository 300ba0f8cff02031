"""A stack of layers over one flat vector that holds all their parameters."""

import itertools
import math
from collections.abc import Generator, Iterable
from typing import Any

import numpy as np

from pipeline.nn.arrays import MAPS, Array, images_of, maps_of, shared_zeros
from pipeline.nn.base import Layer, Matrix, Parameter, Shape
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
# So many images' maps stay in the cache from one step to the next.
MAPS_PREDICTED_AT_ONCE = 32

# The order in the vector: what is decayed, what is trained but not decayed, what is not trained.
ROLES = ("weight", "offset", "statistic")

# A pass through the network that pauses wherever something is measured of a whole group.
Pass = Generator[None, None, Array]


class Network:
    """Layers one after another, from a batch of inputs to a batch of logits.

    config: one dict for each layer, such as {"kind": "dense", "units": 512}.
    input_shape: the shape of one input, without N.

    vector: every value as one array [weights | offsets | statistics]; the layers work on views
    of it. So a step of the optimizer, an average of weights or a checkpoint is one operation.
    parameters: its trained part, (P,).  gradients: the same layout, (P,).
    weight_count: how many of the parameters, from the front, are weights that may be decayed.
    rows_at_once: how many inputs best go through it at once.
    margin: so many pixels at each side of the inputs it does not look at; they may be left off.
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
        # What crops or flattens the inputs themselves only says how they are looked at.
        layers = list(self.layers)
        self.margin = 0
        while layers and isinstance(layers[0], Crop2D):
            self.margin += layers[0].pixels
            del layers[0]
        self._begins_flat = bool(layers) and isinstance(layers[0], Flatten)
        self._steps = _arrange(layers[1:] if self._begins_flat else layers)
        self._first_trained = next(
            (n for n, step in enumerate(self._steps) if step.is_trained), len(self._steps)
        )
        largest = max([math.prod(self.input_shape), *(math.prod(s) for s in shapes)])
        self.rows_at_once = min(MOST_ROWS_AT_ONCE, max(1, MOST_VALUES_AT_ONCE // largest))
        self.has_maps = any(isinstance(step, Blocks) for step in self._steps)
        self._predicted_at_once = MAPS_PREDICTED_AT_ONCE if self.has_maps else MOST_ROWS_AT_ONCE
        self._awaited: Shape | None = None
        vector = shared_zeros(sum(sizes.values()), self.dtype)
        self._bind(vector[: self.parameter_count], vector[self.parameter_count :])
        self.vector = vector

    def initialize(self, *, rng: np.random.Generator) -> None:
        """Draw new values for all parameters, layer by layer from the input."""
        for layer in self.layers:
            for parameter in layer.parameters():
                parameter.initializer.fill(layer.values[parameter.name], rng=rng)

    def replicate(
        self,
        *,
        own_statistics: bool = True,
        gradients: Array | None = None,
        beside: "Network | None" = None,
    ) -> "Network":
        """Return a network on the same parameters, with its own gradients, statistics, buffers.

        Replicas can run forward and backward at the same time. A replica has no ``vector``: its
        values are not in one place.

        gradients: (P,) where to leave them.  beside: a replica that serves the same worker; they
        share the memory that nobody needs after the next layer, and ``prepare`` of one is for both.
        """
        replica = Network(self.config, self.input_shape, dtype=self.dtype)
        statistics = self.statistics
        if own_statistics:
            statistics = shared_zeros(len(statistics), self.dtype)
            statistics[...] = self.statistics
        replica._bind(self.parameters, statistics, gradients)
        del replica.vector
        if beside is not None:
            for own, other in zip(replica._steps, beside._steps, strict=True):
                own.share_scratch(other)
        return replica

    def prepare(self, part: int = 0, parts: int = 1) -> None:
        """Take the parameters as they are now, for all passes until they change.

        part, parts: what replicas that ``share_prepared`` have in common, each makes a part of.
        """
        for step in self._steps:
            step.prepare(part, parts)

    def share_prepared(self, other: "Network") -> None:
        """Have in common with another replica what ``prepare`` makes of the parameters."""
        for own, others in zip(self._steps, other._steps, strict=True):
            own.share_prepared(others)

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        """Return logits (N, K) for inputs (N, *input_shape).

        They are a buffer, valid until the next call: copy what is to stay.
        """
        self.prepare()
        return finish(self.forward_pass(inputs, training=training, rng=rng))

    def forward_pass(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Pass:
        """Do the same after ``prepare``, pausing where replicas that share a group must meet."""
        self._awaited = None
        outputs = self._look_at(inputs)
        for step in self._steps:
            if training and isinstance(step, BatchNorm):
                step.measure(outputs)
                yield
                outputs = step.normalize(outputs)
            else:
                outputs = step.forward(outputs, training=training, rng=rng)
        if outputs.ndim == MAPS:
            outputs = images_of(outputs)
        self._awaited = outputs.shape if training else None
        return outputs

    def _look_at(self, inputs: Array) -> Array:
        """Return inputs as the first step takes them."""
        within = slice(self.margin, -self.margin or None)
        if inputs.shape[1:] == self.input_shape and self.margin:
            inputs = inputs[:, within, within]
        elif inputs.shape[1:] != self.inside_shape:
            raise ValueError(f"expected inputs (N, *{self.input_shape}), got {inputs.shape}")
        if self._begins_flat:
            return inputs.reshape(len(inputs), -1)
        return maps_of(inputs) if inputs.ndim == MAPS else inputs

    @property
    def inside_shape(self) -> Shape:
        """The shape of what is looked at of an input: all but its margin."""
        if not self.margin:
            return self.input_shape
        height, width, channels = self.input_shape
        return (height - 2 * self.margin, width - 2 * self.margin, channels)

    def backward(self, grad_logits: Array) -> None:
        """Overwrite ``gradients``, given the loss's gradient at the logits.

        The chain rule, from the last layer to the first one that has parameters; what lies
        before that one, and its own input, needs no gradient.
        Raises ValueError unless it follows a forward pass in training, each one once.
        """
        finish(self.backward_pass(grad_logits))

    def backward_pass(self, grad_logits: Array) -> Pass:
        """Do the same, pausing where replicas that share a group must meet."""
        if self._awaited is None:
            raise ValueError("a backward pass follows a forward pass in training, each one once")
        if grad_logits.shape != self._awaited:
            raise ValueError(
                f"expected the gradient of logits {self._awaited}, got {grad_logits.shape}"
            )
        self._awaited = None
        gradient: Array | None = maps_of(grad_logits) if grad_logits.ndim == MAPS else grad_logits
        for number in range(len(self._steps) - 1, self._first_trained - 1, -1):
            assert gradient is not None
            step, need_input = self._steps[number], number > self._first_trained
            if isinstance(step, BatchNorm):
                step.measure_gradient(gradient)
                yield
                gradient = step.finish_backward() if need_input else None
            else:
                gradient = step.backward(gradient, need_input=need_input)
        return grad_logits

    @property
    def normalizations(self) -> list[BatchNorm]:
        """The layers at which a pass pauses, from the input on."""
        return [layer for layer in self.layers if isinstance(layer, BatchNorm)]

    @property
    def matrices(self) -> list[Matrix]:
        """The weights of each layer that has some, from the input on; all weights together."""
        found: list[Matrix] = []
        for _, parameter in self._layout:
            if parameter.role == "weight":
                *inputs, outputs = parameter.shape
                start = found[-1].span.stop if found else 0
                found.append(Matrix(start, math.prod(inputs), outputs))
        return found

    def predict(self, inputs: Array, *, temperature: float = 1.0) -> Array:
        """Return probabilities (N, K) for inputs (N, *input_shape): softmax(logits / temperature).

        Above 1, a temperature makes them more even; below 1, more sure.
        """
        self.prepare()
        size = self._predicted_at_once
        blocks = [inputs[start : start + size] for start in range(0, len(inputs), size)]
        return np.concatenate(
            [softmax(finish(self.forward_pass(block)) / temperature) for block in blocks]
        )

    def _bind(self, parameters: Array, statistics: Array, gradients: Array | None = None) -> None:
        self.parameters = parameters
        self.statistics = statistics
        if gradients is None:
            gradients = shared_zeros(len(parameters), self.dtype)
        self.gradients = gradients
        own_values: dict[Layer, dict[str, Array]] = {layer: {} for layer in self.layers}
        own_gradients: dict[Layer, dict[str, Array]] = {layer: {} for layer in self.layers}
        start = 0
        for layer, parameter in self._layout:
            if parameter.role == "statistic":
                own_values[layer][parameter.name] = _view(
                    statistics, start - self.parameter_count, parameter
                )
            else:
                own_values[layer][parameter.name] = _view(parameters, start, parameter)
                own_gradients[layer][parameter.name] = _view(self.gradients, start, parameter)
            start += math.prod(parameter.shape)
        for layer in self.layers:
            layer.bind(own_values[layer], own_gradients[layer])


def finish(going: Pass) -> Array:
    """Go through a pass that waits for nobody; return its result."""
    while True:
        try:
            next(going)
        except StopIteration as end:
            result: Array = end.value
            return result


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
