import base64
import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline.pages.pictures import NEGATIVE, POSITIVE, diverging, side_by_side, to_data_uri


def pixels(uri: str) -> NDArray[Any]:
    kind, _, text = uri.partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        assert image.format == "PNG"
        return np.asarray(image)


@pytest.mark.parametrize("shape", [(28, 28), (5, 9), (4, 3, 4)])
def test_a_picture_holds_its_pixels(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.testing.assert_array_equal(pixels(to_data_uri(image)), image)
    assert to_data_uri(image) == to_data_uri(image.copy())


@pytest.mark.parametrize(
    "image", [np.zeros((28, 28)), np.zeros((28, 28, 3), np.uint8), np.zeros(784, np.uint8)]
)
def test_what_is_no_picture_is_refused(image: Any) -> None:
    with pytest.raises(ValueError, match="a picture is uint8"):
        to_data_uri(image)


def test_weights_show_sign_by_hue_and_size_by_opacity() -> None:
    picture = diverging(np.array([[-2.0, -1.0], [0.0, 4.0]]), largest=2.0)
    assert picture.dtype == np.uint8
    assert picture[..., 3].tolist() == [[255, 128], [0, 255]]
    assert tuple(picture[0, 0, :3]) == tuple(picture[0, 1, :3]) == NEGATIVE
    assert tuple(picture[1, 1, :3]) == POSITIVE


def test_pictures_side_by_side_have_empty_pixels_between() -> None:
    images = np.stack([np.full((2, 3), value, np.uint8) for value in (1, 2, 3)])
    row = [1, 1, 1, 0, 2, 2, 2, 0, 3, 3, 3]
    assert side_by_side(images, gap=1).tolist() == [row, row]
