"""The plain network that computes what a network computes: what its layers are tested against."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.nn import Network, plain
from pipeline.nn.arrays import Array
from pipeline.nn.conv import as_pair
from tests.nn.image_networks import backward, forward


def plain_twin(network: Network) -> list[plain.Layer]:
    """Plain layers in the same order, with copies of the same weights; dropout drops nothing."""
    twins: list[plain.Layer] = []
    shapes = [network.input_shape, *(layer.output_shape for layer in network.layers)]
    for config, layer, shape in zip(network.config, network.layers, shapes, strict=False):
        values = {name: array.copy() for name, array in layer.values.items()}
        twins.extend(_twins(config, values, shape[-1], shape))
    return twins


def _twins(
    config: dict[str, Any], values: dict[str, Array], channels: int, shape: tuple[int, ...]
) -> Iterator[plain.Layer]:
    kind = config["kind"]
    size = as_pair(config.get("size", 2))
    stride = as_pair(config.get("stride", size if "pool" in kind else 1))
    match kind:
        case "flatten":
            yield plain.Flatten()
        case "dense":
            yield plain.Dense(**values)
        case "relu":
            yield plain.ReLU()
        case "leaky_relu":
            yield plain.ReLU(config.get("slope", 0.01))
        case "dropout":
            yield plain.Dropout(0.0, rng=np.random.default_rng(0))
        case "batch_norm":
            layer = plain.BatchNorm(values["scale"], values["shift"])
            layer.momentum = config.get("momentum", layer.momentum)
            layer.running_mean = values["running_mean"]
            layer.running_variance = values["running_variance"]
            yield layer
        case "conv2d":
            padding = as_pair(config.get("padding", 0))
            yield plain.Conv2D(**values, stride=stride, padding=padding)
        case "max_pool2d":
            yield plain.MaxPool2D(size, stride=stride)
        case "avg_pool2d":
            yield _mean_of_windows(size, stride, channels)
        case "global_avg_pool":
            yield _mean_of_windows((shape[0], shape[1]), (1, 1), channels)
            yield plain.Flatten()
        case _:
            raise NotImplementedError(kind)


def _mean_of_windows(size: plain.Pair, stride: plain.Pair, channels: int) -> plain.Layer:
    """A mean is a convolution, too: every pixel of the window counts as much."""
    weight = np.broadcast_to(np.eye(channels) / (size[0] * size[1]), (*size, channels, channels))
    return plain.Conv2D(weight, np.zeros(channels), stride=stride)


def plain_pass(
    layers: list[plain.Layer], inputs: Array, grad_outputs: Array
) -> tuple[Array, Array]:
    """Forward and backward: outputs, and the gradient at the inputs."""
    for layer in layers:
        inputs = layer.forward(inputs)
    for layer in reversed(layers):
        grad_outputs = layer.backward(grad_outputs)
    return inputs, grad_outputs


def check_against_plain(network: Network, inputs: Array, *, error: float) -> None:
    """Outputs, and gradients of inputs and parameters, are the plain network's.

    Twice with different inputs, so that nothing of the first time may be left in memory.
    error: that is allowed, relative to the largest value of each array.
    """
    twins = plain_twin(network)
    for number in (1, 2):
        outputs = forward(network, inputs)
        weights = np.random.default_rng(number).normal(size=outputs.shape).astype(outputs.dtype)
        grad_inputs, _ = backward(network, weights.copy())
        expected, expected_inputs = plain_pass(twins, np.array(inputs, np.float64), weights)
        _compare(outputs, expected, error, "outputs")
        _compare(grad_inputs, expected_inputs, error, "inputs")
        learning = [layer for layer in network.layers if layer.gradients]
        plain_learning = [twin for twin in twins if twin.gradients]
        for layer, twin in zip(learning, plain_learning, strict=False):
            for (name, found), told in zip(layer.gradients.items(), twin.gradients, strict=True):
                _compare(found, told, error, name)
        inputs = np.flip(inputs, axis=0) * inputs.dtype.type(0.5)


def _compare(found: Array, expected: Array, error: float, name: str) -> None:
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=error * scale, err_msg=name)
