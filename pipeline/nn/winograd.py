"""Convolution with kernels of three rows in two thirds of the multiplications.

Two outputs, one below the other, see four rows of the input through three rows of weights: six
products. Winograd's minimal filtering F(2, 3) needs four. With inputs d0..d3 and weights g0..g2:

    t0 = d0 - d2    u0 = g0                   m = t * u    y0 = m0 + m1 + m2
    t1 = d1 + d2    u1 = (g0 + g1 + g2) / 2                y1 = m1 - m2 - m3
    t2 = d2 - d1    u2 = (g0 - g1 + g2) / 2
    t3 = d1 - d3    u3 = g2

y0 = d0 g0 + d1 g1 + d2 g2 and y1 = d1 g0 + d2 g1 + d3 g2, as multiplying out shows. Here each t is
a row of pixels, each u the weights of one row of the kernel, and each product a convolution along
the row, so that rows are transformed by whole-array additions.

Along the row no copies are needed either. Three neighbouring pixels of C channels lie side by side
in memory: they are a row of a matrix. The windows that begin at pixels 0, 3, 6, ... do not
overlap and together are a matrix over the pixels as they are; those that begin at 1, 4, 7, ... and
at 2, 5, 8, ... are two more. The windows that reach over the end of a row of pixels give values
that nobody reads.

Source: Lavin and Gray 2016, arXiv:1509.09308, section 4.
"""

from typing import Any

import numpy as np

from pipeline.nn.initializers import Array

KERNEL_ROWS = 3


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
        self._weights = _transform_weight(weight).reshape(4, -1, self.filters)
        # Repeated along a row, the bias is added in runs of a row, twice as fast.
        self._bias_row = np.tile(bias, (self.columns, 1))

    def forward(self, images: Array, outputs: Array) -> None:
        """Fill outputs (n, rows, columns, filters) for images (n, H, W, C)."""
        work = self._workspace(images)
        self._transform_images(images, work)
        for windows, products in zip(work.image_windows, work.product_residues, strict=True):
            np.matmul(windows, self._weights, out=products)
        m0, m1, m2, m3 = work.products[..., : self.columns, :]
        m1 += self._bias_row  # which both outputs of a pair contain once
        upper, lower = outputs[:, 0::2], outputs[:, 1::2]
        np.add(m0, m1, out=upper)
        upper += m2
        count = self.rows // 2
        np.subtract(m1[:, :count], m2[:, :count], out=lower)
        lower -= m3[:, :count]

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
        derivative is its transpose. From y0 = m0 + m1 + m2 and y1 = m1 - m2 - m3:

        dL/dm0 = G0,  dL/dm1 = G0 + G1,  dL/dm2 = G0 - G1,  dL/dm3 = -G1

        with G0, G1 the loss's gradients at y0, y1. Then dL/du = t^T dL/dm over all windows, and
        dL/dt = dL/dm u^T: the pixel p is tap k of the window that begins at p - k, so its
        gradient is again a product of windows, those that end at p, with the taps turned round.
        At last t goes back to d, and u to g, by the transposes of their definitions.
        """
        work = self._workspace(images)
        self._transform_images(images, work)
        self._transform_grad_outputs(grad_outputs, work)
        for windows, residues in zip(work.image_windows, work.grad_residues, strict=True):
            np.matmul(windows.transpose(0, 2, 1), residues, out=self._product)
            self._grad_weights += self._product
        self._grad_bias += work.ones @ work.grad_products[1]
        if grad_images is None:
            return
        for windows, residues in zip(work.grad_windows, work.grad_image_residues, strict=True):
            np.matmul(windows, self._turned_weights, out=residues)
        self._gather_grad_images(work, grad_images)

    def end_backward(self, grad_weight: Array, grad_bias: Array) -> None:
        """Fill the gradients of the weights g and the bias from the sums."""
        u0, u1, u2, u3 = self._grad_weights.reshape(4, *grad_weight.shape[1:])
        grad_weight[0] = u0 + 0.5 * (u1 + u2)
        grad_weight[1] = 0.5 * (u1 - u2)
        grad_weight[2] = u3 + 0.5 * (u1 + u2)
        grad_bias[...] = self._grad_bias

    def _transform_images(self, images: Array, work: "_Workspace") -> None:
        """Fill t0..t3 from d0..d3."""
        if work.pads:
            down, across = self.padding
            work.padded[:, down : down + self.height, across : across + self.width] = images
            images = work.padded
        d0, d1, d2, d3 = (images[:, row : row + 2 * self.pairs : 2] for row in range(4))
        t0, t1, t2, t3 = work.images
        np.subtract(d0, d2, out=t0)
        np.add(d1, d2, out=t1)
        np.subtract(d2, d1, out=t2)
        np.subtract(d1, d3, out=t3)

    def _transform_grad_outputs(self, grad_outputs: Array, work: "_Workspace") -> None:
        """Fill dL/dm0..m3 from G0, G1; where a last row has no partner, G1 is zero."""
        upper, lower = grad_outputs[:, 0::2], grad_outputs[:, 1::2]
        m0, m1, m2, m3 = work.grad_grids[..., : self.columns, :]
        count = self.rows // 2
        np.copyto(m0, upper)
        np.add(upper[:, :count], lower, out=m1[:, :count])
        np.subtract(upper[:, :count], lower, out=m2[:, :count])
        np.negative(lower, out=m3[:, :count])
        if self.rows % 2:
            m1[:, -1] = m2[:, -1] = upper[:, -1]

    def _gather_grad_images(self, work: "_Workspace", grad_images: Array) -> None:
        """Fill grad_images from dL/dt: the row 2i is d0 of pair i and d2 of pair i - 1, the row
        2i + 1 is d1 of pair i and d3 of pair i - 1."""
        t0, t1, t2, t3 = work.grad_images
        padded = work.grad_padded if work.pads else grad_images
        even, odd = padded[:, 0::2], padded[:, 1::2]
        np.subtract(t1, t2, out=odd[:, :-1])
        odd[:, :-1] += t3
        odd[:, -1] = 0.0
        odd[:, 1:] -= t3
        t1 += t2
        np.subtract(t1, t0, out=even[:, 1:])
        even[:, 0] = 0.0
        even[:, :-1] += t0
        if work.pads:
            down, across = self.padding
            grad_images[...] = padded[:, down : down + self.height, across : across + self.width]

    def _workspace(self, images: Array) -> "_Workspace":
        key = (len(images), images.dtype)
        if key not in self._workspaces:
            self._workspaces[key] = _Workspace(self, *key)
        return self._workspaces[key]


def _transform_weight(weight: Array) -> Array:
    """Return u0..u3 as (4, kernel columns, C, filters) for a weight (3, kernel columns, ...)."""
    g0, g1, g2 = weight
    outer = 0.5 * (g0 + g2)
    return np.stack([g0, outer + 0.5 * g1, outer - 0.5 * g1, g2])


class _Workspace:
    """The scratch arrays for so many images, and the views of them that are multiplied.

    A grid is (4, n, pairs, padded width, values). As one line of pixels it is longer than that:
    by what makes it a whole number of windows, and by what the windows reach over its end.
    """

    def __init__(self, method: RowWinograd, count: int, dtype: Any) -> None:
        taps, channels, filters = method.taps, method.channels, method.filters
        grid = (4, count, method.pairs, method.padded_width)
        pixels = count * method.pairs * method.padded_width
        windows = -(-pixels // taps)
        length = windows * taps
        reach = taps - 1

        line = np.zeros((4, length + reach, channels), dtype)
        self.images = line[:, :pixels].reshape(*grid, channels)
        self.image_windows = _windows(line, windows, taps)

        line = np.empty((4, length, filters), dtype)
        self.products = line[:, :pixels].reshape(*grid, filters)
        self.product_residues = _residues(line, taps)

        # Zero where no output is: at the ends of the rows, and before the first one, where the
        # windows begin that end at the first pixels.
        line = np.zeros((4, reach + length, filters), dtype)
        self.grad_products = line[:, reach:]
        self.grad_grids = self.grad_products[:, :pixels].reshape(*grid, filters)
        self.ones = np.ones(length, dtype)
        self.grad_residues = _residues(self.grad_products, taps)
        self.grad_windows = _windows(line, windows, taps)

        line = np.empty((4, length, channels), dtype)
        self.grad_images = line[:, :pixels].reshape(*grid, channels)
        self.grad_image_residues = _residues(line, taps)

        needed = (2 * method.pairs + 2, method.padded_width)
        self.pads = needed != (method.height, method.width)
        self.padded = np.zeros((count if self.pads else 0, *needed, channels), dtype)
        self.grad_padded = np.empty_like(self.padded)


def _windows(line: Array, windows: int, taps: int) -> list[Array]:
    """For each residue r: the windows that begin at r, r + taps, ... as (4, windows, taps * C)."""
    return [
        line[:, first : first + windows * taps].reshape(4, windows, -1) for first in range(taps)
    ]


def _residues(line: Array, taps: int) -> list[Array]:
    """For each residue r: the pixels r, r + taps, ... as (4, windows, values)."""
    by_window = line.reshape(4, -1, taps, line.shape[-1])
    return [by_window[:, :, residue] for residue in range(taps)]
