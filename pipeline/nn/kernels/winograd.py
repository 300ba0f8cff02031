"""Convolution with kernels of three rows in half the multiplications.

Four outputs, one below the other, see six rows of the input through three rows of weights: twelve
products. Winograd's minimal filtering F(4, 3) needs six. With inputs d0..d5, weights g0..g2 and
outputs y0..y3, where y_i = d_i g0 + d_i+1 g1 + d_i+2 g2, and the matrices below:

    t = INPUT d    u = WEIGHT g    m = t * u, each of the six by itself    y = OUTPUT m

Where the matrices come from: multiplying two polynomials is the same as multiplying their values
at enough points and finding the polynomial through these; the points are 0, 1, -1, 2, -2 and
infinity (the leading coefficient). WEIGHT holds the powers of each point, divided by what the
interpolation would divide by, and a correlation is the transpose of such a product. In float32 the
results are off by some millionths.

Here each d and t is a row of pixels, each u the weights of one row of the kernel, and each product
a convolution along the row. To multiply by one of the small matrices reads all rows once and
writes nothing in between: a quarter of the time of adding up arrays in NumPy.

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

from pipeline.nn.arrays import Array

KERNEL_ROWS = 3
GROUP = 4  # rows of outputs that are computed together
SEEN = GROUP + KERNEL_ROWS - 1  # rows of inputs that they see
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
# A seventh row holds the bias, which each output contains once.
OUTPUT_WITH_BIAS = np.column_stack([OUTPUT, np.ones(GROUP)])


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
        self.groups = -(-self.rows // GROUP)
        self.padded_width = self.width + 2 * padding[1]
        # Of one image: what is transformed, and the products.
        self.scratch_values = SEEN * self.groups * self.padded_width * (self.channels + filters)
        self._workspaces: dict[tuple[int, Any], _Workspace] = {}

    def begin_forward(self, weight: Array, bias: Array) -> None:
        """Transform the weights (3, kernel columns, C, filters), once for all blocks of images."""
        dtype = weight.dtype
        self._weights = np.tensordot(WEIGHT.astype(dtype), weight, 1).reshape(
            SEEN, -1, self.filters
        )
        self._bias = bias
        self._input, self._output = INPUT.astype(dtype), OUTPUT.astype(dtype)
        self._output_with_bias = OUTPUT_WITH_BIAS.astype(dtype)
        for work in self._workspaces.values():
            work.products[SEEN] = bias

    def forward(self, images: Array, outputs: Array) -> None:
        """Fill outputs (n, rows, columns, filters) for images (n, H, W, C)."""
        work = self._workspace(images)
        np.matmul(self._input, self._seen_rows(images, work), out=work.image_groups)
        for windows, products in zip(work.image_windows, work.product_residues, strict=True):
            np.matmul(windows, self._weights, out=products)
        grouped = self._in_groups(outputs, work)
        np.matmul(self._output_with_bias, work.product_groups, out=grouped)
        if self.rows % GROUP:
            outputs[...] = work.whole_groups[:, : self.rows]

    def begin_backward(self) -> None:
        """Turn the weights round, and begin new sums of gradients."""
        weights = self._weights.reshape(SEEN, self.taps, self.channels, self.filters)
        turned = np.ascontiguousarray(weights[:, ::-1].transpose(0, 1, 3, 2))
        self._turned_weights = turned.reshape(SEEN, -1, self.channels)
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
        u = WEIGHT g:  dL/dd = INPUT^T dL/dt, and dL/dg = WEIGHT^T dL/du. The bias is in each
        output, and dL/dm1 is the sum of a group's G (OUTPUT has ones there): so its sum is dL/db.
        """
        work = self._workspace(images)
        np.matmul(self._input, self._seen_rows(images, work), out=work.image_groups)
        grouped = self._in_groups(grad_outputs, work)
        if self.rows % GROUP:
            work.whole_groups[:, : self.rows] = grad_outputs
            work.whole_groups[:, self.rows :] = 0.0
        np.matmul(self._output.T, grouped, out=work.grad_groups)
        for windows, residues in zip(work.image_windows, work.grad_residues, strict=True):
            np.matmul(windows.transpose(0, 2, 1), residues, out=self._product)
            self._grad_weights += self._product
        self._grad_bias += work.ones @ work.grad_products[1]
        if grad_images is None:
            return
        for windows, residues in zip(work.grad_windows, work.grad_image_residues, strict=True):
            np.matmul(windows, self._turned_weights, out=residues)
        # Of the six rows that a group sees, the last two are the first two of the next group.
        padded = work.grad_padded if work.pads else grad_images
        rows = self._rows_of_groups(padded)
        np.matmul(self._input.T[:GROUP], work.grad_image_groups, out=rows[:, :, :GROUP])
        padded[:, GROUP * self.groups :] = 0.0
        np.matmul(self._input.T[GROUP:], work.grad_image_groups, out=work.last_rows)
        last_rows = rows[:, :, GROUP:]
        last_rows += work.last_rows
        if work.pads:
            grad_images[...] = self._inside(padded)

    def end_backward(self, grad_weight: Array, grad_bias: Array) -> None:
        """Fill the gradients of the weights g and the bias from the sums."""
        grad_weights = self._grad_weights.reshape(SEEN, *grad_weight.shape[1:])
        grad_weight[...] = np.tensordot(WEIGHT.T.astype(grad_weights.dtype), grad_weights, 1)
        grad_bias[...] = self._grad_bias

    def _seen_rows(self, images: Array, work: "_Workspace") -> Array:
        """For each group of outputs the rows that it sees: (n, groups, 6, width * C)."""
        if work.pads:
            self._inside(work.padded)[...] = images
            images = work.padded
        return self._rows_of_groups(np.ascontiguousarray(images))

    def _rows_of_groups(self, images: Array) -> Array:
        """The rows of contiguous images; their strides may be of any value at a length of 1."""
        value = images.itemsize
        row = value * self.padded_width * self.channels
        image = row * images.shape[1]
        return as_strided(
            images,
            (len(images), self.groups, SEEN, self.padded_width * self.channels),
            (image, GROUP * row, row, value),
        )

    def _in_groups(self, outputs: Array, work: "_Workspace") -> Array:
        """Outputs or their gradients as (n, groups, 4, columns * filters); if the last group is
        not whole, scratch memory of that shape."""
        if self.rows % GROUP:
            outputs = work.whole_groups
        return outputs.reshape(len(outputs), self.groups, GROUP, -1)

    def _inside(self, padded: Array) -> Array:
        down, across = self.padding
        return padded[:, down : down + self.height, across : across + self.width]

    def _workspace(self, images: Array) -> "_Workspace":
        key = (len(images), images.dtype)
        if key not in self._workspaces:
            self._workspaces[key] = _Workspace(self, *key)
            self._workspaces[key].products[SEEN] = self._bias
        return self._workspaces[key]


class _Workspace:
    """The scratch arrays for so many images, and the views of them that are multiplied.

    As one line of pixels, the rows of all groups are (6, pixels, values). A line is longer than
    that, by what makes it a whole number of windows, and by what these reach over its end. The
    same six rows group by group, as ``_groups``, are (n, groups, 6, width * values).
    """

    def __init__(self, method: RowWinograd, count: int, dtype: Any) -> None:
        taps, channels, filters = method.taps, method.channels, method.filters
        grid = (count, method.groups, method.padded_width)
        pixels = count * method.groups * method.padded_width
        windows = -(-pixels // taps)
        length = windows * taps
        reach = taps - 1
        outputs = method.columns * filters  # of one row, without what reaches over its end

        line = np.zeros((SEEN, length + reach, channels), dtype)
        self.image_groups = _groups(line[:, :pixels], grid)
        self.image_windows = _windows(line, windows, taps)

        self.products = np.zeros((SEEN + 1, length, filters), dtype)
        self.product_groups = _groups(self.products[:, :pixels], grid)[..., :outputs]
        self.product_residues = _residues(self.products[:SEEN], taps)

        # Zero where no output is: at the ends of the rows, and before the first one, where the
        # windows begin that end at the first pixels.
        line = np.zeros((SEEN, reach + length, filters), dtype)
        self.grad_products = line[:, reach:]
        self.grad_groups = _groups(self.grad_products[:, :pixels], grid)[..., :outputs]
        self.grad_residues = _residues(self.grad_products, taps)
        self.grad_windows = _windows(line, windows, taps)
        self.ones = np.ones(length, dtype)

        line = np.empty((SEEN, length, channels), dtype)
        self.grad_image_groups = _groups(line[:, :pixels], grid)
        self.grad_image_residues = _residues(line, taps)
        last_rows = (*grid[:2], SEEN - GROUP, method.padded_width * channels)
        self.last_rows = np.empty(last_rows, dtype)

        needed = (GROUP * (method.groups - 1) + SEEN, method.padded_width)
        self.pads = needed != (method.height, method.width)
        self.padded = np.zeros((count if self.pads else 0, *needed, channels), dtype)
        self.grad_padded = np.empty_like(self.padded)
        partial = count if method.rows % GROUP else 0
        whole = (partial, GROUP * method.groups, method.columns, filters)
        self.whole_groups = np.zeros(whole, dtype)


def _groups(line: Array, grid: tuple[int, int, int]) -> Array:
    """(6, pixels, values) as (n, groups, 6, width * values)."""
    images, groups, width = grid
    return line.reshape(len(line), images, groups, width * line.shape[-1]).transpose(1, 2, 0, 3)


def _windows(line: Array, windows: int, taps: int) -> list[Array]:
    """For each residue r: the windows that begin at r, r + taps, ... as (6, windows, taps * C)."""
    return [
        line[:, first : first + windows * taps].reshape(SEEN, windows, -1) for first in range(taps)
    ]


def _residues(line: Array, taps: int) -> list[Array]:
    """For each residue r: the pixels r, r + taps, ... as (6, windows, values)."""
    by_window = line.reshape(SEEN, -1, taps, line.shape[-1])
    return [by_window[:, :, residue] for residue in range(taps)]
