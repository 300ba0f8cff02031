"""A temperature makes probabilities as sure as they are right."""

import numpy as np
import pytest

from pipeline.nn import Examples, Network, softmax
from pipeline.runs.metrics import expected_calibration_error
from pipeline.training import network_run
from pipeline.training.calibration import fit_temperature
from pipeline.training.prediction import Model, predict


def drawn(temperature: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from what they say at this temperature."""
    rng = np.random.default_rng(0)
    logits = 4.0 * rng.normal(size=(count, 10))
    right = softmax(logits / temperature)
    return logits, (rng.random((count, 1)) > right.cumsum(axis=1)).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_temperature_of_which_labels_were_drawn_is_found(temperature: float) -> None:
    logits, labels = drawn(temperature, 20_000)
    found = fit_temperature(labels, softmax(logits).astype(np.float32))
    assert found == pytest.approx(temperature, rel=0.03)
    assert expected_calibration_error(labels, softmax(logits / found)) < 0.01


def test_digits_that_are_all_right_do_not_make_it_nothing() -> None:
    probabilities = np.full((300, 10), 0.01, np.float32)
    probabilities[:, 3] = 0.91
    assert 0.1 < fit_temperature(np.full(300, 3), probabilities) < 0.6


def test_a_probability_of_nothing_is_one_of_little() -> None:
    probabilities = np.eye(10, dtype=np.float32)
    labels = np.arange(10)
    labels[0] = 1
    assert np.isfinite(fit_temperature(labels, probabilities))


def test_of_many_digits_some_from_everywhere_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network([{"kind": "flatten"}, {"kind": "dense", "units": 10}], (28, 28, 1))
    rng = np.random.default_rng(0)
    network.initialize(rng=rng)
    images = rng.integers(0, 256, (100, 28, 28), np.uint8)
    labels = rng.integers(0, 10, 100).astype(np.uint8)
    held_out = Examples(images, labels, np.arange(1, 100))
    monkeypatch.setattr(network_run, "ENOUGH_ROWS", 20)
    some = np.arange(1, 100, 5)
    expected = fit_temperature(labels[some], predict(Model(network), images, some))
    assert network_run.calibrate(network, 1, held_out).temperature == expected
