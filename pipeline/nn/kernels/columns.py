"""Convolution as one matrix product, for any kernel, stride and padding."""

import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from pipeline.nn.arrays import Array

Pair = tuple[int, int]


class ColumnConvolution:
    """Lays what each output sees in a row of a matrix ("im2col") and multiplies it by the weights.

    input_shape: (H, W, C).  kernel, stride, padding: each (rows, columns).
    Source: Chellapilla et al. 2006, "High performance convolutional neural networks".
    """

    def __init__(
        self, input_shape: tuple[int, int, int], *, kernel: Pair, stride: Pair, padding: Pair
    ) -> None:
        self.height, self.width, self.channels = input_shape
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.rows, self.columns = (
            (size + 2 * pad - taps) // step + 1
            for size, pad, taps, step in zip(input_shape[:2], padding, kernel, stride, strict=True)
        )
        self.taps = kernel[0] * kernel[1] * self.channels
        # Of one image: the columns, with one of ones at the end, whose weight is the bias.
        self.scratch_values = self.rows * self.columns * (self.taps + 1)
        self._workspaces: dict[tuple[int, Any], _Workspace] = {}

    def begin_forward(self, weight: Array, bias: Array) -> None:
        """Take the weights (kernel rows, kernel columns, C, filters) of the coming blocks."""
        self._weights = np.concatenate([weight.reshape(self.taps, -1), bias[np.newaxis]])

    def forward(self, images: Array, outputs: Array) -> None:
        """Fill outputs (n, rows, columns, filters) for images (n, H, W, C)."""
        work = self._lay_out(images)
        np.matmul(work.columns, self._weights, out=outputs.reshape(-1, outputs.shape[-1]))

    def begin_backward(self) -> None:
        """Begin a new sum of gradients."""
        self._grad_weights = np.zeros_like(self._weights)

    def backward(self, images: Array, grad_outputs: Array, grad_images: Array | None) -> None:
        """Add to the sum of the parameters' gradients; fill grad_images unless it is None.

        With X the columns and G = dL/dy as rows, y = X W is a dense layer (see there):
        dL/dW = X^T G, with the bias as the last row of W, and dL/dX = G W^T. A pixel stands in
        as many columns as there are outputs that see it; its gradient is the sum of theirs.
        """
        gradient = grad_outputs.reshape(-1, grad_outputs.shape[-1])
        work = self._lay_out(images)
        self._grad_weights += work.columns.T @ gradient
        if grad_images is None:
            return
        grad_columns = gradient @ self._weights[:-1].T
        work.grad_padded[...] = 0.0
        for window, column in self._windows(work.grad_padded, grad_columns):
            np.add(window, column, out=window)
        grad_images[...] = self._inside(work.grad_padded)

    def end_backward(self, grad_weight: Array, grad_bias: Array) -> None:
        """Fill the parameters' gradients from the sum."""
        grad_weight[...] = self._grad_weights[:-1].reshape(grad_weight.shape)
        grad_bias[...] = self._grad_weights[-1]

    def _lay_out(self, images: Array) -> "_Workspace":
        """Fill the columns with what each output sees."""
        key = (len(images), images.dtype)
        if key not in self._workspaces:
            self._workspaces[key] = _Workspace(self, *key)
        work = self._workspaces[key]
        if any(self.padding):
            self._inside(work.padded)[...] = images
            images = work.padded
        np.copyto(work.taps, self._seen(images))
        return work

    def _seen(self, images: Array) -> Array:
        """Return a view (n, rows, columns, kernel rows, kernel columns * C) of what outputs see.

        Neighbouring taps of a row of the kernel lie side by side in memory: runs that are copied
        in one go.
        """
        images = np.ascontiguousarray(images)
        # Not the array's own strides: NumPy leaves those of an axis of length 1 at any value.
        value = images.itemsize
        pixel = value * images.shape[3]
        row = pixel * images.shape[2]
        image = row * images.shape[1]
        down, across = self.stride
        return as_strided(
            images,
            (len(images), self.rows, self.columns, self.kernel[0], self.kernel[1] * self.channels),
            (image, row * down, pixel * across, row, value),
            writeable=False,
        )

    def _windows(self, images: Array, columns: Array) -> list[tuple[Array, Array]]:
        """For each tap of the kernel: the pixels that it meets, and their place in the columns."""
        grid = (len(images), self.rows, self.columns)
        taps = columns.reshape(*grid, *self.kernel, self.channels)
        down, across = self.stride
        return [
            (
                images[
                    :,
                    row : row + down * (self.rows - 1) + 1 : down,
                    column : column + across * (self.columns - 1) + 1 : across,
                ],
                taps[:, :, :, row, column],
            )
            for row, column in np.ndindex(*self.kernel)
        ]

    def _inside(self, padded: Array) -> Array:
        down, across = self.padding
        return padded[:, down : down + self.height, across : across + self.width]


class _Workspace:
    """The scratch arrays for so many images."""

    def __init__(self, method: ColumnConvolution, count: int, dtype: Any) -> None:
        grid = (count, method.rows, method.columns)
        self.columns = np.ones((math.prod(grid), method.taps + 1), dtype)
        down, across = method.kernel
        self.taps = self.columns[:, :-1].reshape(*grid, down, across * method.channels)
        down, across = method.padding
        padded = (count, method.height + 2 * down, method.width + 2 * across, method.channels)
        self.padded = np.zeros(padded, dtype)
        self.grad_padded = np.empty(padded, dtype)
