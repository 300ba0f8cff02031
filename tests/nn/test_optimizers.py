"""Optimizer steps beside the same steps worked by hand."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.nn import SGD, AdamW
from pipeline.nn.arrays import Array
from pipeline.nn.optimizers import Optimizer


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


@pytest.mark.parametrize(
    "make",
    [
        lambda: SGD(learning_rate=0.1, momentum=0.9, nesterov=True, l2=0.01),
        lambda: AdamW(learning_rate=0.1, weight_decay=0.1),
    ],
)
def test_any_cut_into_spans_gives_the_same_bits(make: Callable[[], Optimizer]) -> None:
    def steps(spans: list[slice]) -> Array:
        rng = np.random.default_rng(0)
        parameters = rng.normal(size=100).astype(np.float32)
        optimizer = make()
        optimizer.prepare(parameters)
        for _ in range(3):
            gradients = rng.normal(size=100).astype(np.float32)
            optimizer.begin_step(0.5)
            for span in spans:
                optimizer.update(parameters, gradients, span, 60)
        return parameters

    whole = steps([slice(0, 100)])
    cut = steps([slice(50, 100), slice(0, 17), slice(17, 50)])
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
