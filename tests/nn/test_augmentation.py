"""What is chosen lies in its range, and is applied as it says."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from pipeline.nn import Augmentation
from pipeline.nn.arrays import Array
from pipeline.nn.augmentation import affine, affine_basis, elastic_basis

SHAPE = (28, 28)
NONE = np.zeros(1)
EVERYTHING = Augmentation(
    shift_pixels=2.0,
    angle_degrees=15.0,
    scale=0.2,
    shear=0.2,
    elastic_pixels=1.0,
    elastic_smoothness=4.0,
)


def digits(count: int) -> Array:
    return np.random.default_rng(0).random((count, *SHAPE, 1), np.float32)


def spots() -> Array:
    """One image with a spot 6 pixels above the centre, and one 6 pixels to the right of it."""
    images = np.zeros((2, 29, 29, 1), np.float32)
    images[0, 8, 14] = images[1, 14, 20] = 1.0
    return images


def centres(images: Array) -> Array:
    """(N, 2): the centre of mass of each image, rows and columns from the middle."""
    rows, columns = affine_basis(images.shape[1:3])[1:]
    mass = images.reshape(len(images), -1)
    return np.asarray(np.stack([mass @ rows, mass @ columns], 1) / mass.sum(axis=1, keepdims=True))


def moved(**changes: Any) -> Array:
    """Where the two spots come to lie when one value of the affine map is changed."""
    values = {
        "angles": NONE,
        "heights": NONE + 1.0,
        "widths": NONE + 1.0,
        "shears": NONE,
        "shifts": np.zeros((1, 2)),
    }
    coefficients = np.repeat(affine(**(values | changes)), 2, axis=0)
    return centres(Augmentation().apply(spots(), coefficients))


def test_without_any_distortion_the_bits_stay() -> None:
    images = digits(40)
    same = Augmentation().distort(images, rng=np.random.default_rng(1))
    assert same.shape == images.shape
    np.testing.assert_array_equal(same, images)


def test_the_same_chance_gives_the_same_bits() -> None:
    first, again, other = (
        EVERYTHING.distort(digits(5), rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.dtype == np.float32


def test_each_image_is_distorted_in_its_own_way() -> None:
    images = np.repeat(digits(1), 2, axis=0)
    first, second = EVERYTHING.distort(images, rng=np.random.default_rng(1))
    assert np.abs(first - second).max() > 0.1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [[-6, 0], [0, 6]]),
        ({"shifts": np.array([[2.0, -3.0]])}, [[-4, -3], [2, 3]]),
        ({"angles": NONE + math.pi / 2}, [[0, 6], [6, 0]]),
        ({"angles": NONE + math.pi / 6}, [[-6 * math.cos(math.pi / 6), 3], [3, 5.196]]),
        ({"heights": NONE + 1.5}, [[-9, 0], [0, 6]]),
        ({"widths": NONE + 0.5}, [[-6, 0], [0, 3]]),
        ({"shears": NONE + 0.5}, [[-6, 3], [0, 6]]),
    ],
    ids=["nothing", "shift", "a quarter turn", "a twelfth", "taller", "narrower", "slanted"],
)
def test_a_digit_goes_where_the_map_says(changes: dict[str, Any], expected: list[Any]) -> None:
    # A turned spot has new neighbours between the pixels: its centre is right to a tenth.
    np.testing.assert_allclose(moved(**changes), expected, rtol=0.0, atol=0.15)


@pytest.mark.parametrize(
    "name", ["shift_pixels", "angle_degrees", "scale", "shear", "elastic_pixels"]
)
def test_what_is_zero_is_not_done(name: str) -> None:
    """Each value alone moves what it is about, and nothing else."""
    zeros = dict.fromkeys((field.name for field in dataclasses.fields(Augmentation)), 0.0)
    alone = Augmentation(**(zeros | {name: 0.2, "elastic_smoothness": 4.0}))
    coefficients = alone.choose(300, SHAPE, rng=np.random.default_rng(0))
    linear = coefficients[:, :, 1:3]
    touched = {
        "shift_pixels": coefficients[:, :, 0],
        "angle_degrees": linear,
        "scale": linear[:, [0, 1], [0, 1]],
        "shear": linear[:, 1, 0],
        "elastic_pixels": coefficients[:, :, 3:],
    }[name]
    assert np.count_nonzero(touched) == touched.size
    if name != "angle_degrees":
        assert np.count_nonzero(coefficients) == touched.size


def test_choices_fill_their_ranges_and_do_not_leave_them() -> None:
    rng = np.random.default_rng(0)
    shifts = Augmentation(shift_pixels=2.0).choose(4000, SHAPE, rng=rng)[:, :, 0]
    assert np.abs(shifts).max() <= 2.0
    assert shifts.min() < -1.95
    assert shifts.max() > 1.95
    sines = Augmentation(angle_degrees=15.0).choose(4000, SHAPE, rng=rng)[:, 0, 2]
    assert math.sin(math.radians(14.7)) < np.abs(sines).max() <= math.sin(math.radians(15.0)) + 1e-7
    # What is read along an axis is 1 / factor of the image's; the factor's logarithm is uniform.
    factors = 1.0 / (1.0 + Augmentation(scale=0.2).choose(4000, SHAPE, rng=rng)[:, 0, 1])
    assert 0.8 - 1e-6 <= factors.min() < 0.805
    assert 1.24 < factors.max() <= 1.25 + 1e-6
    assert abs(np.log(factors).mean()) < 0.01


def test_elastic_fields_have_the_deviation_and_the_covariance_of_smoothed_noise() -> None:
    smoothness, pixels = 4.0, 1.5
    fields = elastic_basis(SHAPE, smoothness)
    chosen = Augmentation(elastic_pixels=pixels).choose(10, SHAPE, rng=np.random.default_rng(0))
    assert chosen.shape == (10, 2, 3 + len(fields))
    covariance = fields.T @ fields
    places = np.indices(SHAPE).reshape(2, -1).T
    squares = np.square(places[:, np.newaxis] - places).sum(axis=2)
    expected = np.exp(-squares / (4.0 * smoothness**2))
    np.testing.assert_allclose(np.diag(covariance), 1.0, atol=1e-5)
    np.testing.assert_allclose(covariance, expected, atol=0.02)
    draws = Augmentation(elastic_pixels=pixels).choose(20_000, SHAPE, rng=np.random.default_rng(1))
    assert draws[:, :, 3:].std() == pytest.approx(pixels, rel=0.01)


def test_simards_alpha_is_what_the_documentation_says() -> None:
    """Uniform noise in [-1, 1], smoothed with a Gaussian of sigma 4, times alpha 34."""
    taps = np.exp(-(np.arange(-20, 21) ** 2) / (2 * 4.0**2))
    taps /= taps.sum()
    deviation = 34 * math.sqrt(1 / 3) * np.square(np.outer(taps, taps)).sum() ** 0.5
    assert deviation == pytest.approx(34 / (2 * math.sqrt(3 * math.pi) * 4), rel=1e-3)
    assert deviation == pytest.approx(1.4, abs=0.05)


def test_the_values_can_be_read() -> None:
    assert "angle_degrees=15.0" in repr(EVERYTHING)
