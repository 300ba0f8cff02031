"""Image layers together: block by block they compute what they compute one after the other."""

from typing import Any

import numpy as np
import pytest

from pipeline.nn.arrays import Array
from pipeline.nn.base import Layer
from pipeline.nn.network import LAYERS as LAYERS_BY_KIND
from tests.nn.image_networks import backward, check_all_gradients, forward, make_image_network

SHAPE = (6, 5, 1)
# Both methods of convolution, and batch norm, which looks at the whole batch and so ends a block.
LAYERS: list[dict[str, Any]] = [
    {"kind": "conv2d", "filters": 8, "padding": 1},
    {"kind": "relu"},
    {"kind": "max_pool2d", "size": 2, "stride": 1},
    {"kind": "dropout", "rate": 0.25, "channels": True},
    {"kind": "conv2d", "filters": 4, "kernel": [3, 1]},
    {"kind": "batch_norm"},
    {"kind": "leaky_relu"},
    {"kind": "avg_pool2d", "size": [3, 1]},
    {"kind": "dropout", "rate": 0.25},
    {"kind": "flatten"},
    {"kind": "dense", "units": 3},
]
# A layer that does nothing.
NOTHING = {"kind": "dropout", "rate": 0.0}


def random_images(count: int, shape: tuple[int, int, int] = SHAPE, seed: int = 3) -> Array:
    return np.asarray(np.random.default_rng(seed).normal(size=(count, *shape)))


# ---- derivatives -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "layers",
    [
        [
            {"kind": "conv2d", "filters": 3, "kernel": [3, 2]},
            {"kind": "relu"},
            {"kind": "max_pool2d"},
            {"kind": "dropout", "rate": 0.3},
            {"kind": "flatten"},
            {"kind": "dense", "units": 4},
        ],
        [
            {"kind": "conv2d", "filters": 2},
            {"kind": "batch_norm"},
            {"kind": "relu"},
            {"kind": "conv2d", "filters": 2, "kernel": 2},
            {"kind": "global_avg_pool"},
        ],
        LAYERS,
    ],
    ids=["one block layer", "batch norm between", "all kinds"],
)
def test_a_whole_networks_gradient_is_its_derivative(layers: list[dict[str, Any]]) -> None:
    check_all_gradients(make_image_network(layers, SHAPE), random_images(3))


# ---- layers of one's own -----------------------------------------------------------------------
class Own(Layer):
    """What a layer says of itself is left at what it is, which is right for any."""

    by_image = True


class Tanh(Own):
    """Its derivative is taken from its outputs."""

    def forward(self, inputs: Array, **_: Any) -> Array:
        self._outputs = np.tanh(inputs, out=self.outputs(inputs.shape, inputs.dtype))
        return self._outputs

    def backward(self, grad_output: Array, **_: Any) -> Array:
        return grad_output * (1.0 - self._outputs**2)


class Square(Own):
    """Its derivative is taken from its inputs."""

    def forward(self, inputs: Array, **_: Any) -> Array:
        self._inputs = inputs
        return np.square(inputs, out=self.outputs(inputs.shape, inputs.dtype))

    def backward(self, grad_output: Array, **_: Any) -> Array:
        return 2.0 * grad_output * self._inputs


class Same(Own):
    """Its outputs are the inputs themselves, of which the next layer knows nothing."""

    def forward(self, inputs: Array, **_: Any) -> Array:
        return inputs

    def backward(self, grad_output: Array, **_: Any) -> Array:
        return grad_output


@pytest.mark.parametrize("own", [[Tanh], [Square], [Same, Square], [Tanh, Same]])
def test_a_layer_of_ones_own_has_the_right_gradient_in_every_block(
    own: list[type[Layer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for layer in own:
        monkeypatch.setitem(LAYERS_BY_KIND, layer.__name__, layer)
    layers: list[dict[str, Any]] = [
        {"kind": "conv2d", "filters": 2},
        *({"kind": layer.__name__} for layer in own),
        {"kind": "avg_pool2d"},
    ]
    check_all_gradients(make_image_network(layers, SHAPE, images_at_once=2), random_images(5))


# ---- a rectifier before max pooling ------------------------------------------------------------
@pytest.mark.parametrize(
    "pooling",
    [
        {"kind": "max_pool2d"},
        {"kind": "max_pool2d", "size": 3, "stride": 2},
        {"kind": "max_pool2d", "size": [1, 2], "stride": [3, 1]},
        {"kind": "avg_pool2d"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "rectifiers",
    [
        [{"kind": "relu"}],
        [{"kind": "leaky_relu", "slope": 0.3}],
        [{"kind": "leaky_relu", "slope": 0.0}],
        [{"kind": "leaky_relu", "slope": 0.5}, {"kind": "relu"}],
    ],
    ids=str,
)
def test_a_rectifier_before_pooling_is_applied_as_if_before_it(
    rectifiers: list[dict[str, Any]], pooling: dict[str, Any]
) -> None:
    """A layer in between that does nothing keeps the two in the order in which they are written."""
    convolution = {"kind": "conv2d", "filters": 3, "kernel": 2}
    written = make_image_network([convolution, *rectifiers, NOTHING, pooling], (7, 6, 2))
    network = make_image_network([convolution, *rectifiers, pooling], (7, 6, 2))
    images = random_images(5, (7, 6, 2)) - 0.3  # so that whole windows are negative, too
    results = []
    for one in (written, network):
        outputs = forward(one, images)
        results.append((outputs, *backward(one, np.cos(100.0 * outputs))))
    for expected, result in zip(*results, strict=True):
        np.testing.assert_array_equal(result, expected)


def test_a_rectifier_before_pooling_beside_values_worked_by_hand() -> None:
    layers: list[dict[str, Any]] = [{"kind": "leaky_relu", "slope": 0.5}, {"kind": "max_pool2d"}]
    network = make_image_network(layers, (2, 4, 1))
    images = np.array([[-4.0, -2.0, 1.0, 3.0], [-8.0, -6.0, -5.0, 2.0]]).reshape(1, 2, 4, 1)
    np.testing.assert_array_equal(forward(network, images).ravel(), [-1.0, 3.0])
    grad_images, _ = backward(network, np.array([10.0, 20.0]).reshape(1, 1, 2, 1))
    np.testing.assert_array_equal(
        grad_images.reshape(2, 4), [[0.0, 5.0, 0.0, 20.0], [0.0, 0.0, 0.0, 0.0]]
    )


# ---- blocks ------------------------------------------------------------------------------------
def test_prediction_in_blocks_is_that_of_one_image_at_a_time() -> None:
    network = make_image_network(LAYERS, SHAPE, images_at_once=3)
    images = random_images(8)
    one_by_one = np.concatenate([network.predict(image[np.newaxis]) for image in images])
    np.testing.assert_allclose(network.predict(images), one_by_one, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_larger_batch_before_leaves_no_trace(dtype: Any) -> None:
    """Whether it was trained on or predicted, to the last bit."""
    layers = [layer for layer in LAYERS if layer["kind"] != "batch_norm"]  # it remembers, and may
    used, fresh = (
        make_image_network(layers, SHAPE, images_at_once=3, dtype=dtype) for _ in range(2)
    )
    backward(used, forward(used, random_images(8, seed=4).astype(dtype)))
    used.predict(random_images(10, seed=5).astype(dtype))
    results = []
    for network in (used, fresh):
        outputs = forward(network, random_images(5).astype(dtype))
        results.append((outputs, *backward(network, np.cos(outputs))))
    for trace, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(trace, expected)


@pytest.mark.parametrize("images_at_once", [1, 2])
def test_a_layer_that_does_nothing_changes_nothing(images_at_once: int) -> None:
    """Between layers of which the second looks at its inputs once more for the gradient."""
    convolution = {"kind": "conv2d", "filters": 2, "kernel": 2}
    with_it, without = (
        make_image_network(layers, SHAPE, images_at_once=images_at_once)
        for layers in ([convolution, NOTHING, convolution], [convolution, convolution])
    )
    images = random_images(5)
    results = []
    for network in (with_it, without):
        outputs = forward(network, images)
        results.append((outputs, *backward(network, np.cos(outputs))))
    for result, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(result, expected)
