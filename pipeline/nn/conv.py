"""The convolutional layer: the same few weights at every place of the image."""

from typing import Any

import numpy as np

from pipeline.nn.arrays import Array
from pipeline.nn.base import Layer, Parameter, Shape
from pipeline.nn.initializers import Constant, He, make_initializer
from pipeline.nn.kernels.columns import ColumnConvolution, Pair
from pipeline.nn.kernels.winograd import KERNEL, TileConvolution

# Below so many channels Winograd's products have rows too short to be worth it.
WINOGRAD_CHANNELS = 8


class Conv2D(Layer):
    """y[i, j] = b + the sum over the kernel's taps of x[i s + k - p, j s + l - p] W[k, l]

    for each image, with stride s, padding p, x (H, W, N, C), W (kernel rows, kernel columns, C,
    filters), b (filters), and zeros beyond the border. What is called convolution in this field is
    a correlation in mathematics: the kernel is not turned round.

    kernel, stride, padding: a number, or one each for rows and columns.
    Gradients add up over blocks of images: ``blocks`` begins and ends each backward pass.
    """

    by_image = True
    reads_outputs = passes_inputs_on = False

    def __init__(
        self,
        filters: int,
        *,
        kernel: int | list[int] = 3,
        stride: int | list[int] = 1,
        padding: int | list[int] = 0,
        weight: dict[str, Any] | None = None,
        bias: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.filters = filters
        self.kernel, self.stride, self.padding = map(as_pair, (kernel, stride, padding))
        self.weight_initializer = make_initializer(weight) if weight else He()
        self.bias_initializer = make_initializer(bias) if bias else Constant(0.0)

    def build(self, input_shape: Shape) -> Shape:
        height, width, self.channels = image_shape(input_shape, "a convolution")
        shape = (height, width, self.channels)
        self._method: TileConvolution | ColumnConvolution
        if (
            self.kernel == (KERNEL, KERNEL)
            and self.stride == (1, 1)
            and self.channels >= WINOGRAD_CHANNELS
        ):
            self._method = TileConvolution(shape, filters=self.filters, padding=self.padding)
        else:
            self._method = ColumnConvolution(
                shape, kernel=self.kernel, stride=self.stride, padding=self.padding
            )
        if min(self._method.rows, self._method.columns) < 1:
            raise ValueError(
                f"a kernel of {self.kernel[0]}x{self.kernel[1]} does not fit into "
                f"{height}x{width} pixels"
            )
        return (self._method.rows, self._method.columns, self.filters)

    def parameters(self) -> list[Parameter]:
        shape = (*self.kernel, self.channels, self.filters)
        return [
            Parameter("weight", shape, self.weight_initializer, "weight"),
            Parameter("bias", (self.filters,), self.bias_initializer, "offset"),
        ]

    @property
    def values_at_once(self) -> int:
        return super().values_at_once + self._method.scratch_values

    def share_scratch(self, other: Layer) -> None:
        super().share_scratch(other)
        assert isinstance(other, Conv2D)
        self._method = other._method

    def bind(self, values: dict[str, Array], gradients: dict[str, Array]) -> None:
        super().bind(values, gradients)
        self._method.allocate(values["weight"].dtype)

    def share_prepared(self, other: Layer) -> None:
        assert isinstance(other, Conv2D)
        if isinstance(self._method, TileConvolution):
            assert isinstance(other._method, TileConvolution)
            self._method.share_weights(other._method)

    def prepare(self, part: int = 0, parts: int = 1) -> None:
        self._method.prepare(self.values["weight"], self.values["bias"], part, parts)

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        self._inputs = inputs
        images = inputs.shape[2]
        rows, columns, filters = self.output_shape
        outputs = self.outputs((rows, columns, images, filters), inputs.dtype)
        memory = self.keep if training else self.scratch
        self._for_backward = memory("for backward", self._method.kept(images), inputs.dtype)
        self._method.forward(inputs, outputs, self._for_backward)
        return outputs

    def begin_backward(self) -> None:
        self._method.begin_backward()

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """Derived where it is computed: in columns.py and winograd.py of kernels/."""
        grad_input = None
        if need_input:
            grad_input = self.scratch("grad_input", self._inputs.shape, grad_output.dtype)
        self._method.backward(self._inputs, grad_output, grad_input, self._for_backward)
        return grad_input

    def end_backward(self) -> None:
        self._method.end_backward(self.gradients["weight"], self.gradients["bias"])


def as_pair(value: int | list[int]) -> Pair:
    """Return (rows, columns) of a setting that may be one number for both."""
    if isinstance(value, int):
        return (value, value)
    rows, columns = value
    return (rows, columns)


def image_shape(input_shape: Shape, who: str) -> tuple[int, int, int]:
    """Return (H, W, C), or raise ValueError naming the layer that got something else."""
    if len(input_shape) != 3:
        raise ValueError(f"{who} takes (H, W, C), got {input_shape}")
    height, width, channels = input_shape
    return height, width, channels
