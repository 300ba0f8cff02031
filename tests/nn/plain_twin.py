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
            yield MeanOfWindows(size, stride, channels)
        case "global_avg_pool":
            yield MeanOfWindows((shape[0], shape[1]), (1, 1), channels)
            yield plain.Flatten()
        case _:
            raise NotImplementedError(kind)


class MeanOfWindows(plain.Conv2D):
    """A convolution that sees every pixel of a window alike, each channel by itself."""

    def __init__(self, size: plain.Pair, stride: plain.Pair, channels: int) -> None:
        weight = np.zeros((*size, channels, channels))
        weight[:, :] = np.eye(channels) / (size[0] * size[1])
        super().__init__(weight, np.zeros(channels), stride=stride)
        self.learnt = ()

    def backward(self, dy: Array) -> Array:
        dx = super().backward(dy)
        self.gradients = ()
        return np.asarray(dx)


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
    """Outputs, and gradients of inputs and parameters, are the plain network's, in its own dtype.

    Twice with different inputs, so that nothing of the first time may be left in memory.
    error: that is allowed, relative to the largest value of each array.
    """
    twins = plain_twin(network)
    for number in (1, 2):
        outputs = forward(network, inputs)
        weights: Array = np.asarray(np.random.default_rng(number).normal(size=outputs.shape))
        grad_inputs, _ = backward(network, weights.astype(outputs.dtype))
        expected, expected_inputs = plain_pass(twins, np.array(inputs, np.float64), weights)
        assert outputs.dtype == grad_inputs.dtype == network.gradients.dtype == network.dtype
        _compare(outputs, expected, error, "outputs")
        _compare(grad_inputs, expected_inputs, error, "inputs")
        learning = [layer for layer in network.layers if layer.gradients]
        for layer, twin in zip(learning, [twin for twin in twins if twin.learnt], strict=True):
            for (name, found), told in zip(layer.gradients.items(), twin.gradients, strict=True):
                _compare(found, told, error, name)
        inputs = np.flip(inputs, axis=0) * inputs.dtype.type(0.5)


def _compare(found: Array, expected: Array, error: float, name: str) -> None:
    # Sums that cancel to nothing have no size of their own to compare with.
    scale = max(0.01, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=error * scale, err_msg=name)
