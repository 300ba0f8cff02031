"""The layers of a dense network: each one's forward and backward pass side by side."""

import copy
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pipeline.nn.arrays import Array
from pipeline.nn.initializers import Constant, He, Initializer, make_initializer

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

    def begin_forward(self) -> None:
        """Do what the blocks of one forward pass have in common (see ``blocks``)."""

    def begin_backward(self) -> None:
        """Do what the blocks of one backward pass have in common."""

    def end_backward(self) -> None:
        """Make the parameters' gradients of what the blocks have added up."""

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        """Return the outputs for a batch; the first dimension is N."""
        raise NotImplementedError

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """Overwrite the parameters' gradients, given the loss's gradient at the output.

        Returns the loss's gradient at the input, or None if ``need_input`` is false.
        """
        raise NotImplementedError

    def twin(self) -> "Layer":
        """Return the layer once more, for another part of the batch: what it keeps is its own,
        the parameters, their gradients and the scratch memory are this one's."""
        twin = copy.copy(self)
        twin._kept = {}
        return twin

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
    """A smaller batch gets the front of a larger one's array."""
    held = buffers.get(name)
    if held is None or held.shape[0] < shape[0] or held.shape[1:] != shape[1:]:
        held = buffers[name] = np.zeros(shape, dtype)
    return held[: shape[0]]


class Flatten(Layer):
    """(N, ...) to (N, features); the same numbers in the same order."""

    by_image = True
    reads_inputs = reads_outputs = False

    def build(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        self._input_shape = inputs.shape
        return inputs.reshape(len(inputs), -1)

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        return grad_output.reshape(self._input_shape) if need_input else None


class Dense(Layer):
    """y = x W + b, with x (N, inputs), W (inputs, units) and b (units)."""

    def __init__(
        self,
        units: int,
        *,
        weight: dict[str, Any] | None = None,
        bias: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.units = units
        self.weight_initializer = make_initializer(weight) if weight else He()
        self.bias_initializer = make_initializer(bias) if bias else Constant(0.0)

    def build(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ValueError(f"a dense layer takes (N, features), got (N, *{input_shape}): flatten")
        (self.inputs,) = input_shape
        return (self.units,)

    def parameters(self) -> list[Parameter]:
        return [
            Parameter("weight", (self.inputs, self.units), self.weight_initializer, "weight"),
            Parameter("bias", (self.units,), self.bias_initializer, "offset"),
        ]

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        self._inputs = inputs
        outputs = self.outputs((len(inputs), self.units), inputs.dtype)
        np.matmul(inputs, self.values["weight"], out=outputs)
        outputs += self.values["bias"]
        return outputs

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """With L the loss and G = dL/dy (N, units), from y_nj = sum_i x_ni W_ij + b_j:

        dL/dW_ij = sum_n x_ni G_nj,  so  dL/dW = x^T G
        dL/db_j  = sum_n G_nj        (one sum for each unit)
        dL/dx_ni = sum_j G_nj W_ij,  so  dL/dx = G W^T
        """
        np.matmul(self._inputs.T, grad_output, out=self.gradients["weight"])
        np.sum(grad_output, axis=0, out=self.gradients["bias"])
        if not need_input:
            return None
        grad_input = self.scratch("grad_input", self._inputs.shape, grad_output.dtype)
        return np.matmul(grad_output, self.values["weight"].T, out=grad_input)


class LeakyReLU(Layer):
    """y = x where x > 0, and slope * x elsewhere.

    Source: Maas et al. 2013, "Rectifier nonlinearities improve neural network acoustic models".
    """

    by_image = True
    reads_inputs = passes_inputs_on = False

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        if not 0.0 <= slope < 1.0:
            raise ValueError(f"the slope of a leaky rectifier is in [0, 1), got {slope}")
        self.slope = slope

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        outputs = self.outputs(inputs.shape, inputs.dtype)
        # A slope below 1 makes the larger of the two the right one on either side of zero.
        np.multiply(inputs, inputs.dtype.type(self.slope), out=outputs)
        np.maximum(inputs, outputs, out=outputs)
        self._outputs = outputs
        return outputs

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """dy/dx is 1 where x > 0 and slope elsewhere; y > 0 exactly where x > 0."""
        if not need_input:
            return None
        grad_input = self.scratch("grad_input", grad_output.shape, grad_output.dtype)
        positive = self.scratch("positive", grad_output.shape, np.bool_)
        np.greater(self._outputs, 0, out=positive)
        np.multiply(positive, grad_output.dtype.type(1.0 - self.slope), out=grad_input)
        grad_input += grad_output.dtype.type(self.slope)
        grad_input *= grad_output
        return grad_input


class ReLU(Layer):
    """y = max(x, 0)."""

    by_image = True
    reads_inputs = passes_inputs_on = False

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        self._outputs = self.outputs(inputs.shape, inputs.dtype)
        # Beside a whole array of zeros, NumPy's maximum takes a third of the time that it takes
        # beside the number 0.
        zeros = self.scratch("zeros", inputs.shape, inputs.dtype)
        return np.maximum(inputs, zeros, out=self._outputs)

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """dy/dx is 1 where y > 0 and 0 elsewhere (at x = 0 the subgradient 0 is taken)."""
        if not need_input:
            return None
        grad_input = self.scratch("grad_input", grad_output.shape, grad_output.dtype)
        positive = self.scratch("positive", grad_output.shape, np.bool_)
        np.greater(self._outputs, 0, out=positive)
        return np.multiply(grad_output, positive, out=grad_input)


class Dropout(Layer):
    """In training, zero each value with probability ``rate`` and scale the others up to match.

    The scale 1 / (1 - rate) keeps the expected value, so that prediction needs no correction.
    channels: zero whole feature maps instead, each of an image's channels with this probability;
    neighbouring pixels say much the same, so that zeroing single ones hides little.
    Source: Srivastava et al. 2014, section 10 ("inverted" form); Tompson et al. 2015,
    arXiv:1411.4280, section 3.2 (channels).
    """

    by_image = True
    reads_inputs = reads_outputs = False

    def __init__(self, rate: float, *, channels: bool = False) -> None:
        super().__init__()
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"a dropout rate is in [0, 1), got {rate}")
        self.rate = rate
        self.channels = channels

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        self._dropping = training and self.rate > 0.0
        if not self._dropping:
            return inputs
        if rng is None:
            raise ValueError("dropout needs rng=numpy.random.Generator in training")
        shape = inputs.shape
        if self.channels:
            shape = (len(inputs), *(1,) * (inputs.ndim - 2), inputs.shape[-1])
        # Sixteen random bits a value are enough for a rate in steps of 1/65536; drawn as whole
        # words of the generator they cost less than half of what float32 draws do.
        size = math.prod(shape)
        words = rng.integers(0, 2**64, -(-size // 4), dtype=np.uint64)
        draws = words.view(np.uint16)[:size].reshape(shape)
        kept = self.scratch("kept", shape, np.bool_)
        np.greater_equal(draws, round(self.rate * 65536), out=kept)
        self._mask = self.keep("mask", shape, inputs.dtype)
        np.multiply(kept, inputs.dtype.type(1.0 / (1.0 - self.rate)), out=self._mask)
        outputs = self.outputs(inputs.shape, inputs.dtype)
        return np.multiply(inputs, self._mask, out=outputs)

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """y = mask * x, so dL/dx = mask * dL/dy with the same mask."""
        if not need_input:
            return None
        if not self._dropping:
            return grad_output
        grad_input = self.scratch("grad_input", grad_output.shape, grad_output.dtype)
        return np.multiply(grad_output, self._mask, out=grad_input)
