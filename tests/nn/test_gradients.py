"""Every backward pass against central differences in float64, to 1e-6 relative."""

from typing import Any

import numpy as np
import pytest

from pipeline.nn import Network, check_gradient, softmax_cross_entropy
from pipeline.nn.arrays import Array
from tests.nn.networks import LAYERS, PLAIN_LAYERS, make_network

INPUT_SHAPE = (4, 3, 2)
SINGLE_LAYERS: dict[str, dict[str, Any]] = {
    "flatten": {"kind": "flatten"},
    "dense": {
        "kind": "dense",
        "units": 5,
        "weight": {"kind": "normal", "scale": 0.5},
        "bias": {"kind": "uniform", "low": -1.0, "high": 1.0},
    },
    "relu": {"kind": "relu"},
    "leaky_relu": {"kind": "leaky_relu", "slope": 0.2},
    "dropout": {"kind": "dropout", "rate": 0.4},
    "batch_norm": {"kind": "batch_norm"},
}


def away_from_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Values at least 0.1 from zero: a rectifier has no derivative at its corner."""
    signs = rng.choice([-1.0, 1.0], shape)
    return np.asarray(signs * rng.uniform(0.1, 1.0, shape))


@pytest.mark.parametrize("training", [True, False], ids=["training", "predicting"])
@pytest.mark.parametrize("kind", SINGLE_LAYERS)
def test_a_layers_gradients_are_its_derivatives(kind: str, training: bool) -> None:
    rng = np.random.default_rng(1)
    shape = (6,) if kind == "dense" else INPUT_SHAPE
    network = Network([SINGLE_LAYERS[kind]], shape, dtype=np.float64)
    network.initialize(rng=rng)
    if kind == "batch_norm":
        network.parameters[...] = rng.uniform(0.5, 1.5, network.parameters.shape)
        network.statistics[...] = rng.uniform(0.5, 1.5, network.statistics.shape)
    (layer,) = network.layers
    # Maps have the images third.
    inputs = away_from_zero(rng, (*shape[:-1], 7, shape[-1]))
    # Of a loss that sees every output, each in its own proportion.
    weights: Array = np.asarray(rng.normal(size=layer.forward(inputs).shape))
    statistics = network.statistics.copy()

    def loss() -> float:
        network.statistics[...] = statistics  # each forward pass in training moves them
        outputs = layer.forward(inputs, training=training, rng=np.random.default_rng(2))
        return float(np.vdot(weights, outputs))

    loss()
    grad_input = layer.backward(weights.copy())
    assert grad_input is not None
    grad_input = grad_input.copy()
    gradients = network.gradients.copy()
    check_gradient(loss, inputs, grad_input, name=f"{kind} input")
    check_gradient(loss, network.parameters, gradients, name=f"{kind} parameters")


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_gradient_is_its_derivative(smoothing: float) -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(scale=3.0, size=(6, 10))
    labels = rng.integers(0, 10, 6)

    def loss() -> float:
        return softmax_cross_entropy(logits, labels, smoothing=smoothing)[0]

    _, gradient = softmax_cross_entropy(logits, labels, smoothing=smoothing)
    check_gradient(loss, logits, gradient, name="logits")


@pytest.mark.parametrize("layers", [LAYERS, PLAIN_LAYERS], ids=["dropout", "plain"])
def test_a_whole_networks_gradient_is_its_derivative(layers: list[dict[str, Any]]) -> None:
    network = make_network(layers, dtype=np.float64)
    rng = np.random.default_rng(4)
    # Biases away from zero, else whole features sit at the corner of their rectifier.
    network.parameters[...] += rng.normal(scale=0.1, size=network.parameters.shape)
    inputs = rng.uniform(0.0, 1.0, (8, 6, 5, 1))
    labels = rng.integers(0, 10, 8)

    def forward() -> tuple[float, Array]:
        logits = network.forward(inputs, training=True, rng=np.random.default_rng(5))
        return softmax_cross_entropy(logits, labels, smoothing=0.1)

    _, grad_logits = forward()
    network.backward(grad_logits)
    check_gradient(
        lambda: forward()[0], network.parameters, network.gradients.copy(), name="network"
    )


def test_the_check_finds_a_wrong_gradient_and_says_where() -> None:
    array = np.array([1.0, 2.0, 3.0])
    wrong = 2.0 * array
    wrong[1] *= 1.0 + 1e-5
    with pytest.raises(ValueError, match=r"square\[1\]: analytic 4\.00004"):
        check_gradient(lambda: float(np.sum(array**2)), array, wrong, name="square")


def test_the_check_refuses_float32() -> None:
    array = np.ones(2, np.float32)
    with pytest.raises(ValueError, match="float64"):
        check_gradient(lambda: 0.0, array, array)


SCALES = [1e-200, 1e-12, 1e-7, 1.0, 1e9, 1e200]


@pytest.mark.parametrize("scale", SCALES)
def test_the_check_fails_at_any_size_of_the_derivatives(scale: float) -> None:
    array = np.array([1.0, 2.0, 3.0])
    right = 2.0 * scale * array

    def check(gradient: Array) -> None:
        check_gradient(lambda: scale * float(np.sum(array**2)), array, gradient)

    check(right)
    slightly = right.copy()
    slightly[1] *= 1.0 + 1e-5
    for wrong in (0.0 * right, -right, 2.0 * right, slightly):
        with pytest.raises(ValueError, match="analytic"):
            check(wrong)


def test_the_check_finds_a_gradient_of_zero_where_the_derivative_is_small() -> None:
    """Beside a loss of the usual size."""
    array = np.ones(3)
    with pytest.raises(ValueError, match=r"analytic 0, numeric (2\.0000|1\.9999)\d*e-07"):
        check_gradient(lambda: 2.0 + 1e-7 * float(np.sum(array**2)), array, np.zeros(3))


def test_the_check_allows_for_what_differences_round_away() -> None:
    array = np.linspace(0.1, 1.0, 50)
    check_gradient(lambda: float(np.sum(array) - np.sum(array[::-1])) + 3.0, array, np.zeros(50))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_the_check_finds_what_is_no_number(wrong: float) -> None:
    array = np.ones(3)
    with pytest.raises(ValueError, match=r"array\[1\]: analytic (nan|inf)"):
        check_gradient(lambda: float(array.sum()), array, np.array([1.0, wrong, 1.0]))
