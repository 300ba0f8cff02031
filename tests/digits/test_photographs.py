"""Strokes are found in light of any kind, on any paper; what is doubtful is told."""

import dataclasses
import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from benchmarks.photo_drawing import (
    DIRECTIONS,
    LIGHTS,
    PAPERS,
    PENS,
    SPANS,
    Photograph,
    Scene,
    draw,
    scene,
)
from pipeline.digits.ink import Grey, find_digit, find_ink
from pipeline.digits.picture import read_digit_from, read_grey
from pipeline.plan.workspace import Workspace
from tests.digits.test_ink import seven
from tests.sampling import sampled

PLAIN = Scene(
    light="E",
    span=0,
    shadow="none",
    paper="white",
    pen="felt",
    size=(160, 120),
    height=50,
    breadth=5.0,
    ink=(0.1, 0.1, 0.12),
    place=(0.4, 0.6),
    blur=0.6,
    noise=2.0,
    quality=85,
    seed=1,
)


@pytest.fixture(scope="module")
def digits(practice_workspace: Workspace) -> NDArray[np.uint8]:
    found: NDArray[np.uint8] = np.load(practice_workspace.processed("practice").test_images)[:100]
    return found


def agreement(photograph: Photograph) -> float:
    """How well a photograph and its bare strokes agree as digits: 1 is the same picture.

    A little out of focus, because how broad strokes come out does not matter here.
    """
    expected = find_digit(photograph.strokes.astype(np.float32))
    found = read_digit_from(io.BytesIO(photograph.content), "photograph").image
    assert expected is not None
    blurred = [ndimage.gaussian_filter(np.float32(one), 1.5) for one in (found, expected.image)]
    return float(np.corrcoef(blurred[0].ravel(), blurred[1].ravel())[0, 1])


@pytest.mark.parametrize("span", sampled(SPANS[1:], [4]))
@pytest.mark.parametrize("light", LIGHTS)
def test_light_is_not_ink(light: str, span: int, digits: NDArray[np.uint8]) -> None:
    number = SPANS.index(span) // 2
    lit = dataclasses.replace(PLAIN, light=light, span=span, seed=number)
    assert agreement(draw(digits[number], lit)) > 0.85


@pytest.mark.parametrize("shadow", ["straight", "hand"])
def test_a_shadow_across_the_picture_is_not_ink(shadow: str, digits: NDArray[np.uint8]) -> None:
    for number, light in enumerate(DIRECTIONS[::2]):
        lit = dataclasses.replace(PLAIN, light=light, span=80, shadow=shadow, seed=number)
        assert agreement(draw(digits[number], lit)) > 0.85, light


@pytest.mark.parametrize("paper", PAPERS)
def test_paper_of_every_kind(paper: str, digits: NDArray[np.uint8]) -> None:
    for number, pen in enumerate(["chalk"] if paper == "blackboard" else ["ballpoint", "marker"]):
        (least, most), inks = PENS[pen]
        drawn = dataclasses.replace(
            PLAIN,
            light="SW",
            span=80,
            paper=paper,
            pen=pen,
            ink=inks[0],
            breadth=(least + most) / 2 * PLAIN.height,
            seed=number,
        )
        assert agreement(draw(digits[number], drawn)) > 0.85, pen


@pytest.mark.parametrize("count", sampled([20, 50], [0]))
def test_nearly_all_that_a_person_reads_is_found(count: int, digits: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(4)
    scenes = [chosen for chosen in (scene(rng) for _ in range(count)) if max(chosen.size) <= 300]
    photographs = [draw(digit, chosen) for digit, chosen in zip(digits, scenes, strict=False)]
    readable = [agreement(photograph) for photograph in photographs if photograph.readable]
    assert len(readable) >= 0.4 * count
    assert np.mean(np.array(readable) > 0.8) >= 0.95


def test_a_photograph_is_the_same_each_time(digits: NDArray[np.uint8]) -> None:
    assert draw(digits[0], PLAIN).content == draw(digits[0], PLAIN).content
    assert scene(np.random.default_rng(7)) == scene(np.random.default_rng(7))


def test_what_nobody_could_read_does_not_count(digits: NDArray[np.uint8]) -> None:
    assert draw(digits[0], PLAIN).readable
    for change in ({"breadth": 1.5}, {"noise": 90.0}, {"ink": (0.95, 0.95, 0.95)}):
        assert not draw(digits[0], dataclasses.replace(PLAIN, **change)).readable


def lit(picture: Grey) -> Grey:
    """In light that fades from the left."""
    return np.asarray(np.linspace(0.3, 0.95, picture.shape[1])[None] * picture, np.float32)


def doubts(picture: Grey) -> tuple[str, ...]:
    found = find_ink(picture)
    assert found is not None
    return found.doubts


def test_one_clear_digit_is_not_doubted() -> None:
    paper = np.pad(seven(), 20)
    assert doubts(paper) == ()
    assert doubts(1 - paper) == ()
    assert doubts(lit(1 - 0.8 * paper)) == ()


def test_two_shapes_are_told_and_the_larger_is_read() -> None:
    both = np.zeros((160, 320), np.float32)
    both[20:140, 20:140] = seven()
    both[45:125, 200:280] = ndimage.zoom(seven(), 2 / 3, order=1)
    both[45:125, 290:295] = 1
    assert doubts(both) == ("there are 3 shapes in the picture, and the largest was read",)
    found, alone = find_digit(both), find_digit(seven())
    assert found is not None
    assert alone is not None
    np.testing.assert_array_equal(found.image, alone.image)


def test_a_digit_in_pieces_is_one() -> None:
    five = np.zeros((120, 120), np.float32)
    five[20:28, 40:80] = 1  # the bar, not quite touching
    five[31:60, 40:48] = 1
    five[56:64, 40:76] = 1
    five[60:95, 70:78] = 1
    five[90:98, 40:78] = 1
    assert doubts(five) == ()


def test_faint_ink_is_told() -> None:
    assert doubts(0.9 - 0.09 * np.pad(seven(), 20)) == ("the ink is faint",)


def test_what_the_border_cuts_is_told() -> None:
    picture = np.pad(seven(), ((0, 0), (0, 60)))
    picture[50:, 140:165] = 1
    assert doubts(picture) == ("a larger shape at the picture's edge was left out",)


def test_a_large_photograph_is_made_smaller_while_it_is_unpacked() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (4_000, 3_000), "white").save(stream, "JPEG")
    assert max(read_grey(stream, "large").shape) <= 1_000
