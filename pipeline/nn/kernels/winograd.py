"""Convolution with kernels of three by three in a quarter of the multiplications.

Four outputs in a row see six inputs through three weights: twelve products. Winograd's minimal
filtering F(4, 3) needs six. With inputs d0..d5, weights g0..g2 and outputs y0..y3, where
y_i = d_i g0 + d_i+1 g1 + d_i+2 g2, and the matrices below:

    t = INPUT d    u = WEIGHT g    m = t * u, each of the six by itself    y = OUTPUT m

Where the matrices come from: multiplying two polynomials is the same as multiplying their values
at enough points and finding the polynomial through these; the points are 0, 1, -1, 2, -2 and
infinity (the leading coefficient). WEIGHT holds the powers of each point, divided by what the
interpolation would divide by, and a correlation is the transpose of such a product. In float32 the
results are off by some millionths.

Down the image and across it, the same twice: a tile of 4 x 4 outputs sees 6 x 6 pixels, which
become 36 values, each with weights of its own: 36 products instead of 144. One of the 36 is, over
all tiles, images and channels, a matrix, and its weights are another one.

Maps are (H, W, N, C), so that a transform is a product of one small matrix with lines of N x C
values, or of W x N x C: no pixel is copied to where a product needs it. A pixel beyond the border
is zero, and the column that it would meet is left out.

Source: Lavin and Gray 2016, arXiv:1509.09308, section 4.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.nn.arrays import Array, aligned_zeros, shared_zeros

KERNEL = 3
OUTPUTS = 4  # of a tile, along one axis
SEEN = OUTPUTS + KERNEL - 1  # pixels that they see
INPUT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    np.float64,
)
WEIGHT = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
OUTPUT = np.array(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ],
    np.float64,
)
# The column of OUTPUT that is all ones: what is added to this product is added to each output.
EVERY = 1


@dataclass(frozen=True)
class _Tile:
    """Where a tile lies along one axis, and the parts of the matrices that are not cut off."""

    seen: slice
    written: slice
    input: Array  # (6, pixels seen)
    output: Array  # (outputs written, 6)


class _Line:
    """The tiles along one axis: what lies between pixels, or outputs, and tiles.

    Arrays are (..., pixels or outputs, values) and (..., 6, tiles, values).
    """

    def __init__(self, size: int, padding: int, dtype: Any) -> None:
        self.outputs = size + 2 * padding - KERNEL + 1
        self.tiles = []
        for first in range(0, self.outputs, OUTPUTS):
            start = first - padding
            low, high = max(start, 0), min(start + SEEN, size)
            last = min(first + OUTPUTS, self.outputs)
            matrix = np.ascontiguousarray(INPUT[:, low - start : high - start], dtype)
            outputs = np.ascontiguousarray(OUTPUT[: last - first], dtype)
            self.tiles.append(_Tile(slice(low, high), slice(first, last), matrix, outputs))

    def take_in(self, pixels: Array, tiles: Array) -> None:
        """t = INPUT d."""
        for number, tile in enumerate(self.tiles):
            np.matmul(tile.input, pixels[..., tile.seen, :], out=tiles[..., number, :])

    def put_out(self, tiles: Array, outputs: Array) -> None:
        """y = OUTPUT m."""
        for number, tile in enumerate(self.tiles):
            np.matmul(tile.output, tiles[..., number, :], out=outputs[..., tile.written, :])

    def put_out_back(self, grad_outputs: Array, grad_tiles: Array) -> None:
        """dL/dm = OUTPUT^T dL/dy."""
        for number, tile in enumerate(self.tiles):
            grad = grad_outputs[..., tile.written, :]
            np.matmul(tile.output.T, grad, out=grad_tiles[..., number, :])

    def take_in_back(self, grad_tiles: Array, grad_pixels: Array) -> None:
        """dL/dd = INPUT^T dL/dt, where tiles that see the same pixel add up."""
        done = 0
        for number, tile in enumerate(self.tiles):
            shared = grad_pixels[..., tile.seen.start : done, :]
            before = shared.copy()
            grad = grad_pixels[..., tile.seen, :]
            np.matmul(tile.input.T, grad_tiles[..., number, :], out=grad)
            shared += before
            done = tile.seen.stop


class TileConvolution:
    """Convolution of stride 1 with kernels of 3 x 3.

    input_shape: (H, W, C).  padding: (rows, columns).
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        *,
        filters: int,
        padding: tuple[int, int],
    ) -> None:
        self.height, self.width, self.channels = input_shape
        self.filters = filters
        self.padding = padding
        self.rows = self.height + 2 * padding[0] - KERNEL + 1
        self.columns = self.width + 2 * padding[1] - KERNEL + 1
        self.tiles = (-(-self.rows // OUTPUTS), -(-self.columns // OUTPUTS))
        # Of one image: the tiles and their products.
        self.scratch_values = SEEN * SEEN * math.prod(self.tiles) * (self.channels + filters)
        self._workspaces: dict[tuple[int, Any], _Workspace] = {}

    def kept(self, images: int) -> tuple[int, ...]:
        """Return the shape of what the backward pass needs of so many images: their tiles."""
        return (SEEN, SEEN, *self.tiles, images, self.channels)

    def allocate(self, dtype: Any) -> None:
        """Make the arrays that have the weights' size, once: new ones are slow to write to."""
        shape = (SEEN * SEEN, self.channels, self.filters)
        self._matrix = WEIGHT.astype(dtype)
        self._half_weights = aligned_zeros((KERNEL, SEEN, self.channels * self.filters), dtype)
        self._weights = shared_zeros(shape, dtype)
        self._turned_weights = shared_zeros((shape[0], *shape[:0:-1]), dtype)
        self._grad_weights = aligned_zeros(shape, dtype)
        self._product = aligned_zeros(shape, dtype)

    def share_weights(self, other: "TileConvolution") -> None:
        """Use what the other one has made of the weights, which another process may do."""
        self._weights, self._turned_weights = other._weights, other._turned_weights

    def prepare(self, weight: Array, bias: Array, part: int = 0, parts: int = 1) -> None:
        """Transform the weights (3, 3, C, filters), once for all passes until they change.

        part, parts: of the input channels, only one of so many parts.
        """
        own = slice(self.channels * part // parts, self.channels * (part + 1) // parts)
        taps = weight[:, :, own]
        self._transform(taps, self._weights[:, own])
        self._transform(taps.transpose(0, 1, 3, 2), self._turned_weights[:, :, own])
        self._bias = bias

    def _transform(self, taps: Array, transformed: Array) -> None:
        """u = WEIGHT g, across the kernel and then down it; of (3, 3, ...) values, 36."""
        values = np.ascontiguousarray(taps).reshape(KERNEL, KERNEL, -1)
        half = self._half_weights.reshape(-1)[: KERNEL * SEEN * values.shape[2]]
        half = half.reshape(KERNEL, SEEN, -1)
        np.matmul(self._matrix, values, out=half)
        whole = transformed
        if not transformed.flags.c_contiguous:
            whole = self._product.reshape(-1)[: transformed.size].reshape(transformed.shape)
        np.matmul(self._matrix, half.reshape(KERNEL, -1), out=whole.reshape(SEEN, -1))
        if whole is not transformed:
            transformed[...] = whole

    def forward(self, images: Array, outputs: Array, tiles: Array) -> None:
        """Fill outputs (rows, columns, n, filters), and tiles, for images (H, W, n, C)."""
        work = self._workspace(images)
        work.down.take_in(images.reshape(self.height, -1), work.half_tiles)
        work.across.take_in(work.lines_of_tiles, _by_line(tiles))
        np.matmul(_by_value(tiles), self._weights, out=_by_value(work.products))
        work.products[EVERY, EVERY] += self._bias
        work.across.put_out(_by_line(work.products), work.lines_of_products)
        work.down.put_out(work.half_products, outputs.reshape(self.rows, -1))

    def begin_backward(self) -> None:
        """Begin new sums of gradients."""
        self._is_first = True
        self._grad_bias = np.zeros(self.filters, self._weights.dtype)

    def backward(
        self, images: Array, grad_outputs: Array, grad_images: Array | None, tiles: Array
    ) -> None:
        """Add to the sums of the parameters' gradients; fill grad_images unless it is None.

        Every step of the forward pass is linear in images and in weights, so each one's
        derivative is its transpose. With G = dL/dy, from y = OUTPUT m:  dL/dm = OUTPUT^T G.
        From m = t u, a product of matrices for each of the 36:  dL/du = t^T dL/dm, and
        dL/dt = dL/dm u^T. From t = INPUT d and u = WEIGHT g:  dL/dd = INPUT^T dL/dt, and
        dL/dg = WEIGHT^T dL/du. The bias is added to one of the 36, so the sum of that one's
        dL/dm is dL/db.
        """
        work = self._workspace(images)
        gradient = np.ascontiguousarray(grad_outputs).reshape(self.rows, -1)
        work.down.put_out_back(gradient, work.half_products)
        work.across.put_out_back(work.lines_of_products, _by_line(work.products))
        grad_products = _by_value(work.products)
        sums = self._grad_weights if self._is_first else self._product
        np.matmul(_by_value(tiles).transpose(0, 2, 1), grad_products, out=sums)
        if not self._is_first:
            self._grad_weights += self._product
        self._is_first = False
        self._grad_bias += work.products[EVERY, EVERY].sum(axis=(0, 1, 2))
        if grad_images is None:
            return
        np.matmul(grad_products, self._turned_weights, out=_by_value(work.grad_tiles))
        work.across.take_in_back(_by_line(work.grad_tiles), work.lines_of_tiles)
        work.down.take_in_back(work.half_tiles, grad_images.reshape(self.height, -1))

    def end_backward(self, grad_weight: Array, grad_bias: Array) -> None:
        """Fill the gradients of the weights g and the bias from the sums."""
        half = self._half_weights.reshape(SEEN, KERNEL, -1)
        np.matmul(self._matrix.T, self._grad_weights.reshape(SEEN, SEEN, -1), out=half)
        np.matmul(self._matrix.T, half.reshape(SEEN, -1), out=grad_weight.reshape(KERNEL, -1))
        grad_bias[...] = self._grad_bias

    def _workspace(self, images: Array) -> "_Workspace":
        key = (images.shape[2], images.dtype)
        if key not in self._workspaces:
            self._workspaces[key] = _Workspace(self, *key)
        return self._workspaces[key]


class _Workspace:
    """The scratch arrays for so many images, and the views of them that the lines go over."""

    def __init__(self, method: TileConvolution, count: int, dtype: Any) -> None:
        self.down = _Line(method.height, method.padding[0], dtype)
        self.across = _Line(method.width, method.padding[1], dtype)
        rows, columns = method.tiles
        channels, filters = count * method.channels, count * method.filters

        # Transformed down the image alone, as lines down and as lines across.
        self.half_tiles = aligned_zeros((SEEN, rows, method.width * channels), dtype)
        self.lines_of_tiles = self.half_tiles.reshape(SEEN, rows, method.width, channels)
        self.half_products = aligned_zeros((SEEN, rows, method.columns * filters), dtype)
        self.lines_of_products = self.half_products.reshape(SEEN, rows, method.columns, filters)

        self.products = aligned_zeros((SEEN, SEEN, rows, columns, count, method.filters), dtype)
        self.grad_tiles = aligned_zeros((SEEN, SEEN, rows, columns, count, method.channels), dtype)


def _by_value(tiles: Array) -> Array:
    """(6, 6, down, across, n, C) as 36 matrices of rows of C."""
    return tiles.reshape(SEEN * SEEN, -1, tiles.shape[-1])


def _by_line(tiles: Array) -> Array:
    """(6, 6, down, across, n, C) as lines across the image: (6, down, 6, across, n * C)."""
    return tiles.reshape(*tiles.shape[:4], -1).transpose(0, 2, 1, 3, 4)
