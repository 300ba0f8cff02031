"""Convolution as one matrix product, for any kernel, stride and padding."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.nn.arrays import Array, aligned_zeros

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
        self._padded_images: dict[tuple[int, Any], Array] = {}

    def kept(self, images: int) -> tuple[int, ...]:
        """Return the shape of what the backward pass needs of so many images: their columns.

        With one channel, the pixels of all images that a tap meets lie side by side, and so are
        copied as lines, if the matrix is laid out by its columns.
        """
        places, values = self.columns * images, self.taps + 1
        return (self.rows, values, places) if self.channels == 1 else (self.rows, places, values)

    def allocate(self, dtype: Any) -> None:
        """Nothing here lasts from step to step."""

    def prepare(self, weight: Array, bias: Array, part: int = 0, parts: int = 1) -> None:
        """Take the weights (kernel rows, kernel columns, C, filters) of the coming passes."""
        self._weights = np.concatenate([weight.reshape(self.taps, -1), bias[np.newaxis]])

    def forward(self, images: Array, outputs: Array, kept: Array) -> None:
        """Fill outputs (rows, columns, n, filters), and the columns, for images (H, W, n, C)."""
        columns = self._columns(kept)
        columns[..., -1] = 1.0
        if any(self.padding):
            padded = self._padded(images)
            self._inside(padded)[...] = images
            images = padded
        down, across = self.stride
        seen = sliding_window_view(images, self.kernel, axis=(0, 1))[::down, ::across]
        np.copyto(self._taps(columns), seen.transpose(0, 1, 2, 4, 5, 3))
        np.matmul(columns, self._weights, out=outputs.reshape(self.rows, -1, outputs.shape[3]))

    def begin_backward(self) -> None:
        """Begin a new sum of gradients."""
        self._grad_weights = np.zeros_like(self._weights)

    def backward(
        self, images: Array, grad_outputs: Array, grad_images: Array | None, kept: Array
    ) -> None:
        """Add to the sum of the parameters' gradients; fill grad_images unless it is None.

        With X the columns and G = dL/dy as rows, y = X W is a dense layer (see there):
        dL/dW = X^T G, with the bias as the last row of W, and dL/dX = G W^T. A pixel stands in
        as many columns as there are outputs that see it; its gradient is the sum of theirs.
        """
        gradient = np.ascontiguousarray(grad_outputs).reshape(self.rows, -1, grad_outputs.shape[3])
        columns = self._columns(kept)
        self._grad_weights += np.matmul(columns.transpose(0, 2, 1), gradient).sum(axis=0)
        if grad_images is None:
            return
        grad_taps = self._taps(np.matmul(gradient, self._weights.T))
        padded = self._padded(images)
        padded[...] = 0.0
        down, across = self.stride
        for row, column in np.ndindex(*self.kernel):
            rows = slice(row, row + down * (self.rows - 1) + 1, down)
            columns_seen = slice(column, column + across * (self.columns - 1) + 1, across)
            padded[rows, columns_seen] += grad_taps[:, :, :, row, column]
        grad_images[...] = self._inside(padded)
        padded[...] = 0.0

    def end_backward(self, grad_weight: Array, grad_bias: Array) -> None:
        """Fill the parameters' gradients from the sum."""
        grad_weight[...] = self._grad_weights[:-1].reshape(grad_weight.shape)
        grad_bias[...] = self._grad_weights[-1]

    def _columns(self, kept: Array) -> Array:
        """What is kept as a matrix for each row of outputs: (rows, columns * n, taps + 1)."""
        return kept.transpose(0, 2, 1) if self.channels == 1 else kept

    def _taps(self, columns: Array) -> Array:
        """The columns without the ones, as (rows, columns, n, kernel rows, kernel columns, C)."""
        places = columns.reshape(self.rows, self.columns, -1, self.taps + 1)
        return places[..., :-1].reshape(*places.shape[:3], *self.kernel, self.channels)

    def _padded(self, images: Array) -> Array:
        """Scratch memory for the images and the zeros around them, which are there already."""
        height, width, count, channels = images.shape
        down, across = self.padding
        shape = (height + 2 * down, width + 2 * across, count, channels)
        key = (count, images.dtype)
        if key not in self._padded_images:
            self._padded_images[key] = aligned_zeros(shape, images.dtype)
        return self._padded_images[key]

    def _inside(self, padded: Array) -> Array:
        down, across = self.padding
        return padded[down : down + self.height, across : across + self.width]
