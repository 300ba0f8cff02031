"""What the layers compute, beside values worked by hand and an independent library."""

import re
from typing import Any

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from pipeline.nn import Network
from pipeline.nn.arrays import Array, images_of, maps_of
from tests.nn.networks import LAYERS, make_network


def single(config: dict[str, object], shape: tuple[int, ...], dtype: type = np.float32) -> Network:
    return make_network([config], shape, dtype)


def test_dense_adds_its_bias_to_the_product() -> None:
    network = single({"kind": "dense", "units": 2}, (3,))
    network.layers[0].values["weight"][...] = [[1, 2], [3, 4], [5, 6]]
    network.layers[0].values["bias"][...] = [10, 20]
    outputs = network.forward(np.array([[1, 0, 2]], np.float32))
    np.testing.assert_array_equal(outputs, [[1 + 10 + 10, 2 + 12 + 20]])


def test_the_bias_gradient_is_one_sum_for_each_unit() -> None:
    network = single({"kind": "dense", "units": 2}, (3,))
    network.forward(np.ones((2, 3), np.float32), training=True)
    network.backward(np.array([[1, 10], [2, 20]], np.float32))
    np.testing.assert_array_equal(network.layers[0].gradients["bias"], [3, 30])


def test_rectifiers() -> None:
    inputs = np.array([[-2.0, 0.0, 3.0]], np.float32)
    relu = single({"kind": "relu"}, (3,)).forward(inputs)
    leaky = single({"kind": "leaky_relu", "slope": 0.25}, (3,)).forward(inputs)
    np.testing.assert_array_equal(relu, [[0.0, 0.0, 3.0]])
    np.testing.assert_array_equal(leaky, [[-0.5, 0.0, 3.0]])


def test_dropout_zeroes_its_share_and_keeps_the_mean() -> None:
    network = single({"kind": "dropout", "rate": 0.3}, (1000,))
    inputs = np.ones((200, 1000), np.float32)
    outputs = network.forward(inputs, training=True, rng=np.random.default_rng(0))
    assert np.mean(outputs == 0.0) == pytest.approx(0.3, abs=0.01)
    assert outputs.mean() == pytest.approx(1.0, abs=0.01)
    np.testing.assert_allclose(np.unique(outputs), [0.0, 1.0 / 0.7], rtol=1e-6)
    np.testing.assert_array_equal(network.forward(inputs), inputs)


def test_dropout_of_channels_zeroes_whole_maps_and_keeps_the_mean() -> None:
    network = single({"kind": "dropout", "rate": 0.3, "channels": True}, (4, 3, 50))
    inputs = np.random.default_rng(0).uniform(0.5, 1.5, (200, 4, 3, 50)).astype(np.float32)
    outputs = network.forward(inputs, training=True, rng=np.random.default_rng(1))
    zeroed = outputs == 0.0
    np.testing.assert_array_equal(zeroed.any(axis=(1, 2)), zeroed.all(axis=(1, 2)))
    assert zeroed.mean() == pytest.approx(0.3, abs=0.02)
    np.testing.assert_allclose(outputs[~zeroed], inputs[~zeroed] / 0.7, rtol=1e-6)
    # Each image by itself, and each of its channels.
    shares = zeroed.all(axis=(1, 2))
    assert shares.mean(axis=0).max() < 0.5
    assert shares.mean(axis=1).max() < 0.6
    np.testing.assert_array_equal(network.forward(inputs), inputs)


@pytest.mark.parametrize("channels", [False, True])
def test_the_gradient_passes_where_dropout_let_the_values_pass(channels: bool) -> None:
    network = single({"kind": "dropout", "rate": 0.5, "channels": channels}, (4, 3, 20))
    (layer,) = network.layers
    ones = np.ones((10, 4, 3, 20), np.float32)
    mask = network.forward(ones, training=True, rng=np.random.default_rng(0)).copy()
    gradient = layer.backward(3.0 * maps_of(ones))
    assert gradient is not None
    gradient = images_of(gradient)
    np.testing.assert_array_equal(gradient, 3.0 * mask)


def test_dropout_without_a_generator_is_refused_in_training() -> None:
    network = single({"kind": "dropout", "rate": 0.3}, (4,))
    with pytest.raises(ValueError, match="rng"):
        network.forward(np.ones((1, 4), np.float32), training=True)


@pytest.mark.parametrize("shape", [(5,), (4, 3, 5)])
def test_batch_norm_normalizes_each_feature_and_follows_the_statistics(
    shape: tuple[int, ...],
) -> None:
    network = single({"kind": "batch_norm", "momentum": 0.25}, shape, np.float64)
    (layer,) = network.layers
    inputs = np.random.default_rng(0).normal(3.0, 2.0, (64, *shape))
    axes = tuple(range(inputs.ndim - 1))
    outputs = network.forward(inputs, training=True)
    np.testing.assert_allclose(outputs.mean(axis=axes), 0.0, atol=1e-12)
    np.testing.assert_allclose(outputs.std(axis=axes), 1.0, atol=1e-4)
    np.testing.assert_allclose(layer.values["running_mean"], 0.25 * inputs.mean(axis=axes))
    np.testing.assert_allclose(
        layer.values["running_variance"], 0.75 + 0.25 * inputs.var(axis=axes)
    )


def test_batch_norm_predicts_with_the_running_statistics() -> None:
    network = single({"kind": "batch_norm", "epsilon": 1e-12}, (2,), np.float64)
    network.layers[0].values["running_mean"][...] = [1.0, 2.0]
    network.layers[0].values["running_variance"][...] = [4.0, 9.0]
    np.testing.assert_allclose(network.forward(np.array([[5.0, 5.0]])), [[2.0, 1.0]])


def test_layers_keep_float32() -> None:
    network = make_network()
    logits = network.forward(
        np.random.default_rng(0).random((3, 6, 5, 1), np.float32),
        training=True,
        rng=np.random.default_rng(0),
    )
    network.backward(logits)
    assert logits.dtype == network.gradients.dtype == np.float32


def test_probabilities_and_gradients_agree_with_scikit_learn() -> None:
    """One step of plain gradient descent by scikit-learn gives away the gradient that it took."""
    rng = np.random.default_rng(0)
    inputs, labels = rng.random((40, 7)), np.arange(40) % 10
    rate = 0.5
    peer = MLPClassifier(
        (6,), solver="sgd", momentum=0.0, alpha=0.0, batch_size=40, learning_rate_init=rate
    )
    peer.partial_fit(inputs, labels, classes=np.arange(10))
    layers: list[dict[str, Any]] = [
        {"kind": "dense", "units": 6},
        {"kind": "relu"},
        {"kind": "dense", "units": 10},
    ]
    network = make_network(layers, (7,), np.float64)

    def take_over() -> None:
        for layer, weight, bias in zip(
            network.layers[::2], peer.coefs_, peer.intercepts_, strict=True
        ):
            layer.values["weight"][...], layer.values["bias"][...] = weight, bias

    take_over()
    before = network.parameters.copy()
    probabilities = network.predict(inputs)
    np.testing.assert_allclose(probabilities, peer.predict_proba(inputs), rtol=1e-10)

    from pipeline.nn import softmax_cross_entropy

    logits = network.forward(inputs, training=True)
    _, grad_logits = softmax_cross_entropy(logits, labels)
    network.backward(grad_logits)
    peer.partial_fit(inputs, labels)
    take_over()
    np.testing.assert_allclose(before - network.parameters, rate * network.gradients, atol=1e-12)


def test_a_wrong_input_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"\(N, \*\(6, 5, 1\)\), got \(2, 28, 28, 1\)"):
        make_network().forward(np.zeros((2, 28, 28, 1), np.float32))


@pytest.mark.parametrize("kind", ["dense", "image"])
def test_a_backward_pass_follows_one_forward_pass_in_training(kind: str) -> None:
    image_layers: list[dict[str, Any]] = [
        {"kind": "conv2d", "filters": 2},
        {"kind": "batch_norm"},
        {"kind": "max_pool2d"},
        {"kind": "flatten"},
        {"kind": "dense", "units": 10},
    ]
    network = make_network(LAYERS if kind == "dense" else image_layers)
    inputs = np.random.default_rng(0).random((5, 6, 5, 1), np.float32)
    gradient = np.ones((5, 10), np.float32)

    def refused(match: str, grad_logits: Array = gradient) -> None:
        before = network.gradients.copy()
        with pytest.raises(ValueError, match=match):
            network.backward(grad_logits)
        np.testing.assert_array_equal(network.gradients, before)

    def train() -> None:
        network.forward(inputs, training=True, rng=np.random.default_rng(0))

    refused("follows a forward pass in training")
    train()
    for wrong in (gradient[:4], gradient[:, :9], gradient[0], gradient[np.newaxis]):
        refused(re.escape(f"logits (5, 10), got {wrong.shape}"), wrong)
    network.backward(gradient)
    refused("follows a forward pass in training")
    train()
    network.forward(inputs)
    refused("follows a forward pass in training")
    train()
    with pytest.raises(ValueError, match="expected inputs"):
        network.forward(inputs[0], training=True)
    refused("follows a forward pass in training")


def test_a_dense_layer_asks_for_flat_inputs() -> None:
    with pytest.raises(ValueError, match=r"layer 1 \(dense\).*flatten"):
        make_network([{"kind": "dense", "units": 3}])
