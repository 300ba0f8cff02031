"""What the tests of image layers share: networks in blocks of a few images, and their gradients."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.nn import Network, check_gradient
from pipeline.nn.arrays import MAPS, Array, images_of, maps_of
from pipeline.nn.blocks import Blocks


def make_image_network(
    layers: Sequence[dict[str, Any]],
    shape: tuple[int, ...],
    *,
    images_at_once: int = 2,
    dtype: Any = np.float64,
) -> Network:
    """A network that takes so few images at a time that small batches make several blocks."""
    network = Network(layers, shape, dtype=dtype)
    rng = np.random.default_rng(0)
    network.initialize(rng=rng)
    # Biases away from zero, else an error in them would not show.
    network.parameters[...] += rng.uniform(-0.2, 0.2, network.parameters.shape)
    for step in network._steps:
        if isinstance(step, Blocks):
            step._images_at_once = images_at_once
    return network


def forward(network: Network, inputs: Array) -> Array:
    """A copy of the outputs in training, with the same chance at each call."""
    outputs = network.forward(inputs, training=True, rng=np.random.default_rng(1))
    return np.array(outputs)


def backward(network: Network, grad_outputs: Array) -> tuple[Array, Array]:
    """Copies of the gradients at the inputs and of the parameters.

    A network asks no gradient of its first layer's inputs; its layers can tell it all the same.
    """
    gradient: Array | None = maps_of(grad_outputs) if grad_outputs.ndim == MAPS else grad_outputs
    for step in reversed(network._steps):
        assert gradient is not None
        gradient = step.backward(gradient)
    assert gradient is not None
    inside = images_of(gradient) if gradient.ndim == MAPS else gradient
    grad_inputs = np.zeros((len(inside), *network.input_shape), network.dtype)
    within = slice(network.margin, -network.margin or None)
    part = grad_inputs[:, within, within] if network.margin else grad_inputs
    part[...] = inside.reshape(part.shape)
    return grad_inputs, network.gradients.copy()


def check_all_gradients(network: Network, inputs: Array) -> None:
    """Compare both gradients with central differences; raises ValueError if one is wrong."""
    # Of a loss that sees every output, each in its own proportion.
    weights = np.random.default_rng(2).normal(size=(len(inputs), *network.output_shape))

    def loss() -> float:
        return float(np.vdot(weights, forward(network, inputs)))

    loss()
    grad_inputs, gradients = backward(network, weights)
    check_gradient(loss, inputs, grad_inputs, name="input")
    check_gradient(loss, network.parameters, gradients, name="parameters")
    # What a network really does: it stops before the input.
    network.backward(weights)
    np.testing.assert_allclose(network.gradients, gradients, rtol=1e-12, atol=1e-12)
