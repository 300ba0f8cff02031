"""Convolution beside the plain one: the layer, and each of its methods by itself."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pipeline.nn import Network, plain
from pipeline.nn.arrays import Array, images_of, maps_of
from pipeline.nn.conv import Conv2D, as_pair
from pipeline.nn.kernels.columns import ColumnConvolution, Pair
from pipeline.nn.kernels.winograd import KERNEL, TileConvolution
from tests.nn.image_networks import backward, forward, make_image_network
from tests.nn.plain_twin import check_against_plain

Shape = tuple[int, int, int]
Case = tuple[Shape, dict[str, Any]]
Method = ColumnConvolution | TileConvolution

# The methods divide the work by kernel, stride and channels: the tables have cases for each.
CASES: list[Case] = [
    ((5, 7, 1), {"kernel": 3}),
    ((6, 6, 2), {"kernel": 3, "padding": 1}),
    ((7, 5, 3), {"kernel": [3, 2], "padding": [1, 0]}),
    ((9, 9, 3), {"kernel": 5, "stride": 2, "padding": 2}),
    ((6, 5, 2), {"kernel": 1, "stride": 2}),
    ((5, 4, 9), {"kernel": 1}),
    ((9, 8, 8), {"kernel": 5}),
    ((7, 8, 8), {"kernel": [2, 3]}),
    ((7, 7, 8), {"kernel": 3, "stride": 2, "padding": 1}),
    ((8, 7, 9), {"kernel": 3, "stride": [2, 1]}),
    ((6, 9, 2), {"kernel": [2, 3], "stride": [1, 3], "padding": [0, 2]}),
]
# One channel, of which the columns are laid out the other way round.
CASES_OF_ONE_CHANNEL: list[Case] = [
    ((6, 10, 1), {"kernel": 3}),
    ((7, 8, 1), {"kernel": 5, "padding": 2}),
    ((5, 12, 1), {"kernel": [2, 3], "stride": [1, 3]}),
    ((7, 9, 1), {"kernel": 3, "stride": 2, "padding": [1, 0]}),
]
# Kernels of three by three at stride 1 over many channels: both methods can do these.
CASES_FOR_BOTH: list[Case] = [
    ((3, 3, 8), {"kernel": 3}),
    ((6, 7, 8), {"kernel": 3}),
    ((7, 9, 8), {"kernel": 3, "padding": 1}),
    ((5, 6, 10), {"kernel": 3, "padding": 2}),
    ((8, 5, 9), {"kernel": 3, "padding": [0, 1]}),
    ((12, 15, 8), {"kernel": 3}),
    ((13, 11, 8), {"kernel": 3, "padding": [2, 1]}),
    ((1, 4, 8), {"kernel": 3, "padding": 1}),
]


def make_convolution(
    shape: Shape, settings: dict[str, Any], *, filters: int = 5, **others: Any
) -> Network:
    return make_image_network([{"kind": "conv2d", "filters": filters, **settings}], shape, **others)


def random_images(count: int, shape: Shape, seed: int = 3) -> Array:
    return np.asarray(np.random.default_rng(seed).normal(size=(count, *shape)))


# ---- what it computes --------------------------------------------------------------------------
@pytest.mark.parametrize("images_at_once", [2, 3], ids=["blocks of 2", "blocks of 3"])
@pytest.mark.parametrize(("dtype", "error"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize(
    ("shape", "settings"), CASES + CASES_OF_ONE_CHANNEL + CASES_FOR_BOTH, ids=str
)
def test_it_computes_what_the_plain_one_computes(
    shape: Shape, settings: dict[str, Any], dtype: Any, error: float, images_at_once: int
) -> None:
    """Outputs and all gradients, of blocks of which the last may be smaller."""
    network = make_convolution(shape, settings, dtype=dtype, images_at_once=images_at_once)
    check_against_plain(network, random_images(5, shape).astype(dtype), error=error)


# ---- the methods -------------------------------------------------------------------------------
def run_method(
    method: Method,
    blocks: list[Array],
    weight: Array,
    seed: int,
) -> list[Array]:
    """All that a method computes for these blocks of images: outputs and gradients."""
    filters = weight.shape[-1]
    rng = np.random.default_rng(seed)
    shape = (method.rows, method.columns, filters)
    maps = [maps_of(block) for block in blocks]
    outputs = [np.empty((*shape[:2], len(block), filters)) for block in blocks]
    kept = [np.empty(method.kept(len(block))) for block in blocks]
    grad_images = [np.empty_like(block) for block in maps]
    grad_weight, grad_bias = np.empty_like(weight), np.empty(filters)
    method.allocate(weight.dtype)
    method.prepare(weight, rng.normal(size=filters))
    for block, output, own in zip(maps, outputs, kept, strict=True):
        method.forward(block, output, own)
    method.begin_backward()
    for block, grad, own in zip(maps, grad_images, kept, strict=True):
        weights = rng.normal(size=(block.shape[2], *shape))
        method.backward(block, maps_of(weights), grad, own)
    method.end_backward(grad_weight, grad_bias)
    return [*map(images_of, outputs), *map(images_of, grad_images), grad_weight, grad_bias]


def run_plain(layer: plain.Conv2D, blocks: list[Array], seed: int) -> list[Array]:
    """The same by the plain convolution: of all blocks in one go."""
    rng = np.random.default_rng(seed)
    layer.bias[...] = rng.normal(size=layer.bias.shape)
    images = np.concatenate(blocks)
    outputs = layer.forward(images)
    weights = [rng.normal(size=(len(block), *outputs.shape[1:])) for block in blocks]
    grad_images = layer.backward(np.concatenate(weights))
    cuts = np.cumsum([len(block) for block in blocks])[:-1]
    return [*np.split(outputs, cuts), *np.split(grad_images, cuts), *layer.gradients]


def methods_for(shape: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Iterator[Method]:
    """Every method that is able to do this, whether or not a layer would choose it."""
    yield ColumnConvolution(shape, kernel=kernel, stride=stride, padding=padding)
    if kernel == (KERNEL, KERNEL) and stride == (1, 1):
        yield TileConvolution(shape, filters=4, padding=padding)


@pytest.mark.parametrize(
    ("shape", "settings"), CASES + CASES_OF_ONE_CHANNEL + CASES_FOR_BOTH, ids=str
)
def test_every_method_computes_what_the_plain_one_computes(
    shape: Shape, settings: dict[str, Any]
) -> None:
    kernel = as_pair(settings["kernel"])
    stride, padding = as_pair(settings.get("stride", 1)), as_pair(settings.get("padding", 0))
    weight = np.random.default_rng(4).normal(size=(*kernel, shape[2], 4))
    layer = plain.Conv2D(weight, np.zeros(4), stride=stride, padding=padding)
    for method in methods_for(shape, kernel, stride, padding):
        # Once more with other images: nothing of the first time may be left in scratch memory.
        for seed in (5, 6):
            blocks = [random_images(3, shape, seed), random_images(2, shape, seed + 10)]
            results = run_plain(layer, blocks, seed), run_method(method, blocks, weight, seed)
            for expected, result in zip(*results, strict=True):
                scale = np.abs(expected).max()
                np.testing.assert_allclose(
                    result, expected, rtol=0.0, atol=1e-13 * scale, err_msg=str(method)
                )


def test_a_channel_that_was_added_is_one_like_any_other() -> None:
    """NumPy gives an axis that indexing with None adds a stride of 0."""
    network = make_convolution((6, 7, 1), {"kernel": 3})
    images = random_images(3, (6, 7, 1))
    added = images[..., 0].copy()[..., np.newaxis]
    np.testing.assert_array_equal(forward(network, added), forward(network, images))


@pytest.mark.parametrize(
    ("shape", "settings", "method"),
    [
        ((28, 28, 1), {"kernel": 3}, ColumnConvolution),
        ((12, 12, 16), {"kernel": 3}, TileConvolution),
        ((12, 12, 16), {"kernel": [3, 2]}, ColumnConvolution),
        ((12, 12, 16), {"kernel": 3, "stride": 2}, ColumnConvolution),
        ((12, 12, 16), {"kernel": 5}, ColumnConvolution),
    ],
    ids=str,
)
def test_each_convolution_gets_its_fastest_method(
    shape: Shape, settings: dict[str, Any], method: type
) -> None:
    (layer,) = make_convolution(shape, settings).layers
    assert isinstance(layer, Conv2D)
    assert isinstance(layer._method, method)


@pytest.mark.parametrize("name", ["columns", "winograd"])
def test_the_parameters_gradients_are_the_same_without_those_of_the_images(name: str) -> None:
    shape, padding = (5, 4, 8), (1, 1)
    method: Method
    if name == "columns":
        method = ColumnConvolution(shape, kernel=(3, 3), stride=(1, 1), padding=padding)
    else:
        method = TileConvolution(shape, filters=2, padding=padding)
    rng = np.random.default_rng(7)
    images, weight = maps_of(random_images(3, shape)), rng.normal(size=(3, 3, 8, 2))
    grad_outputs = rng.normal(size=(5, 4, 3, 2))
    method.allocate(weight.dtype)
    method.prepare(weight, np.zeros(2))
    kept = np.empty(method.kept(3))
    method.forward(images, np.empty_like(grad_outputs), kept)
    gradients = []
    for grad_images in (np.empty_like(images), None):
        grad_weight, grad_bias = np.empty_like(weight), np.empty(2)
        method.begin_backward()
        method.backward(images, grad_outputs, grad_images, kept)
        method.end_backward(grad_weight, grad_bias)
        gradients.append((grad_weight, grad_bias))
    for with_images, without in zip(*gradients, strict=True):
        np.testing.assert_array_equal(with_images, without)


@pytest.mark.parametrize("images_at_once", [1, 2])
def test_gradients_do_not_depend_on_how_many_images_are_taken_at_once(images_at_once: int) -> None:
    layers: list[dict[str, Any]] = [
        {"kind": "conv2d", "filters": 8, "padding": 1},
        {"kind": "relu"},
        {"kind": "conv2d", "filters": 6, "kernel": [3, 2]},
        {"kind": "leaky_relu"},
        {"kind": "conv2d", "filters": 3, "kernel": 2, "stride": 2},
        {"kind": "flatten"},
        {"kind": "dense", "units": 4},
    ]
    images = random_images(5, (7, 6, 2))
    results = []
    for count in (images_at_once, len(images)):
        network = make_image_network(layers, (7, 6, 2), images_at_once=count)
        outputs = forward(network, images)
        results.append((outputs, *backward(network, np.cos(outputs))))
    for few, all_at_once in zip(*results, strict=True):
        np.testing.assert_allclose(few, all_at_once, rtol=1e-11, atol=1e-12)


# ---- what is refused ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((4, 9, 1), {"kernel": 5}, "kernel of 5x5 does not fit into 4x9 pixels"),
        ((9, 2, 8), {"kernel": 3}, "kernel of 3x3 does not fit into 9x2 pixels"),
        ((9, 2, 1), {"kernel": [1, 5], "stride": 4, "padding": 1}, "kernel of 1x5 does not fit"),
    ],
    ids=str,
)
def test_a_kernel_that_is_larger_than_the_image(
    shape: Shape, settings: dict[str, Any], message: str
) -> None:
    layers = [{"kind": "relu"}, {"kind": "conv2d", "filters": 2, **settings}]
    with pytest.raises(ValueError, match=rf"^layer 2 \(conv2d\): .*{message}"):
        Network(layers, shape)


def test_padding_makes_room_for_a_kernel_that_is_larger_than_the_image() -> None:
    network = make_convolution((2, 2, 1), {"kernel": 3, "padding": 1})
    assert network.output_shape == (2, 2, 5)


def test_rows_instead_of_images() -> None:
    layers: list[dict[str, Any]] = [{"kind": "flatten"}, {"kind": "conv2d", "filters": 2}]
    with pytest.raises(ValueError, match=r"^layer 2 \(conv2d\): .*\(H, W, C\), got \(9"):
        Network(layers, (3, 3, 1))
