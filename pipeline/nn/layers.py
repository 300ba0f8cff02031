"""The layers of a dense network: each one's forward and backward pass side by side."""

import math
from typing import Any

import numpy as np

from pipeline.nn.arrays import MAPS, Array
from pipeline.nn.base import Layer, Parameter, Shape
from pipeline.nn.initializers import Constant, He, make_initializer


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
        # Read as an integer, an output is 0 or positive as well, and the lesser of it and 1 is its
        # slope. A gradient's bits times that are the gradient or 0: half the time of a comparison
        # and a product with truth values, which NumPy would have to convert.
        integer = np.dtype(f"i{grad_output.itemsize}")
        ones = self.scratch("ones", grad_output.shape, integer)
        ones[...] = 1
        slope = self.scratch("slope", grad_output.shape, integer)
        np.minimum(self._outputs.view(integer), ones, out=slope)
        np.multiply(grad_output.view(integer), slope, out=grad_input.view(integer))
        return grad_input


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
            shape = (*(1,) * (inputs.ndim - 2), *inputs.shape[-2:])
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


class Flatten(Layer):
    """Maps (H, W, N, C) to features (N, H * W * C): image by image, pixel by pixel."""

    by_image = True
    reads_inputs = reads_outputs = False

    def build(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        if inputs.ndim != MAPS:
            return inputs
        height, width, images, channels = inputs.shape
        outputs = self.outputs((images, *self.output_shape), inputs.dtype)
        outputs.reshape(images, height, width, channels)[...] = inputs.transpose(2, 0, 1, 3)
        return outputs

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """The same numbers back in their places."""
        if not need_input or len(self.input_shape) != MAPS - 1:
            return grad_output if need_input else None
        height, width, channels = self.input_shape
        images = len(grad_output)
        grad_input = self.scratch(
            "grad_input", (height, width, images, channels), grad_output.dtype
        )
        grad_input[...] = grad_output.reshape(images, height, width, channels).transpose(1, 2, 0, 3)
        return grad_input
