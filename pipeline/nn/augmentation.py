"""Digits that might have been written: shifted, turned, scaled, slanted and bent at random.

What is chosen at random is apart from how it is applied. A choice is a row of coefficients; times
a fixed basis of displacement fields it says for every pixel where to read it, so that all
distortions together are one product of matrices and one resampling.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

from pipeline.nn.arrays import Array
from pipeline.nn.resampling import resample

# Constant, along the rows, along the columns: what an affine map is made of.
AFFINE_FIELDS = 3
# Share of an elastic field's variance that its basis keeps.
ELASTIC_VARIANCE = 0.999


@dataclass(frozen=True)
class Augmentation:
    """How far digits may be distorted; each is drawn anew for each image and epoch.

    shift_pixels: up to so many to each side, in both directions.
    angle_degrees: turned by up to so many degrees either way.
    scale: height and width, each by itself, by a factor between 1 - scale and 1 / (1 - scale).
    shear: slanted by up to so many pixels to the side per pixel of height.
    elastic_pixels: standard deviation of a random smooth field of displacements, in both
    directions.  elastic_smoothness: in pixels, the deviation of the Gaussian that smooths it.

    Sources: Simard et al. 2003, "Best practices for convolutional neural networks applied to
    visual document analysis" (elastic: its sigma is ``elastic_smoothness``; its alpha, for noise
    uniform in [-1, 1], is 2 sqrt(3 pi) sigma times ``elastic_pixels``: 34 at sigma 4 are 1.4
    pixels); Ciresan et al. 2010, arXiv:1003.0358 (the ranges).
    """

    shift_pixels: float = 0.0
    angle_degrees: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic_pixels: float = 0.0
    elastic_smoothness: float = 4.0

    def distort(self, inputs: Array, *, rng: np.random.Generator, margin: int = 0) -> Array:
        """Return inputs (N, H, W, 1) float32, each distorted in its own way.

        margin: so many pixels are left off at each side of what is returned.
        """
        _, height, width, _ = inputs.shape
        return self.apply(inputs, self.choose(len(inputs), (height, width), rng=rng), margin)

    def choose(self, count: int, shape: tuple[int, int], *, rng: np.random.Generator) -> Array:
        """Return coefficients (count, 2, F) float32 for images of this shape, drawn at random."""
        draws = rng.uniform(-1.0, 1.0, (count, 6))
        angles = np.deg2rad(self.angle_degrees) * draws[:, 0]
        heights, widths = np.exp(-math.log(1.0 - self.scale) * draws[:, 1:3]).T
        shears = self.shear * draws[:, 3]
        coefficients = affine(angles, heights, widths, shears, self.shift_pixels * draws[:, 4:6])
        if not self.elastic_pixels:
            return coefficients
        waves = len(elastic_basis(shape, self.elastic_smoothness))
        elastic = rng.standard_normal((count, 2, waves), np.float32)
        elastic *= np.float32(self.elastic_pixels)
        return np.concatenate([coefficients, elastic], axis=2)

    def apply(self, inputs: Array, coefficients: Array, margin: int = 0) -> Array:
        """Return inputs (N, H, W, 1) float32, distorted as the coefficients (N, 2, F) say."""
        _, height, width, _ = inputs.shape
        smoothness = self.elastic_smoothness if coefficients.shape[2] > AFFINE_FIELDS else None
        basis = _basis((height, width), smoothness, margin)
        displacements = coefficients.reshape(-1, len(basis)) @ basis
        displacements = displacements.reshape(len(inputs), 2, -1)
        return resample(inputs[..., 0], displacements, margin)[..., np.newaxis]


def affine(angles: Array, heights: Array, widths: Array, shears: Array, shifts: Array) -> Array:
    """Return coefficients (N, 2, 3) float32 of affine maps about the centre of the image.

    angles: (N,) in radians, clockwise.  heights, widths: (N,) factors of size.
    shears: (N,) columns per row.  shifts: (N, 2) pixels, down and to the right.

    The pixel at p (from the centre) of the new image is the old one's at M p - shift, so
    the displacement is (M - 1) p - shift, with M the inverse of what happens to the digit.
    """
    # M = (cos -sin; sin cos) (1 0; shear 1) (1/height 0; 0 1/width)
    cosines, sines = np.cos(angles), np.sin(angles)
    coefficients = np.empty((len(angles), 2, AFFINE_FIELDS), np.float32)
    coefficients[:, :, 0] = -shifts
    coefficients[:, 0, 1] = (cosines - sines * shears) / heights - 1.0
    coefficients[:, 0, 2] = -sines / widths
    coefficients[:, 1, 1] = (sines + cosines * shears) / heights
    coefficients[:, 1, 2] = cosines / widths - 1.0
    return coefficients


@functools.cache
def _basis(shape: tuple[int, int], smoothness: float | None, margin: int) -> Array:
    """Return the fields that coefficients belong to, (F, pixels within the margin)."""
    fields = affine_basis(shape)
    if smoothness is not None:
        fields = np.concatenate([fields, elastic_basis(shape, smoothness)])
    height, width = shape
    inside = fields.reshape(-1, *shape)[:, margin : height - margin, margin : width - margin]
    return inside.reshape(len(fields), -1)


@functools.cache
def affine_basis(shape: tuple[int, int]) -> Array:
    """Return (3, H * W) float32: 1, the row and the column of each pixel from the centre."""
    rows, columns = np.indices(shape, np.float32).reshape(2, -1)
    height, width = shape
    return np.stack([np.ones_like(rows), rows - (height - 1) / 2, columns - (width - 1) / 2])


@functools.cache
def elastic_basis(shape: tuple[int, int], smoothness: float) -> Array:
    """Return (F, H * W) float32 fields whose sum with normal weights is smoothed white noise.

    White noise smoothed with a Gaussian of deviation s, scaled to variance 1, has the covariance
    exp(-d^2 / 4 s^2) at the distance d. Its eigenvectors, each times its deviation, make the same
    noise of independent normal numbers; a few long waves hold almost all of it. The Gaussian
    is a product over rows and columns, and so are the eigenvectors. The variance that the left
    out waves would have is given to the others, pixel by pixel.
    """
    along_rows, along_columns = (_waves(size, smoothness) for size in shape)
    fields = np.einsum("ai,bj->abij", along_rows, along_columns)
    fields = fields.reshape(-1, math.prod(shape))
    variances = np.square(fields).sum(axis=1)
    order = np.argsort(-variances, kind="stable")
    share = np.cumsum(variances[order]) / math.prod(shape)
    kept = fields[order[: np.searchsorted(share, ELASTIC_VARIANCE) + 1]]
    return np.asarray(kept / np.sqrt(np.square(kept).sum(axis=0)), np.float32)


def _waves(size: int, smoothness: float) -> Array:
    """Return (size, size): eigenvectors of the covariance along one axis times deviations."""
    places = np.arange(size)
    covariance = np.exp(-(((places - places[:, np.newaxis]) / (2.0 * smoothness)) ** 2))
    variances, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(variances, 0.0))).T)
