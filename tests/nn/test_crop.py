"""Cropping keeps the middle, and gives the border no gradient."""

import numpy as np
import pytest

from pipeline.nn import Network
from tests.nn.image_networks import backward, check_all_gradients, forward, make_image_network

SHAPE = (6, 7, 2)


def images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, *SHAPE))


@pytest.mark.parametrize("pixels", [1, 2])
def test_it_keeps_the_middle(pixels: int) -> None:
    network = make_image_network([{"kind": "crop2d", "pixels": pixels}], SHAPE)
    inside = images()[:, pixels : 6 - pixels, pixels : 7 - pixels]
    np.testing.assert_array_equal(forward(network, images()), inside)


def test_the_border_gets_no_gradient() -> None:
    network = make_image_network([{"kind": "crop2d", "pixels": 2}], SHAPE)
    forward(network, images())
    grad_inputs, _ = backward(network, np.ones((3, 2, 3, 2)))
    expected = np.zeros((3, *SHAPE))
    expected[:, 2:4, 2:5] = 1.0
    np.testing.assert_array_equal(grad_inputs, expected)


def test_a_convolution_of_what_is_left_has_the_right_derivatives() -> None:
    layers = [
        {"kind": "conv2d", "filters": 8, "padding": 1},
        {"kind": "crop2d", "pixels": 1},
        {"kind": "conv2d", "filters": 2, "kernel": 3},
    ]
    check_all_gradients(make_image_network(layers, SHAPE), images())


def test_a_crop_that_leaves_nothing() -> None:
    with pytest.raises(ValueError, match="leaves nothing of 6x7 pixels"):
        Network([{"kind": "crop2d", "pixels": 3}], SHAPE)
    with pytest.raises(ValueError, match="at least 1 pixel"):
        Network([{"kind": "crop2d", "pixels": 0}], SHAPE)
