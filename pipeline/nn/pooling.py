"""Layers that make an image smaller: the largest or the mean of some pixels, or a border less."""

import numpy as np

from pipeline.nn.arrays import Array
from pipeline.nn.base import Layer, Shape
from pipeline.nn.conv import as_pair, image_shape
from pipeline.nn.kernels.columns import Pair


class Pooling(Layer):
    """What both kinds share: windows of ``size`` pixels, ``stride`` apart, first down, then across.

    size, stride: a number, or one each for rows and columns; the stride is the size by default.
    What is left at the right and lower border, less than a window, is not seen.
    """

    by_image = True
    reads_inputs = reads_outputs = passes_inputs_on = False

    def __init__(self, size: int | list[int] = 2, *, stride: int | list[int] | None = None) -> None:
        super().__init__()
        self.size: Pair = as_pair(size)
        self.stride: Pair = self.size if stride is None else as_pair(stride)

    def build(self, input_shape: Shape) -> Shape:
        height, width, channels = image_shape(input_shape, "pooling")
        rows, columns = (
            (length - taps) // step + 1
            for length, taps, step in zip((height, width), self.size, self.stride, strict=True)
        )
        if min(rows, columns) < 1:
            raise ValueError(
                f"a window of {self.size[0]}x{self.size[1]} does not fit into "
                f"{height}x{width} pixels"
            )
        self._rows, self._width = rows, width
        return (rows, columns, channels)

    def _taps(self, images: Array, axis: int) -> list[Array]:
        """The first pixel of each window along this axis (0 down, 1 across), the second, ..."""
        taps, step = self.size[axis], self.stride[axis]
        count = (images.shape[axis] - taps) // step + 1
        before = (slice(None),) * axis
        return [
            images[(*before, slice(tap, tap + step * (count - 1) + 1, step))] for tap in range(taps)
        ]


class MaxPool2D(Pooling):
    """y = the largest value of each window: the largest of its rows' largest."""

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        self._input_shape = inputs.shape
        self._later_wins: dict[int, list[Array]] = {}
        return self._largest(self._largest(inputs, axis=0), axis=1)

    def _largest(self, images: Array, axis: int) -> Array:
        first, *others = self._taps(images, axis)
        if axis == 0:
            largest = self.scratch("largest of rows", first.shape, images.dtype)
        else:
            largest = self.outputs(first.shape, images.dtype)
        self._later_wins[axis] = []
        for tap, other in enumerate(others):
            wins = self.keep(f"wins {axis} {tap}", first.shape, np.bool_)
            np.greater(other, largest if tap else first, out=wins)
            np.maximum(other, largest if tap else first, out=largest)
            self._later_wins[axis].append(wins)
        if not others:
            np.copyto(largest, first)
        return largest

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """The largest value of a window takes its gradient; of equal ones, the first."""
        if not need_input:
            return None
        between = (self._rows, self._width, *grad_output.shape[2:])
        return self._spread(self._spread(grad_output, between, axis=1), self._input_shape, axis=0)

    def _spread(self, gradient: Array, shape: Shape, axis: int) -> Array:
        """Give each window's gradient to the one of its values that has won."""
        grad_images = self.scratch(f"grad_images {axis}", shape, gradient.dtype)
        size, stride = self.size[axis], self.stride[axis]
        taps, later_wins = self._taps(grad_images, axis), self._later_wins[axis]
        # Windows that lie side by side and leave no border write to every pixel.
        tiled = stride == size > 1 and shape[axis] == size * gradient.shape[axis]
        if not tiled:
            grad_images[...] = 0.0
        # From the last value to the first: each takes what no later one has won.
        for tap in range(size - 1, 0, -1):
            # Where windows lie apart, what is won and what is left are written into place.
            won = left = None
            if stride >= size:
                won, left = taps[tap], taps[0] if tap == 1 else None
            # Turned into numbers first, since a product with truth values takes twice as long.
            share = self.scratch(f"share {axis}", gradient.shape, gradient.dtype)
            np.copyto(share, later_wins[tap - 1])
            won = np.multiply(gradient, share, out=won)
            if stride < size:
                taps[tap] += won
            gradient = np.subtract(gradient, won, out=left)
        if stride < size or size == 1:
            taps[0] += gradient
        return grad_images


class AvgPool2D(Pooling):
    """y = the mean of each window."""

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        self._input_shape = inputs.shape
        means = self._sum(self._sum(inputs, axis=0), axis=1)
        means *= inputs.dtype.type(1.0 / (self.size[0] * self.size[1]))
        return means

    def _sum(self, images: Array, axis: int) -> Array:
        first, *others = self._taps(images, axis)
        if axis == 0:
            total = self.scratch("sum of rows", first.shape, images.dtype)
        else:
            total = self.outputs(first.shape, images.dtype)
        np.copyto(total, first)
        for other in others:
            total += other
        return total

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """Each of a window's m values has dy/dx = 1 / m; windows that overlap add up."""
        if not need_input:
            return None
        between = (self._rows, self._width, *grad_output.shape[2:])
        across = self.scratch("across", between, grad_output.dtype)
        across[...] = 0.0
        share = grad_output.dtype.type(1.0 / (self.size[0] * self.size[1]))
        for tap in self._taps(across, 1):
            np.add(tap, grad_output * share, out=tap)
        grad_input = self.scratch("grad_input", self._input_shape, grad_output.dtype)
        grad_input[...] = 0.0
        for tap in self._taps(grad_input, 0):
            np.add(tap, across, out=tap)
        return grad_input


class GlobalAvgPool(Layer):
    """(H, W, N, C) to (N, C): the mean of each channel over the whole image."""

    by_image = True
    reads_inputs = reads_outputs = passes_inputs_on = False

    def build(self, input_shape: Shape) -> Shape:
        self._height, self._width, channels = image_shape(input_shape, "global pooling")
        return (channels,)

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        outputs = self.outputs(inputs.shape[2:], inputs.dtype)
        return np.mean(inputs, axis=(0, 1), out=outputs)

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """Each of an image's m pixels has dy/dx = 1 / m."""
        if not need_input:
            return None
        shape = (self._height, self._width, *grad_output.shape)
        grad_input = self.scratch("grad_input", shape, grad_output.dtype)
        grad_input[...] = grad_output * grad_output.dtype.type(1.0 / (self._height * self._width))
        return grad_input


class Crop2D(Layer):
    """(H, W, N, C) to (H - 2 pixels, W - 2 pixels, N, C): the same number off every side.

    The digits lie in the middle, and the border, mostly empty, costs as much as they do.
    """

    by_image = True
    reads_inputs = reads_outputs = passes_inputs_on = False

    def __init__(self, pixels: int) -> None:
        super().__init__()
        if pixels < 1:
            raise ValueError(f"a crop takes at least 1 pixel off, got {pixels}")
        self.pixels = pixels

    def build(self, input_shape: Shape) -> Shape:
        height, width, channels = image_shape(input_shape, "a crop")
        cropped = (height - 2 * self.pixels, width - 2 * self.pixels, channels)
        if min(cropped) < 1:
            raise ValueError(f"a crop by {self.pixels} leaves nothing of {height}x{width} pixels")
        return cropped

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        self._input_shape = inputs.shape
        inside = self._inside(inputs)
        outputs = self.outputs(inside.shape, inputs.dtype)
        outputs[...] = inside
        return outputs

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """A pixel that is left away does not matter: its gradient is 0, the others' is passed."""
        if not need_input:
            return None
        grad_input = self.scratch("grad_input", self._input_shape, grad_output.dtype)
        grad_input[...] = 0.0
        self._inside(grad_input)[...] = grad_output
        return grad_input

    def _inside(self, images: Array) -> Array:
        inside = slice(self.pixels, -self.pixels)
        return images[inside, inside]
