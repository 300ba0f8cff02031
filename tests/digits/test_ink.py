"""Digits in pictures come out as MNIST's are: 20 pixels long, with their mass in the middle."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.digits.ink import centre, find_digit, find_ink, fit, has_mnist_form
from pipeline.plan.workspace import Workspace

Grey = NDArray[np.float32]


def normalise(picture: Grey) -> NDArray[np.uint8] | None:
    found = find_digit(picture)
    return None if found is None else found.image


def seven(size: int = 120, *, width: int = 10) -> Grey:
    """A seven of straight strokes, 1 on 0."""
    down, right = np.mgrid[:size, :size] / size
    bar = (abs(down - 0.25) * size <= width / 2) & (right >= 0.3) & (right <= 0.65)
    leg = (abs(right - (0.65 - 0.5 * (down - 0.25))) * size <= width / 2) & (
        (down >= 0.25) & (down <= 0.8)
    )
    drawn: Grey = (bar | leg).astype(np.float32)
    return drawn


def mass_centre(image: NDArray[Any]) -> tuple[float, float]:
    """By the definition of a weighted mean."""
    rows, columns = np.indices(image.shape)
    total = float(image.sum())
    return float((rows * image).sum()) / total, float((columns * image).sum()) / total


def extent(image: NDArray[Any]) -> tuple[int, int]:
    rows, columns = np.nonzero(image)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


@pytest.fixture(scope="module")
def digits(practice_workspace: Workspace) -> NDArray[np.uint8]:
    found: NDArray[np.uint8] = np.load(practice_workspace.processed("practice").test_images)[:300]
    return found


@pytest.mark.parametrize("size", [(60, 30), (30, 61), (200, 8), (7, 5), (20, 20)])
def test_the_longer_side_becomes_20_pixels_and_proportions_stay(size: tuple[int, int]) -> None:
    ink = np.ones(size, np.float32)
    height, width = fit(ink).shape
    assert max(height, width) == 20
    assert min(height, width) == max(1, round(min(size) * 20 / max(size)))
    assert (height > width) == (size[0] > size[1])


def test_scaling_down_takes_means() -> None:
    ink = np.zeros((60, 60), np.float32)
    ink[:30] = 1
    ink[30:33, :] = np.linspace(0, 1, 60)
    expected = ink.reshape(20, 3, 20, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(fit(ink), expected, atol=1e-6)


def test_the_centre_of_mass_stands_in_the_middle() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        size = rng.integers(5, 21, 2)
        found = centre((rng.random(size) ** 3).astype(np.float32))
        assert found.shape == (28, 28)
        assert found.dtype == np.uint8
        assert max(abs(place - 14) for place in mass_centre(found)) <= 0.51


def test_a_mass_at_one_end_stays_within_the_picture() -> None:
    ink = np.full((20, 20), 0.01, np.float32)
    ink[0] = 1
    found = centre(ink)
    assert extent(found) == (20, 20)
    assert (found[8] > 200).sum() == 20


def test_the_competition_s_own_form_is_left_as_it_is(digits: NDArray[np.uint8]) -> None:
    for digit in digits:
        grey = digit.astype(np.float32) / 255
        assert has_mnist_form(grey)
        for picture in (grey, 1 - grey):
            np.testing.assert_array_equal(normalise(picture), digit)


def test_other_28x28_pictures_are_not_taken_for_it(digits: NDArray[np.uint8]) -> None:
    grey = digits[0].astype(np.float32) / 255
    assert not has_mnist_form(np.roll(grey, 3, axis=1))
    assert not has_mnist_form(grey / 2)
    assert not has_mnist_form(1 - grey)
    assert not has_mnist_form(np.pad(grey[4:-4, 4:-4][::2, ::2], 9))


def test_what_comes_out_has_the_competition_s_form() -> None:
    found = normalise(seven())
    assert found is not None
    assert max(extent(found)) == 20
    assert max(abs(place - 14) for place in mass_centre(found)) <= 0.5
    assert found.max() == 255


@pytest.mark.parametrize("place", [(0, 0), (40, 300), (200, 10)])
def test_where_in_the_picture_it_stands_does_not_matter(place: tuple[int, int]) -> None:
    canvas = np.zeros((400, 500), np.float32)
    digit = seven()
    canvas[place[0] : place[0] + 120, place[1] : place[1] + 120] = digit
    np.testing.assert_array_equal(normalise(canvas), normalise(digit))


def test_ink_is_found_whether_it_is_dark_or_bright() -> None:
    np.testing.assert_array_equal(normalise(1 - seven()), normalise(seven()))


def test_uneven_light_and_a_shadow_are_paper() -> None:
    down, right = np.mgrid[0:1:120j, 0:1:120j]
    light = (0.5 + 0.4 * right) * np.where(down + right > 1.3, 0.6, 1)
    picture = (light * (1 - 0.8 * seven())).astype(np.float32)
    expected, found = normalise(seven()), normalise(picture)
    assert expected is not None
    assert found is not None
    assert np.abs(found.astype(int) - expected).mean() < 4


def test_specks_and_what_the_border_cuts_are_left_out() -> None:
    picture = seven()
    picture[5:8, 100:103] = 1
    picture[110:, 50:53] = 1
    np.testing.assert_array_equal(normalise(picture), normalise(seven()))


def test_a_digit_that_touches_the_border_is_kept() -> None:
    tight = seven()[np.ix_(seven().any(axis=1), seven().any(axis=0))]
    np.testing.assert_array_equal(normalise(tight), normalise(seven()))


def test_lines_of_the_paper_are_fainter_than_ink() -> None:
    picture = seven(240, width=20) * 0.9
    picture[::30] = np.maximum(picture[::30], 0.2)
    expected, found = normalise(seven(240, width=20)), normalise(picture)
    assert expected is not None
    assert found is not None
    assert np.abs(found.astype(int) - expected).mean() < 4


def test_a_sheet_on_a_dark_desk_is_looked_into() -> None:
    desk = np.full((260, 220), 0.1, np.float32)
    desk[40:220, 30:190] = 0.9
    desk[70:190, 50:170] -= 0.8 * seven()
    expected, found = normalise(seven()), normalise(desk)
    assert expected is not None
    assert found is not None
    np.testing.assert_allclose(found.astype(int), expected, atol=1)


def test_strokes_of_a_fine_pen_stay_visible() -> None:
    found = normalise(seven(400, width=2))
    assert found is not None
    _, count = ndimage.label(found > 100, np.ones((3, 3)))
    assert count == 1
    assert (found > 100).sum() > 25


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((40, 40)),
        np.full((28, 28), 0.7),
        np.ones((1, 1)),
        np.eye(2),
        np.random.default_rng(0).normal(0.5, 0.01, (60, 60)),
        np.pad(np.ones((2, 2)), 20),
    ],
    ids=["black", "grey", "one pixel", "four pixels", "grain", "speck"],
)
def test_where_there_is_no_digit_none_is_found(picture: NDArray[np.float64]) -> None:
    assert find_ink(picture.astype(np.float32)) is None
    assert normalise(picture.astype(np.float32)) is None
