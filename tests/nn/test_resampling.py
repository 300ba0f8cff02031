"""Resampling beside a loop over pixels; whole pixels exactly, nothing from beyond the border."""

import math

import numpy as np
import pytest

from pipeline.nn.arrays import Array
from pipeline.nn.resampling import IMAGES_AT_ONCE, resample


def resample_slowly(image: Array, displacement: Array) -> Array:
    """The definition for one image, in float64."""
    height, width = image.shape

    def pixel(row: int, column: int) -> float:
        inside = 0 <= row < height and 0 <= column < width
        return float(image[row, column]) if inside else 0.0

    result = np.empty(image.shape)
    for (i, j), down, across in zip(np.ndindex(height, width), *displacement, strict=True):
        row, column = i + float(down), j + float(across)
        top, left = math.floor(row), math.floor(column)
        result[i, j] = sum(
            pixel(top + a, left + b) * (1 - abs(row - top - a)) * (1 - abs(column - left - b))
            for a in (0, 1)
            for b in (0, 1)
        )
    return result


def images_and_displacements(count: int, pixels: float) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    images = rng.random((count, 7, 5), np.float32)
    displacements = rng.uniform(-pixels, pixels, (count, 2, 35)).astype(np.float32)
    return images, displacements


@pytest.mark.parametrize("pixels", [0.5, 3.0, 40.0])
def test_it_reads_between_the_pixels(pixels: float) -> None:
    images, displacements = images_and_displacements(IMAGES_AT_ONCE + 3, pixels)
    expected = [resample_slowly(*pair) for pair in zip(images, displacements, strict=True)]
    resampled = resample(images, displacements)
    assert resampled.dtype == np.float32
    np.testing.assert_allclose(resampled, expected, rtol=0.0, atol=1e-5)


def test_no_displacement_gives_the_same_bits() -> None:
    images, _ = images_and_displacements(4, 1.0)
    np.testing.assert_array_equal(resample(images, np.zeros((4, 2, 35), np.float32)), images)


def test_whole_pixels_are_copied_bit_for_bit() -> None:
    images, _ = images_and_displacements(4, 1.0)
    displacements = np.zeros((4, 2, 35), np.float32)
    displacements[:, 0], displacements[:, 1] = 2.0, -1.0
    expected = np.zeros_like(images)
    expected[:, :5, 1:] = images[:, 2:, :4]
    np.testing.assert_array_equal(resample(images, displacements), expected)


def test_each_image_is_read_from_itself_alone() -> None:
    images, displacements = images_and_displacements(IMAGES_AT_ONCE + 3, 9.0)
    together = resample(images, displacements)
    for number in (0, 1, IMAGES_AT_ONCE - 1, IMAGES_AT_ONCE, IMAGES_AT_ONCE + 2):
        part = slice(number, number + 1)
        alone = resample(images[part], displacements[part])
        np.testing.assert_array_equal(alone, together[part])
