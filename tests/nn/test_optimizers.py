"""Optimizer steps beside the same steps worked by hand."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.nn import SGD, AdamW, Muon
from pipeline.nn.arrays import Array
from pipeline.nn.base import Matrix
from pipeline.nn.optimizers import Optimizer
from tests.nn.networks import make_network


def run(optimizer: Optimizer, gradients: list[float], *, start: float = 1.0) -> list[float]:
    """Return the value of one weight after each step."""
    parameters = np.array([start])
    optimizer.prepare(parameters)
    values = []
    for gradient in gradients:
        optimizer.begin_step(1.0)
        optimizer.update(parameters, np.array([gradient]), slice(0, 1), 1)
        values.append(float(parameters[0]))
    return values


def test_gradient_descent() -> None:
    assert run(SGD(learning_rate=0.1), [2.0, -1.0]) == pytest.approx([0.8, 0.9])


def test_momentum() -> None:
    # v = 2, then 0.9 * 2 + 1 = 2.8
    values = run(SGD(learning_rate=0.1, momentum=0.9), [2.0, 1.0])
    assert values == pytest.approx([0.8, 0.8 - 0.28])


def test_nesterov() -> None:
    # v = 2, step 2 + 0.9 * 2 = 3.8; then v = 2.8, step 1 + 0.9 * 2.8 = 3.52
    values = run(SGD(learning_rate=0.1, momentum=0.9, nesterov=True), [2.0, 1.0])
    assert values == pytest.approx([0.62, 0.62 - 0.352])


def test_adamw() -> None:
    # After one step the corrected mean is g and the corrected variance g^2: the step is the rate.
    # After gradients 2 and 1 the mean is 0.9 * 0.2 + 0.1, the variance 0.999 * 0.004 + 0.001.
    mean, variance = 0.28 / 0.19, 0.004996 / 0.001999
    values = run(AdamW(learning_rate=0.1), [2.0, 1.0])
    assert values == pytest.approx([0.9, 0.9 - 0.1 * mean / math.sqrt(variance)])


def test_l2_adds_to_the_gradient_and_weight_decay_does_not() -> None:
    assert run(SGD(learning_rate=0.1, l2=0.5), [2.0]) == pytest.approx([1.0 - 0.1 * 2.5])
    # Adam divides the gradient by its size, and decoupled decay is left out of that.
    assert run(AdamW(learning_rate=0.1, weight_decay=0.5), [2.0]) == pytest.approx([0.95 - 0.1])


@pytest.mark.parametrize(
    "optimizer", [SGD(learning_rate=0.1, l2=0.5), AdamW(learning_rate=0.1, weight_decay=0.5)]
)
def test_only_weights_are_regularized(optimizer: Optimizer) -> None:
    parameters = np.ones(3)
    optimizer.prepare(parameters)
    optimizer.begin_step(1.0)
    optimizer.update(parameters, np.zeros(3), slice(0, 3), 2)
    assert parameters[0] == parameters[1] < 1.0
    assert parameters[2] == 1.0


# Of 60 weights: two matrices of hidden layers from 10 to 45, one high and one wide.
MATRICES = [Matrix(0, 2, 5), Matrix(10, 5, 3), Matrix(25, 4, 5), Matrix(45, 5, 3)]


def finish(optimizer: Optimizer, parameters: Array, gradients: Array, workers: int = 1) -> None:
    """Let so many workers finish a step, who wait for one another wherever they must meet."""
    each = [optimizer.finish(parameters, gradients, n, workers) for n in range(workers)]
    for _ in zip(*each, strict=True):
        pass


@pytest.mark.parametrize(
    "make",
    [
        lambda: SGD(learning_rate=0.1, momentum=0.9, nesterov=True, l2=0.01),
        lambda: AdamW(learning_rate=0.1, weight_decay=0.1),
        lambda: Muon(learning_rate=0.1, weight_decay=0.1, l2=0.01),
    ],
)
def test_any_cut_into_spans_gives_the_same_bits(make: Callable[[], Optimizer]) -> None:
    def steps(spans: list[slice], workers: int) -> Array:
        rng = np.random.default_rng(0)
        parameters = rng.normal(size=100).astype(np.float32)
        optimizer = make()
        optimizer.prepare(parameters, MATRICES)
        for _ in range(3):
            gradients = rng.normal(size=100).astype(np.float32)
            optimizer.begin_step(0.5)
            for span in spans:
                optimizer.update(parameters, gradients, span, 60)
            finish(optimizer, parameters, gradients, workers)
        return parameters

    whole = steps([slice(0, 100)], 1)
    cut = steps([slice(50, 100), slice(0, 17), slice(17, 50)], 3)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(whole, cut)


def test_the_schedules_factor_scales_the_step() -> None:
    parameters = np.array([1.0])
    optimizer = SGD(learning_rate=0.1)
    optimizer.prepare(parameters)
    optimizer.begin_step(0.5)
    optimizer.update(parameters, np.array([2.0]), slice(0, 1), 1)
    assert parameters[0] == pytest.approx(0.9)


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ValueError, match="momentum"):
        SGD(learning_rate=0.1, nesterov=True)


# ---- Muon ---------------------------------------------------------------------------------------
def muon_steps(
    gradients: list[Array], start: Array, *, workers: int = 1, factor: float = 1.0, **settings: Any
) -> Array:
    """Return the matrix of a hidden layer after steps with these gradients, and no others."""
    rows, columns = start.shape
    hidden = Matrix(4, rows, columns)
    matrices = [Matrix(0, 2, 2), hidden, Matrix(hidden.span.stop, 1, 3)]
    parameters = np.zeros(hidden.span.stop + 3, start.dtype)
    hidden.of(parameters)[...] = start
    optimizer = Muon(learning_rate=0.1, **settings)
    optimizer.prepare(parameters, matrices)
    for gradient in gradients:
        vector = np.zeros_like(parameters)
        hidden.of(vector)[...] = gradient
        optimizer.begin_step(factor)
        optimizer.update(parameters, vector, slice(0, len(vector)), len(vector))
        finish(optimizer, parameters, vector, workers)
    assert not parameters[: hidden.start].any()
    assert not parameters[hidden.span.stop :].any()
    return hidden.of(parameters)


def quintic(s: Any) -> Any:
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return s


def made_orthogonal(matrix: Array) -> tuple[Array, Array]:
    """What the five steps make of a matrix, by way of its singular values; and these."""
    left, values, right = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    values = quintic(values / np.linalg.norm(values))
    return left * values @ right, values


def test_muon_by_hand() -> None:
    # d = g + 0.95 g; d / |d| has the singular values 3 / 5 and 4 / 5. The first goes to
    # 3.4445 * 0.6 - 4.775 * 0.216 + 2.0315 * 0.07776 = 1.1933, on to 0.9119, 0.8011, 0.9747 and
    # 0.7229; the second to 0.9765, 0.7211, 1.0895, 0.6960 and 1.1192.
    values = muon_steps([np.diag([3.0, -4.0])], np.eye(2), matrix_rate=0.1)
    np.testing.assert_allclose(values, [[1 - 0.07229, 0.0], [0.0, 1 + 0.11192]], atol=1e-5)


def test_muon_s_momentum() -> None:
    # v = g, then 0.5 v + h: the second direction is h + 0.5 (0.5 g + h) = 1.5 h + 0.25 g.
    rng = np.random.default_rng(0)
    start, g, h = rng.normal(size=(3, 6, 4))
    first = start - 0.02 * made_orthogonal(g)[0]
    second = first - 0.02 * made_orthogonal(1.5 * h + 0.25 * g)[0]
    found = muon_steps([g, h], start, momentum=0.5)
    np.testing.assert_allclose(found, second, atol=1e-7)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("shape", [(576, 128), (70, 64), (33, 200), (5, 5), (1, 4), (4, 1), (1, 1)])
def test_a_direction_of_muon_s_is_orthogonal_nearly(shape: tuple[int, int], workers: int) -> None:
    """High and wide matrices, in one part and in several; a wide one goes further."""
    gradient = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    step = -muon_steps([gradient], np.zeros_like(gradient), workers=workers, matrix_rate=1.0)
    step = step / math.sqrt(max(1.0, shape[1] / shape[0]))
    expected, values = made_orthogonal(gradient)
    np.testing.assert_allclose(step, expected, atol=1e-3)
    # The numbers that the polynomial promises, of what is not tiny beside the rest.
    assert 0.68 < min(values) <= max(values) < 1.21
    found = np.linalg.svd(step, compute_uv=False)
    np.testing.assert_allclose(np.sort(found), np.sort(values), atol=1e-3)


def test_muon_where_a_direction_is_missing_or_all_are() -> None:
    """Singular values of zero, as of a dead unit, stay zero; so does a gradient of zeros."""
    gradient = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    gradient[:, 3] = 0.0
    gradient[:, 5] = gradient[:, 6]
    step = -muon_steps([gradient], np.zeros_like(gradient), matrix_rate=1.0)
    np.testing.assert_allclose(step, made_orthogonal(gradient)[0], atol=2e-3)
    assert not step[:, 3].any()
    assert not muon_steps([np.zeros_like(gradient)], np.zeros_like(gradient)).any()


@pytest.mark.parametrize("size", [1e-4, 1e8])
def test_the_size_of_a_gradient_is_nothing_to_muon(size: float) -> None:
    gradient = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    one, other = (
        muon_steps([each], np.zeros_like(gradient)) for each in (gradient, size * gradient)
    )
    np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-5)


def test_muon_s_matrices_decay_by_their_own_rate_and_by_the_schedule() -> None:
    start, gradient = np.eye(2), np.zeros((2, 2))
    decayed = muon_steps([gradient], start, matrix_rate=0.2, weight_decay=0.3, factor=0.5)
    np.testing.assert_allclose(decayed, 0.97 * start)
    # d = l2 W (1 + momentum), whose two singular values are the same.
    regularized = muon_steps([gradient], start, matrix_rate=0.2, l2=0.3, factor=0.5)
    np.testing.assert_allclose(regularized, start * (1 - 0.1 * quintic(math.sqrt(0.5))), rtol=1e-6)


def test_all_that_is_not_of_a_hidden_layer_goes_adamw_s_way() -> None:
    """To the last bit: the first and the last layer's weights, and biases and scales."""
    adamw = {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.9, "epsilon": 1e-3, "l2": 0.01}
    results = []
    for optimizer in (AdamW(**adamw, weight_decay=0.2), Muon(**adamw, weight_decay=0.2)):
        rng = np.random.default_rng(0)
        parameters = rng.normal(size=100).astype(np.float32)
        optimizer.prepare(parameters, MATRICES)
        for _ in range(3):
            gradients = rng.normal(size=100).astype(np.float32)
            optimizer.begin_step(0.5)
            optimizer.update(parameters, gradients, slice(0, 100), 60)
            finish(optimizer, parameters, gradients)
        results.append(parameters)
    same = results[0] == results[1]
    assert same[:10].all()
    assert same[45:].all()
    assert not same[10:45].any()


def test_a_network_says_where_its_matrices_lie() -> None:
    layers: list[dict[str, Any]] = [
        {"kind": "conv2d", "filters": 4, "kernel": [3, 2]},
        {"kind": "batch_norm"},
        {"kind": "relu"},
        {"kind": "conv2d", "filters": 3, "kernel": 2},
        {"kind": "flatten"},
        {"kind": "dense", "units": 7},
        {"kind": "dense", "units": 10},
    ]
    network = make_network(layers)
    weights = [layer.values["weight"] for layer in network.layers if "weight" in layer.values]
    assert len(network.matrices) == len(weights) == 4
    for matrix, values in zip(network.matrices, weights, strict=True):
        assert np.shares_memory(matrix.of(network.parameters), values)
        np.testing.assert_array_equal(
            matrix.of(network.parameters), values.reshape(-1, values.shape[-1])
        )
    assert network.matrices[-1].span.stop == network.weight_count


def test_muon_without_a_hidden_layer_is_refused() -> None:
    dense: list[dict[str, Any]] = [{"kind": "dense", "units": units} for units in (9, 10)]
    network = make_network([{"kind": "flatten"}, *dense])
    with pytest.raises(ValueError, match="three or more layers that have weights; this one has 2"):
        Muon(learning_rate=0.1).prepare(network.parameters, network.matrices)
