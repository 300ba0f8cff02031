from typing import Any

import numpy as np
import pytest

from pipeline.nn import Network
from pipeline.pages.first_layer import distort, first_layer
from pipeline.training.prediction import Model

DENSE = {"kind": "dense", "units": 10}


def model(*layers: dict[str, Any]) -> Model:
    network = Network(layers, (28, 28, 1))
    network.initialize(rng=np.random.default_rng(0))
    return Model(network)


def test_filters_of_a_convolution() -> None:
    found = model(
        {"kind": "crop2d", "pixels": 2},
        {"kind": "conv2d", "filters": 4, "kernel": [3, 5]},
        {"kind": "flatten"},
        DENSE,
    )
    layer = first_layer(found, most=10)
    assert layer is not None
    assert (layer.kind, layer.total, layer.units) == ("conv2d", 4, (0, 1, 2, 3))
    weight = found.network.layers[1].values["weight"]
    assert layer.pictures.shape == (4, 3, 5)
    np.testing.assert_array_equal(layer.pictures[2], weight[:, :, 0, 2])


def test_weights_of_a_dense_layer_lie_as_the_pixels_do() -> None:
    found = model({"kind": "crop2d", "pixels": 2}, {"kind": "flatten"}, DENSE)
    weight = found.network.layers[2].values["weight"]
    weight[...] = 0
    weight[3 * 24 + 7, 4] = 5  # the pixel in row 3, column 7 of what the crop left
    weight[0, 6] = 1
    layer = first_layer(found, most=2)
    assert layer is not None
    assert (layer.kind, layer.total, layer.units) == ("dense", 10, (4, 6))
    assert layer.pictures.shape == (2, 24, 24)
    assert np.argwhere(layer.pictures[0]).tolist() == [[3, 7]]


def test_what_does_not_see_the_image_is_no_picture() -> None:
    assert first_layer(model({"kind": "global_avg_pool"}, DENSE), most=2) is None


@pytest.mark.parametrize("copies", [1, 3])
def test_distorted_digits_are_another_each(copies: int) -> None:
    images = np.zeros((2, 28, 28), np.uint8)
    images[0, 10:18, 10:18] = 255
    settings = {"shift_pixels": 2.0, "angle_degrees": 10.0}
    found = distort(images, settings, copies=copies, rng=np.random.default_rng(0))
    again = distort(images, settings, copies=copies, rng=np.random.default_rng(0))
    assert found.shape == (2, copies, 28, 28)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, again)
    assert len({copy.tobytes() for copy in found[0]}) == copies
    assert not found[1].any()
    # A turned and shifted square keeps its ink, but for rounding and the resampling at its edges.
    ink = found[0].sum(axis=(1, 2), dtype=float).tolist()
    assert ink == pytest.approx([8 * 8 * 255] * copies, rel=0.05)


def test_nothing_to_distort_leaves_digits_as_they_are() -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 28, 28), np.uint8)
    found = distort(images, {}, copies=1, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(found[:, 0], images)
