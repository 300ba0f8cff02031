"""What a layer is to the network, and the memory that it computes in.

In plain.py each result is a new array. Here a layer fills the same arrays at every step, and says
which of them ``backward`` still needs; the others are shared, and stay in the cache.

Within a network, features are (N, F), and maps (H, W, N, C): the images come third. So all images'
values of one pixel lie side by side, some hundreds of numbers that NumPy goes over without a stop,
where the channels alone would be a few dozen. What is done to pixels, to pool them or to transform
them for a convolution, is done to such lines. A shape without N is (H, W, C) all the same.
"""

import copy
import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from pipeline.nn.arrays import Array, aligned_zeros
from pipeline.nn.initializers import Initializer

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Parameter:
    """One array that a layer asks the network to keep for it.

    role: "weight" is trained and decayed; "offset" (biases, scales) is trained and not decayed;
    "statistic" is measured in training and not trained.
    """

    name: str
    shape: Shape
    initializer: Initializer
    role: Literal["weight", "offset", "statistic"]


class Matrix(NamedTuple):
    """Where a layer's weights lie in the network's vector, as a matrix: a row for each input (of a
    convolution, for each place in the kernel and channel), a column for each output."""

    start: int
    rows: int
    columns: int

    @property
    def span(self) -> slice:
        """Its part of the vector."""
        return slice(self.start, self.start + self.rows * self.columns)

    def of(self, vector: Array) -> Array:
        """Return the matrix as a view of the vector: (rows, columns)."""
        return vector[self.span].reshape(self.rows, self.columns)


class Layer:
    """One differentiable function; a subclass gives ``build``, ``forward`` and ``backward``.

    A layer owns neither its parameters nor their gradients: it declares them in ``build`` and
    is then bound to views of the network's flat vectors. It does own what ``forward`` keeps for
    ``backward``, in buffers that are allocated once, so a layer serves one thread at a time.
    Arrays that it returns are such buffers: they are valid until its next call.

    by_image: what becomes of an image depends on no other image of the batch, and nothing is
    gained by taking many at a time.
    reads_inputs, reads_outputs: whether ``backward`` looks at them once more.
    passes_inputs_on: whether the outputs can be the inputs' own memory.
    What these are unless a layer says otherwise is right for any; saying it saves memory.
    """

    by_image = False
    reads_inputs = True
    reads_outputs = True
    passes_inputs_on = True

    def __init__(self) -> None:
        self.values: dict[str, Array] = {}
        self.gradients: dict[str, Array] = {}
        self.keeps_outputs = True
        self._kept: dict[str, Array] = {}
        self._scratch: dict[str, Array] = {}

    def build(self, input_shape: Shape) -> Shape:
        """Return the shape of one output, given the shape of one input (without N)."""
        return input_shape

    def place(self, input_shape: Shape) -> Shape:
        """Build the layer for inputs of this shape, and remember both shapes."""
        self.input_shape = input_shape
        self.output_shape = self.build(input_shape)
        return self.output_shape

    @property
    def values_at_once(self) -> int:
        """How many values the layer handles for one image."""
        return math.prod(self.input_shape) + math.prod(self.output_shape)

    def parameters(self) -> list[Parameter]:
        """What the layer needs, known after ``build``."""
        return []

    @property
    def is_trained(self) -> bool:
        """Whether any parameter's gradient is asked of ``backward``."""
        return any(parameter.role != "statistic" for parameter in self.parameters())

    def bind(self, values: dict[str, Array], gradients: dict[str, Array]) -> None:
        """Take the views in which this layer's parameters and their gradients live."""
        self.values = values
        self.gradients = gradients

    def prepare(self, part: int = 0, parts: int = 1) -> None:
        """Take the parameters as they are now, for all passes until they change.

        part, parts: of what is made of them for all replicas, to make one of so many parts.
        """

    def share_prepared(self, other: "Layer") -> None:
        """Use what ``prepare`` makes in the same layer of another replica, and it of this one's."""

    def begin_backward(self) -> None:
        """Do what the blocks of one backward pass have in common."""

    def end_backward(self) -> None:
        """Make the parameters' gradients of what the blocks have added up."""

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        """Return the outputs for features (N, F) or maps (H, W, N, C).

        They are a buffer or the inputs themselves, valid until the next call: copy what is to stay.
        """
        raise NotImplementedError

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """Overwrite the parameters' gradients, given the loss's gradient at the output.

        Returns the loss's gradient at the input, or None if ``need_input`` is false. It is a
        buffer as well, or ``grad_output`` itself.
        """
        raise NotImplementedError

    def twin(self) -> "Layer":
        """Return the layer once more, for another part of the batch: what it keeps is its own,
        the parameters, their gradients and the scratch memory are this one's."""
        twin = copy.copy(self)
        twin._kept = {}
        return twin

    def share_scratch(self, other: "Layer") -> None:
        """Use the scratch memory of the same layer of another replica, in the same thread."""
        self._scratch = other._scratch

    def keep(self, name: str, shape: Shape, dtype: Any) -> Array:
        """Return a reused array for what ``backward`` needs."""
        return _reused(self._kept, name, shape, dtype)

    def scratch(self, name: str, shape: Shape, dtype: Any) -> Array:
        """Return a reused array for what nobody needs after the next layer; at first of zeros."""
        return _reused(self._scratch, name, shape, dtype)

    def outputs(self, shape: Shape, dtype: Any) -> Array:
        """Return the array to fill with outputs, kept if any layer's ``backward`` reads them."""
        buffers = self._kept if self.keeps_outputs else self._scratch
        return _reused(buffers, "outputs", shape, dtype)


def _reused(buffers: dict[str, Array], name: str, shape: Shape, dtype: Any) -> Array:
    """A smaller batch gets the front of a larger one's memory."""
    held = buffers.get(name)
    if held is not None and held.shape == shape:
        return held
    memory, size = buffers.get(f"{name} memory"), math.prod(shape)
    if memory is None or len(memory) < size:
        memory = buffers[f"{name} memory"] = aligned_zeros(size, dtype)
    held = buffers[name] = memory[:size].reshape(shape)
    return held
