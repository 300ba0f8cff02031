"""The textbook's page is right by itself, and every fast layer computes what it computes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.nn import SGD, Examples, Settings, Training, check_gradient, plain
from pipeline.nn import softmax_cross_entropy as fast_softmax_cross_entropy
from pipeline.nn.arrays import Array
from pipeline.nn.batches import to_inputs
from pipeline.plan.workspace import Workspace
from tests.nn.image_networks import backward, forward, make_image_network
from tests.nn.networks import make_digits
from tests.nn.plain_twin import check_against_plain, plain_pass, plain_twin

SHAPE = (6, 5, 2)
DTYPES = [(np.float64, 1e-12), (np.float32, 1e-5)]


def values(*shape: int, seed: int = 0) -> Array:
    """No two are equal and none is 0: there, a largest value or a rectifier has no derivative."""
    numbers = np.random.default_rng(seed).permutation(int(np.prod(shape))).reshape(shape)
    return np.asarray(0.01 * numbers - 0.004 * numbers.size - 0.003)


class SameDropout(plain.Dropout):
    """Dropout with the same mask each time."""

    def __init__(self, mask: Array) -> None:
        self.same = mask

    def draw(self, shape: tuple[int, ...]) -> Array:
        assert shape == self.same.shape
        return self.same


# ---- the page by itself ------------------------------------------------------------------------
PLAIN_LAYERS: dict[str, Callable[[], plain.Layer]] = {
    "relu": plain.ReLU,
    "leaky relu": lambda: plain.ReLU(0.2),
    "dropout": lambda: SameDropout(np.random.default_rng(0).random((4, *SHAPE)) > 0.4),
    "batch norm": lambda: plain.BatchNorm(values(2), values(2, seed=1)),
    "convolution": lambda: plain.Conv2D(values(3, 2, 2, 4), values(4)),
    "convolution with strides": lambda: plain.Conv2D(
        values(2, 3, 2, 3), values(3), stride=(2, 1), padding=(1, 2)
    ),
    "max pooling": plain.MaxPool2D,
    "max pooling of windows that overlap": lambda: plain.MaxPool2D((3, 2), stride=(1, 2)),
    "flatten": plain.Flatten,
}


@pytest.mark.parametrize("name", [*PLAIN_LAYERS, "dense"])
def test_a_plain_layers_gradients_are_its_derivatives(name: str) -> None:
    if name == "dense":
        layer: plain.Layer = plain.Dense(values(7, 3), values(3))
        x = values(4, 7, seed=2)
    else:
        x = values(4, *SHAPE, seed=2)
        layer = PLAIN_LAYERS[name]()
    weights = np.random.default_rng(3).normal(size=layer.forward(x).shape)

    def loss() -> float:
        return float(np.vdot(weights, layer.forward(x)))

    _, dx = plain_pass([layer], x, weights)
    check_gradient(loss, x, dx, name="x")
    for number, (array, gradient) in enumerate(zip(layer.learnt, layer.gradients, strict=True)):
        check_gradient(loss, array, gradient, name=f"learnt {number}")


def test_the_plain_loss_has_the_right_gradient() -> None:
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(scale=3.0, size=(6, 10)), rng.dirichlet(np.ones(10), 6)
    _, gradient = plain.softmax_cross_entropy(logits, targets)
    check_gradient(lambda: plain.softmax_cross_entropy(logits, targets)[0], logits, gradient)


def test_the_plain_kernel_is_not_turned_round() -> None:
    weight = np.array([[1.0, 10.0], [100.0, 1000.0]]).reshape(2, 2, 1, 1)
    layer = plain.Conv2D(weight, np.array([0.5]))
    images = np.arange(1.0, 10.0).reshape(1, 3, 3, 1)
    expected = [[5421.5, 6532.5], [8754.5, 9865.5]]
    np.testing.assert_allclose(layer.forward(images)[0, :, :, 0], expected)


def test_of_equal_values_the_first_of_the_first_column_gets_the_gradient() -> None:
    layer = plain.MaxPool2D()
    layer.forward(np.array([[0.0, 1.0], [1.0, 1.0]]).reshape(1, 2, 2, 1))
    gradient = layer.backward(np.full((1, 1, 1, 1), 5.0))
    np.testing.assert_array_equal(gradient.reshape(2, 2), [[0.0, 0.0], [5.0, 0.0]])


def run_plain(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.nn.plain", str(folder)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_it_runs_by_itself_where_preprocess_writes_and_learns(tmp_path: Path) -> None:
    images, labels = make_digits(600)
    large = np.zeros((600, 28, 28), np.uint8)
    large[:, 8:20, 8:18] = images.repeat(2, axis=1).repeat(2, axis=2)
    processed = Workspace(tmp_path / "data", tmp_path / "submissions").processed("practice")
    processed.folder.mkdir(parents=True)
    np.save(processed.train_images, large)
    np.save(processed.train_labels, labels)
    run = run_plain(tmp_path / "data" / "processed" / "practice")
    assert run.returncode == 0
    lines = run.stdout.splitlines()
    assert len(lines) == 5
    right = [float(line.split()[4].rstrip("%")) for line in lines]
    assert right[-1] > 90.0


def test_without_digits_it_says_how_to_get_them(tmp_path: Path) -> None:
    run = run_plain(tmp_path)
    assert run.returncode == 1
    assert (
        run.stderr == f"{tmp_path}: no digits here. Run: make download preprocess SOURCE=practice\n"
    )


# ---- the fast layers beside it -----------------------------------------------------------------
@pytest.mark.parametrize(("dtype", "error"), DTYPES, ids=["float64", "float32"])
@pytest.mark.parametrize(
    ("config", "shape"),
    [
        ({"kind": "dense", "units": 5}, (7,)),
        ({"kind": "flatten"}, SHAPE),
        ({"kind": "relu"}, SHAPE),
        ({"kind": "leaky_relu", "slope": 0.2}, SHAPE),
        ({"kind": "batch_norm"}, SHAPE),
        ({"kind": "batch_norm", "momentum": 0.3}, (5,)),
    ],
    ids=str,
)
def test_a_fast_layer_is_the_plain_one(
    config: dict[str, Any], shape: tuple[int, ...], dtype: Any, error: float
) -> None:
    network = make_image_network([config], shape, dtype=dtype)
    check_against_plain(network, values(5, *shape).astype(dtype), error=error)


@pytest.mark.parametrize("channels", [False, True])
def test_fast_dropout_is_the_plain_one_with_the_same_mask(channels: bool) -> None:
    config = {"kind": "dropout", "rate": 0.4, "channels": channels}
    network = make_image_network([config], SHAPE)
    twin = SameDropout(forward(network, np.ones((4, *SHAPE))))
    inputs, grad_outputs = values(4, *SHAPE), values(4, *SHAPE, seed=1)
    expected = plain_pass([twin], inputs, grad_outputs)
    np.testing.assert_array_equal(forward(network, inputs), expected[0])
    np.testing.assert_array_equal(backward(network, grad_outputs)[0], expected[1])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_fast_loss_is_the_plain_one(smoothing: float) -> None:
    logits, labels = values(8, 10), np.array([3, 1, 4, 1, 5, 9, 2, 6])
    targets = (1.0 - smoothing) * np.eye(10)[labels] + smoothing / 10
    expected, expected_gradient = plain.softmax_cross_entropy(logits, targets)
    loss, gradient = fast_softmax_cross_entropy(logits, labels, smoothing=smoothing)
    assert loss == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=0.0, atol=1e-15)


# ---- a whole training --------------------------------------------------------------------------
def test_a_fast_training_ends_with_the_plain_ones_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the same weights, with the same batches; every kind of layer but dropout, in float64."""
    images, labels = make_digits(60)
    rng = np.random.default_rng(0)
    epochs = [np.split(rng.permutation(60), 4) for _ in range(3)]
    coming = iter(epochs)

    def next_batches(*_: object, **__: object) -> Iterator[Array]:
        return iter(next(coming))

    monkeypatch.setattr("pipeline.nn.training.batch_rows", next_batches)
    network = make_image_network(
        [
            {"kind": "conv2d", "filters": 8, "padding": 1},
            {"kind": "batch_norm", "group": 15},
            {"kind": "relu"},
            {"kind": "max_pool2d", "stride": 1},
            {"kind": "conv2d", "filters": 6},
            {"kind": "leaky_relu"},
            {"kind": "avg_pool2d", "size": [2, 1]},
            {"kind": "flatten"},
            {"kind": "dense", "units": 10},
        ],
        (6, 5, 1),
    )
    settings = Settings(epochs=3, batch_size=15, shards=1)
    training = Training(network, SGD(learning_rate=0.1), settings, seed=0)
    layers = plain_twin(network)  # of the weights that the training has drawn
    results = list(training.fit(Examples(images, labels, np.arange(60)), None, workers=1))

    inputs = to_inputs(images).astype(np.float64)
    for result, batches in zip(results, epochs, strict=True):
        losses = [plain.learn(layers, inputs[rows], labels[rows], 0.1) for rows in batches]
        assert result.training_loss == pytest.approx(np.mean(losses), rel=1e-6)
    learning = [layer for layer in network.layers if layer.gradients]
    for layer, twin in zip(learning, [twin for twin in layers if twin.learnt], strict=True):
        for name, expected in zip(layer.gradients, twin.learnt, strict=True):
            np.testing.assert_allclose(
                layer.values[name], expected, rtol=1e-5, atol=1e-7, err_msg=name
            )
    np.testing.assert_allclose(
        np.log(network.predict(inputs)),
        np.log(_probabilities(plain.predict(layers, inputs))),
        rtol=1e-5,
    )


def _probabilities(logits: Array) -> Array:
    powers = np.exp(logits)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
