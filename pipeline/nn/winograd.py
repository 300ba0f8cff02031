"""Convolution with kernels of three rows in two thirds of the multiplications.

Two outputs, one below the other, see four rows of the input through three rows of weights: six
products. Winograd's minimal filtering F(2, 3) needs four. With inputs d0..d3 and weights g0..g2:

    t0 = d0 - d2    u0 = g0                   m = t * u    y0 = m0 + m1 + m2
    t1 = d1 + d2    u1 = (g0 + g1 + g2) / 2                y1 = m1 - m2 - m3
    t2 = d2 - d1    u2 = (g0 - g1 + g2) / 2
    t3 = d1 - d3    u3 = g2

y0 = d0 g0 + d1 g1 + d2 g2 and y1 = d1 g0 + d2 g1 + d3 g2, as multiplying out shows. Here each d
and t is a row of pixels, each u the weights of one row of the kernel, and each product a
convolution along the row. The small matrices INPUT, WEIGHT and OUTPUT say the same: t = INPUT d,
u = WEIGHT g, y = OUTPUT m. Multiplying by such a matrix takes a quarter of the time of adding
arrays up in NumPy, since it reads all rows once and writes nothing in between.

Along the row no copies are needed either. Three neighbouring pixels of C channels lie side by side
in memory: they are a row of a matrix. The windows that begin at pixels 0, 3, 6, ... do not
overlap and together are a matrix over the pixels as they are; those that begin at 1, 4, 7, ... and
at 2, 5, 8, ... are two more. The windows that reach over the end of a row of pixels give values
that nobody reads.

Source: Lavin and Gray 2016, arXiv:1509.09308, section 4.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from pipeline.nn.initializers import Array

KERNEL_ROWS = 3
INPUT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float64)
WEIGHT = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float64)
OUTPUT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float64)
# A fifth row holds the bias, which each output contains once.
OUTPUT_WITH_BIAS = np.column_stack([OUTPUT, [1, 1]])


class RowWinograd:
    """Convolution of stride 1 with kernels of 3 rows and any number of columns.

    input_shape: (H, W, C).  padding: (rows, columns).
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        *,
        kernel_columns: int,
        filters: int,
        padding: tuple[int, int],
    ) -> None:
        self.height, self.width, self.channels = input_shape
        self.taps = kernel_columns
        self.filters = filters
        self.padding = padding
        self.rows = self.height + 2 * padding[0] - KERNEL_ROWS + 1
        self.columns = self.width + 2 * padding[1] - kernel_columns + 1
        self.pairs = (self.rows + 1) // 2
        self.padded_width = self.width + 2 * padding[1]
        # Of one image: what is transformed, and the products.
        self.scratch_values = 4 * self.pairs * self.padded_width * (self.channels + filters)
        self._workspaces: dict[tuple[int, Any], _Workspace] = {}

    def begin_forward(self, weight: Array, bias: Array) -> None:
        """Transform the weights (3, kernel columns, C, filters), once for all blocks of images."""
        dtype = weight.dtype
        self._weights = np.tensordot(WEIGHT.astype(dtype), weight, 1).reshape(4, -1, self.filters)
        self._bias = bias
        self._input, self._output = INPUT.astype(dtype), OUTPUT.astype(dtype)
        self._output_with_bias = OUTPUT_WITH_BIAS.astype(dtype)
        for work in self._workspaces.values():
            work.products[4] = bias

    def forward(self, images: Array, outputs: Array) -> None:
        """Fill outputs (n, rows, columns, filters) for images (n, H, W, C)."""
        work = self._workspace(images)
        np.matmul(self._input, self._four_rows(images, work), out=work.image_groups)
        for windows, products in zip(work.image_windows, work.product_residues, strict=True):
            np.matmul(windows, self._weights, out=products)
        pairs = self._in_pairs(outputs, work)
        np.matmul(self._output_with_bias, work.product_groups, out=pairs)
        if self.rows % 2:
            outputs[...] = work.pairs[:, : self.rows]

    def begin_backward(self) -> None:
        """Turn the weights round, and begin new sums of gradients."""
        weights = self._weights.reshape(4, self.taps, self.channels, self.filters)
        turned = np.ascontiguousarray(weights[:, ::-1].transpose(0, 1, 3, 2))
        self._turned_weights = turned.reshape(4, -1, self.channels)
        self._grad_weights = np.zeros_like(self._weights)
        self._product = np.empty_like(self._weights)
        self._grad_bias = np.zeros(self.filters, self._weights.dtype)

    def backward(self, images: Array, grad_outputs: Array, grad_images: Array | None) -> None:
        """Add to the sums of the parameters' gradients; fill grad_images unless it is None.

        Every step of the forward pass is linear in images and in weights, so each one's
        derivative is its transpose. With G = dL/dy, from y = OUTPUT m:  dL/dm = OUTPUT^T G.
        From m = t u over all windows:  dL/du = t^T dL/dm, and dL/dt = dL/dm u^T, where the pixel
        p is tap k of the window that begins at p - k, so that its gradient is again a product of
        windows, those that end at p, with the taps turned round. From t = INPUT d and
        u = WEIGHT g:  dL/dd = INPUT^T dL/dt, and dL/dg = WEIGHT^T dL/du. The bias is in both
        outputs of a pair, of which m1 is the sum: dL/db is the sum of dL/dm1.
        """
        work = self._workspace(images)
        np.matmul(self._input, self._four_rows(images, work), out=work.image_groups)
        pairs = self._in_pairs(grad_outputs, work)
        if self.rows % 2:
            work.pairs[:, : self.rows] = grad_outputs
            work.pairs[:, self.rows :] = 0.0
        np.matmul(self._output.T, pairs, out=work.grad_groups)
        for windows, residues in zip(work.image_windows, work.grad_residues, strict=True):
            np.matmul(windows.transpose(0, 2, 1), residues, out=self._product)
            self._grad_weights += self._product
        self._grad_bias += work.ones @ work.grad_products[1]
        if grad_images is None:
            return
        for windows, residues in zip(work.grad_windows, work.grad_image_residues, strict=True):
            np.matmul(windows, self._turned_weights, out=residues)
        # The rows 2i and 2i + 1 are the first two of pair i and the last two of pair i - 1.
        padded = work.grad_padded if work.pads else grad_images
        rows = padded.reshape(len(images), self.pairs + 1, 2, -1)
        np.matmul(self._input.T[:2], work.grad_image_groups, out=rows[:, :-1])
        rows[:, -1] = 0.0
        np.matmul(self._input.T[2:], work.grad_image_groups, out=work.last_two)
        rows[:, 1:] += work.last_two
        if work.pads:
            grad_images[...] = self._inside(padded)

    def end_backward(self, grad_weight: Array, grad_bias: Array) -> None:
        """Fill the gradients of the weights g and the bias from the sums."""
        grad_weights = self._grad_weights.reshape(4, *grad_weight.shape[1:])
        grad_weight[...] = np.tensordot(WEIGHT.T.astype(grad_weights.dtype), grad_weights, 1)
        grad_bias[...] = self._grad_bias

    def _four_rows(self, images: Array, work: "_Workspace") -> Array:
        """For each pair of outputs the four rows that it sees: (n, pairs, 4, width * C)."""
        if work.pads:
            self._inside(work.padded)[...] = images
            images = work.padded
        image, row, _, value = images.strides
        return as_strided(
            images,
            (len(images), self.pairs, 4, self.padded_width * self.channels),
            (image, 2 * row, row, value),
        )

    def _in_pairs(self, outputs: Array, work: "_Workspace") -> Array:
        """Outputs or their gradients as (n, pairs, 2, columns * filters); with an odd number of
        rows, scratch memory of that shape."""
        if self.rows % 2:
            outputs = work.pairs
        return outputs.reshape(len(outputs), self.pairs, 2, -1)

    def _inside(self, padded: Array) -> Array:
        down, across = self.padding
        return padded[:, down : down + self.height, across : across + self.width]

    def _workspace(self, images: Array) -> "_Workspace":
        key = (len(images), images.dtype)
        if key not in self._workspaces:
            self._workspaces[key] = _Workspace(self, *key)
            self._workspaces[key].products[4] = self._bias
        return self._workspaces[key]


class _Workspace:
    """The scratch arrays for so many images, and the views of them that are multiplied.

    As one line of pixels, the rows of all pairs are (4, pixels, values). A line is longer than
    that, by what makes it a whole number of windows, and by what these reach over its end. The
    same four rows pair by pair, as ``_groups``, are (n, pairs, 4, width * values).
    """

    def __init__(self, method: RowWinograd, count: int, dtype: Any) -> None:
        taps, channels, filters = method.taps, method.channels, method.filters
        grid = (count, method.pairs, method.padded_width)
        pixels = count * method.pairs * method.padded_width
        windows = -(-pixels // taps)
        length = windows * taps
        reach = taps - 1
        outputs = method.columns * filters  # of one row, without what reaches over its end

        line = np.zeros((4, length + reach, channels), dtype)
        self.image_groups = _groups(line[:, :pixels], grid)
        self.image_windows = _windows(line, windows, taps)

        self.products = np.zeros((5, length, filters), dtype)
        self.product_groups = _groups(self.products[:, :pixels], grid)[..., :outputs]
        self.product_residues = _residues(self.products[:4], taps)

        # Zero where no output is: at the ends of the rows, and before the first one, where the
        # windows begin that end at the first pixels.
        line = np.zeros((4, reach + length, filters), dtype)
        self.grad_products = line[:, reach:]
        self.grad_groups = _groups(self.grad_products[:, :pixels], grid)[..., :outputs]
        self.grad_residues = _residues(self.grad_products, taps)
        self.grad_windows = _windows(line, windows, taps)
        self.ones = np.ones(length, dtype)

        line = np.empty((4, length, channels), dtype)
        self.grad_image_groups = _groups(line[:, :pixels], grid)
        self.grad_image_residues = _residues(line, taps)
        self.last_two = np.empty((*grid[:2], 2, method.padded_width * channels), dtype)

        needed = (2 * method.pairs + 2, method.padded_width)
        self.pads = needed != (method.height, method.width)
        self.padded = np.zeros((count if self.pads else 0, *needed, channels), dtype)
        self.grad_padded = np.empty_like(self.padded)
        odd = count if method.rows % 2 else 0
        self.pairs = np.zeros((odd, 2 * method.pairs, method.columns, filters), dtype)


def _groups(line: Array, grid: tuple[int, int, int]) -> Array:
    """(4, pixels, values) as (n, pairs, 4, width * values)."""
    images, pairs, width = grid
    return line.reshape(len(line), images, pairs, width * line.shape[-1]).transpose(1, 2, 0, 3)


def _windows(line: Array, windows: int, taps: int) -> list[Array]:
    """For each residue r: the windows that begin at r, r + taps, ... as (4, windows, taps * C)."""
    return [
        line[:, first : first + windows * taps].reshape(4, windows, -1) for first in range(taps)
    ]


def _residues(line: Array, taps: int) -> list[Array]:
    """For each residue r: the pixels r, r + taps, ... as (4, windows, values)."""
    by_window = line.reshape(4, -1, taps, line.shape[-1])
    return [by_window[:, :, residue] for residue in range(taps)]
