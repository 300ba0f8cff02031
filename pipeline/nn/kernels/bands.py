"""Convolution of images with few channels: neighbouring outputs of a row as one.

The first layer sees one channel. Each output alone is a product with a handful of pixels and a
few filters, far too small a matrix for the processor, and each pixel is copied for every output
that sees it. Several neighbours together see little more than one of them does. As one wide
output they are a convolution with a wide kernel, in which the weights stand once for each of them,
shifted by the stride, with zeros elsewhere: a band. More is multiplied and less is copied.
"""

import numpy as np

from pipeline.nn.arrays import Array
from pipeline.nn.kernels.columns import ColumnConvolution, Pair


class BandConvolution:
    """A ``ColumnConvolution`` of ``together`` neighbouring outputs, which divides their number."""

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        *,
        kernel: Pair,
        stride: Pair,
        padding: Pair,
        together: int,
    ) -> None:
        self.kernel, self.stride, self.together = kernel, stride, together
        down, across = stride
        wide = (kernel[0], kernel[1] + (together - 1) * across)
        self._wide = ColumnConvolution(
            input_shape, kernel=wide, stride=(down, across * together), padding=padding
        )
        self._wide_shape = (*wide, input_shape[2], together)
        self.rows, self.columns = self._wide.rows, self._wide.columns * together
        self.scratch_values = self._wide.scratch_values

    def begin_forward(self, weight: Array, bias: Array) -> None:
        """Take the weights (kernel rows, kernel columns, C, filters) of the coming blocks."""
        filters = len(bias)
        band = np.zeros((*self._wide_shape, filters), weight.dtype)
        for part in self._parts(band):
            part[...] = weight
        shape = (*self._wide_shape[:3], self.together * filters)
        self._wide.begin_forward(band.reshape(shape), np.tile(bias, self.together))

    def forward(self, images: Array, outputs: Array) -> None:
        """Fill outputs (n, rows, columns, filters) for images (n, H, W, C)."""
        self._wide.forward(images, self._grouped(outputs))

    def begin_backward(self) -> None:
        """Begin a new sum of gradients."""
        self._wide.begin_backward()

    def backward(self, images: Array, grad_outputs: Array, grad_images: Array | None) -> None:
        """Add to the sum of the parameters' gradients; fill grad_images unless it is None."""
        self._wide.backward(images, self._grouped(grad_outputs), grad_images)

    def end_backward(self, grad_weight: Array, grad_bias: Array) -> None:
        """Fill the parameters' gradients: a weight's is the sum over its places in the band."""
        filters = len(grad_bias)
        band = np.empty((*self._wide_shape, filters), grad_weight.dtype)
        biases = np.empty((self.together, filters), grad_bias.dtype)
        shape = (*self._wide_shape[:3], self.together * filters)
        self._wide.end_backward(band.reshape(shape), biases.reshape(-1))
        np.sum(self._parts(band), axis=0, out=grad_weight)
        np.sum(biases, axis=0, out=grad_bias)

    def _parts(self, band: Array) -> list[Array]:
        """The places of the weights in the band, for each of the outputs together."""
        across = self.stride[1]
        return [
            band[:, output * across : output * across + self.kernel[1], :, output]
            for output in range(self.together)
        ]

    def _grouped(self, values: Array) -> Array:
        """(n, rows, columns, filters) as (n, rows, columns / together, together * filters)."""
        count, rows, columns, filters = values.shape
        return values.reshape(count, rows, columns // self.together, self.together * filters)
