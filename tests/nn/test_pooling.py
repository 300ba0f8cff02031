"""Pooling beside the plain one, also where several values are the largest; and cropping."""

from typing import Any

import numpy as np
import pytest

from pipeline.nn import Network
from pipeline.nn.arrays import Array
from tests.nn.image_networks import backward, check_all_gradients, forward, make_image_network
from tests.nn.plain_twin import check_against_plain

Shape = tuple[int, int, int]

CASES: list[tuple[Shape, dict[str, Any]]] = [
    ((6, 4, 2), {}),
    ((7, 5, 3), {"size": 2}),  # a row and a column are left over
    ((7, 6, 2), {"size": 3, "stride": 2}),  # windows overlap
    ((8, 7, 1), {"size": 2, "stride": 3}),  # there are gaps between them
    ((6, 7, 2), {"size": [2, 3]}),
    ((6, 5, 2), {"size": [3, 2], "stride": [1, 2]}),
    ((7, 6, 2), {"size": [3, 1], "stride": [2, 2]}),
    ((5, 6, 2), {"size": [1, 4], "stride": [1, 1]}),
    ((5, 4, 2), {"size": 1, "stride": 2}),
    ((4, 4, 3), {"size": 4}),
]
KINDS = ("max_pool2d", "avg_pool2d")


def make_pooling(kind: str, shape: Shape, settings: dict[str, Any], **others: Any) -> Network:
    return make_image_network([{"kind": kind, **settings}], shape, **others)


def distinct_images(count: int, shape: Shape) -> Array:
    """No two values closer than 0.01: at a tie the largest has no derivative."""
    places = np.random.default_rng(3).permutation(count * int(np.prod(shape)))
    return np.asarray(0.01 * places.reshape(count, *shape) - 1.0)


# ---- what it computes --------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("kind", "shape", "settings"),
    [
        *((kind, shape, settings) for kind in KINDS for shape, settings in CASES),
        ("global_avg_pool", (5, 3, 4), {}),
        ("global_avg_pool", (1, 1, 2), {}),
    ],
    ids=str,
)
def test_it_computes_what_the_plain_one_computes(
    kind: str, shape: Shape, settings: dict[str, Any], dtype: Any
) -> None:
    network = make_pooling(kind, shape, settings, dtype=dtype)
    images = distinct_images(5, shape).astype(dtype)
    check_against_plain(network, images, error=1e-5 if dtype == np.float32 else 1e-13)


@pytest.mark.parametrize("values", [1, 2, 3])
@pytest.mark.parametrize(("shape", "settings"), CASES, ids=str)
def test_of_equal_largest_values_the_first_gets_the_whole_gradient(
    shape: Shape, settings: dict[str, Any], values: int
) -> None:
    images = np.random.default_rng(4).integers(0, values, (3, *shape)).astype(np.float64)
    check_against_plain(make_pooling("max_pool2d", shape, settings), images, error=1e-13)


# ---- memory that is used again -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "shape", "settings"),
    [
        *((kind, shape, settings) for kind in KINDS for shape, settings in CASES),
        ("global_avg_pool", (3, 4, 2), {}),
    ],
    ids=str,
)
def test_a_larger_batch_before_leaves_no_trace(
    kind: str, shape: Shape, settings: dict[str, Any]
) -> None:
    used, fresh = (make_pooling(kind, shape, settings, images_at_once=3) for _ in range(2))
    before, after = distinct_images(8, shape), distinct_images(5, shape)
    backward(used, forward(used, before) - 100.0)
    results = []
    for network in (used, fresh):
        outputs = forward(network, after)
        results.append((outputs, backward(network, np.cos(outputs))[0]))
    for trace, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(trace, expected)


# ---- what is refused ---------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_a_window_that_is_larger_than_the_image(kind: str) -> None:
    message = rf"^layer 2 \({kind}\): a window of 2x5 does not fit into 4x4 pixels"
    with pytest.raises(ValueError, match=message):
        Network([{"kind": "relu"}, {"kind": kind, "size": [2, 5], "stride": 1}], (4, 4, 1))


@pytest.mark.parametrize("kind", [*KINDS, "global_avg_pool"])
def test_rows_instead_of_images(kind: str) -> None:
    with pytest.raises(ValueError, match=rf"^layer 2 \({kind}\): .*\(H, W, C\), got \(9"):
        Network([{"kind": "flatten"}, {"kind": kind}], (3, 3, 1))


# ---- cropping ----------------------------------------------------------------------------------
CROP_SHAPE = (6, 7, 2)


def crop_images() -> Array:
    return np.random.default_rng(0).normal(size=(3, *CROP_SHAPE))


@pytest.mark.parametrize("pixels", [1, 2])
def test_a_crop_keeps_the_middle(pixels: int) -> None:
    network = make_image_network([{"kind": "crop2d", "pixels": pixels}], CROP_SHAPE)
    inside = crop_images()[:, pixels : 6 - pixels, pixels : 7 - pixels]
    np.testing.assert_array_equal(forward(network, crop_images()), inside)


def test_the_border_that_is_cropped_gets_no_gradient() -> None:
    network = make_image_network([{"kind": "crop2d", "pixels": 2}], CROP_SHAPE)
    forward(network, crop_images())
    grad_inputs, _ = backward(network, np.ones((3, 2, 3, 2)))
    expected = np.zeros((3, *CROP_SHAPE))
    expected[:, 2:4, 2:5] = 1.0
    np.testing.assert_array_equal(grad_inputs, expected)


def test_a_convolution_of_what_a_crop_leaves_has_the_right_derivatives() -> None:
    layers = [
        {"kind": "conv2d", "filters": 8, "padding": 1},
        {"kind": "crop2d", "pixels": 1},
        {"kind": "conv2d", "filters": 2, "kernel": 3},
    ]
    check_all_gradients(make_image_network(layers, CROP_SHAPE), crop_images())


def test_a_crop_that_leaves_nothing() -> None:
    with pytest.raises(ValueError, match="leaves nothing of 6x7 pixels"):
        Network([{"kind": "crop2d", "pixels": 3}], CROP_SHAPE)
    with pytest.raises(ValueError, match="at least 1 pixel"):
        Network([{"kind": "crop2d", "pixels": 0}], CROP_SHAPE)
