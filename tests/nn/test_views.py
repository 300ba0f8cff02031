"""Arrays that are views of others are computed with like copies of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.nn import (
    SGD,
    AdamW,
    Augmentation,
    Muon,
    Network,
    Predictor,
    Score,
    Shards,
    check_gradient,
    softmax,
    softmax_cross_entropy,
)
from pipeline.nn import batches as nn_batches
from pipeline.nn.arrays import Array
from pipeline.nn.base import Matrix
from pipeline.nn.batches import gather, shift, to_inputs
from pipeline.nn.kernels.columns import ColumnConvolution
from pipeline.nn.kernels.winograd import TileConvolution
from pipeline.nn.network import LAYERS
from pipeline.nn.optimizers import Optimizer
from pipeline.nn.resampling import resample
from pipeline.nn.shards import Cut, Step
from tests.nn.image_networks import backward, make_image_network
from tests.nn.networks import make_digits, make_network


def _transposed(array: Array) -> Array:
    """The axes lie in memory the other way round, beginning with the first two."""
    order = (1, 0, *range(2, array.ndim)) if array.ndim > 1 else (0,)
    return np.ascontiguousarray(array.transpose(order)).transpose(order)


def _reversed(array: Array) -> Array:
    return np.ascontiguousarray(np.flip(array))[(slice(None, None, -1),) * array.ndim]


def _with_steps(array: Array) -> Array:
    """Between the values lie others, which must not be read."""
    wide = _foreign(tuple(2 * size + 1 for size in array.shape), array.dtype)
    view = wide[(slice(1, None, 2),) * array.ndim]
    view[...] = array
    return view


def _sliced(array: Array) -> Array:
    """In the middle of a larger array."""
    wide = _foreign(tuple(size + 3 for size in array.shape), array.dtype)
    view = wide[tuple(slice(2, 2 + size) for size in array.shape)]
    view[...] = array
    return view


def _single(array: Array) -> Array:
    """NumPy leaves the stride of an axis of length 1 at any value."""
    array = array.copy()
    strides = np.where(np.array(array.shape) == 1, 8_000, array.strides)
    return np.lib.stride_tricks.as_strided(array, array.shape, strides)


def _broadcast(array: Array) -> Array:
    """The first, again and again."""
    return np.broadcast_to(array[:1], array.shape)


def _read_only(array: Array) -> Array:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _foreign(shape: tuple[int, ...], dtype: Any) -> Array:
    return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 1, dtype)


View = Callable[[Array], Array]
VIEWS: dict[str, View] = {
    "transposed": _transposed,
    "reversed": _reversed,
    "with steps": _with_steps,
    "sliced": _sliced,
    "Fortran": np.asfortranarray,
    "any stride of axes of length 1": _single,
    "read-only": _read_only,
    "broadcast": _broadcast,
}
WRITABLE = dict(list(VIEWS.items())[:-2])


@pytest.fixture(params=VIEWS.values(), ids=list(VIEWS))
def view(request: pytest.FixtureRequest) -> View:
    made: View = request.param
    return made


@pytest.fixture(params=WRITABLE.values(), ids=list(WRITABLE))
def writable(request: pytest.FixtureRequest) -> View:
    made: View = request.param
    return made


def _copied(view: View) -> View:
    return lambda array: view(array).copy()


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.asarray(np.random.default_rng(seed).normal(size=shape))


def close(found: Any, expected: Any) -> None:
    """Products of views may be summed in another order."""
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


# ---- layers ------------------------------------------------------------------------------------
SHAPE = (6, 7, 8)
LAYER_CASES: list[dict[str, Any]] = [
    {"kind": "flatten"},
    {"kind": "dense", "units": 5},
    {"kind": "relu"},
    {"kind": "leaky_relu", "slope": 0.2},
    {"kind": "dropout", "rate": 0.4},
    {"kind": "dropout", "rate": 0.4, "channels": True},
    {"kind": "dropout", "rate": 0.0},
    {"kind": "batch_norm"},
    {"kind": "crop2d", "pixels": 1},
    {"kind": "conv2d", "filters": 4},  # by Winograd, whose groups of rows are whole
    {"kind": "conv2d", "filters": 4, "kernel": [3, 2], "padding": 1},  # and are not
    {"kind": "conv2d", "filters": 4, "kernel": 5},
    {"kind": "conv2d", "filters": 4, "kernel": 2, "stride": 2, "padding": 1},
    {"kind": "conv2d", "filters": 4, "kernel": [2, 1]},
    {"kind": "conv2d", "filters": 4, "kernel": [3, 4]},
    {"kind": "max_pool2d"},
    {"kind": "max_pool2d", "size": 3, "stride": 2},
    {"kind": "max_pool2d", "size": [1, 2], "stride": [2, 3]},
    {"kind": "avg_pool2d"},
    {"kind": "avg_pool2d", "size": 3, "stride": 1},
    {"kind": "global_avg_pool"},
]


def test_every_layer_is_among_the_cases() -> None:
    assert {case["kind"] for case in LAYER_CASES} == LAYERS.keys()


@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
@pytest.mark.parametrize("count", [1, 5])
def test_a_layer(case: dict[str, Any], count: int, view: View) -> None:
    shape = (8,) if case["kind"] == "dense" else SHAPE
    inputs = numbers(count, *shape)

    def run(of: View) -> list[Array]:
        network = make_image_network([case], shape)
        outputs = network.forward(of(inputs), training=True, rng=np.random.default_rng(1)).copy()
        grad_inputs, gradients = backward(network, of(numbers(*outputs.shape, seed=2)))
        predicted = network.forward(of(inputs)).copy()
        return [outputs, grad_inputs, gradients, network.statistics.copy(), predicted]

    for found, expected in zip(run(view), run(_copied(view)), strict=True):
        close(found, expected)


@pytest.mark.parametrize(
    "layers",
    [
        [{"kind": "flatten"}, {"kind": "dropout", "rate": 0.2}, {"kind": "dense", "units": 10}],
        [
            {"kind": "conv2d", "filters": 3},
            {"kind": "relu"},
            {"kind": "max_pool2d"},
            {"kind": "flatten"},
            {"kind": "dense", "units": 10},
        ],
    ],
    ids=["dense", "image"],
)
def test_a_whole_network(layers: list[dict[str, Any]], view: View) -> None:
    inputs, labels = numbers(5, *SHAPE), np.array([3, 1, 4, 1, 5])

    def run(of: View) -> list[Array]:
        network = make_image_network(layers, SHAPE)
        logits = network.forward(of(inputs), training=True, rng=np.random.default_rng(1))
        _, grad_logits = softmax_cross_entropy(logits, of(labels))
        network.backward(of(grad_logits))
        return [network.gradients.copy(), network.predict(of(inputs))]

    for found, expected in zip(run(view), run(_copied(view)), strict=True):
        close(found, expected)


# ---- kernels -----------------------------------------------------------------------------------
KERNELS: dict[str, Callable[[tuple[int, int]], Any]] = {
    "columns": lambda padding: ColumnConvolution(
        (6, 8, 3), kernel=(3, 3), stride=(1, 1), padding=padding
    ),
    "winograd": lambda padding: TileConvolution((6, 8, 3), filters=4, padding=padding),
}


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("padding", [(0, 0), (1, 1), (0, 1)], ids=str)
@pytest.mark.parametrize("count", [1, 3])
def test_a_kernel(name: str, padding: tuple[int, int], count: int, view: View) -> None:
    images, weight, bias = numbers(6, 8, count, 3), numbers(3, 3, 3, 4), numbers(4)

    def run(of: View) -> list[Array]:
        method = KERNELS[name](padding)
        shape = (method.rows, method.columns, count, 4)
        outputs, grad_images = np.empty(shape), np.empty_like(images)
        kept = np.empty(method.kept(count))
        grad_weight, grad_bias = np.empty_like(weight), np.empty_like(bias)
        method.allocate(weight.dtype)
        method.prepare(of(weight), of(bias))
        method.forward(of(images), outputs, kept)
        method.begin_backward()
        method.backward(of(images), of(numbers(*shape, seed=2)), grad_images, kept)
        method.end_backward(grad_weight, grad_bias)
        return [outputs, grad_images, grad_weight, grad_bias]

    for found, expected in zip(run(view), run(_copied(view)), strict=True):
        close(found, expected)


# ---- losses and steps --------------------------------------------------------------------------
def test_the_losses(view: View) -> None:
    logits, labels = numbers(6, 10), np.array([0, 9, 3, 3, 1, 7], np.uint8)

    def run(of: View) -> list[Any]:
        score = Score(of(labels))
        score.add(of(softmax(logits)[:4]))
        score.add(of(softmax(logits)[4:]))
        return [
            *softmax_cross_entropy(of(logits), of(labels), smoothing=0.1),
            softmax(of(logits)),
            score.log_loss,
            score.accuracy,
        ]

    for found, expected in zip(run(view), run(_copied(view)), strict=True):
        close(found, expected)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SGD(learning_rate=0.1, l2=0.1),
        lambda: SGD(learning_rate=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
        lambda: AdamW(learning_rate=0.1, weight_decay=0.1, l2=0.1),
        lambda: Muon(learning_rate=0.1, weight_decay=0.1, l2=0.1),
    ],
    ids=["descent", "nesterov", "adamw", "muon"],
)
def test_an_optimizers_step(make: Callable[[], Optimizer], writable: View) -> None:
    """Parameters are changed in place, and what lies between them is not."""

    def run(of: View) -> Array:
        parameters, optimizer = of(numbers(20)), make()
        optimizer.prepare(parameters, [Matrix(0, 2, 1), Matrix(2, 3, 2), Matrix(8, 2, 2)])
        for step in range(3):
            gradients = of(numbers(20, seed=step + 1))
            optimizer.begin_step(0.5)
            for span in (slice(0, 7), slice(7, 20)):
                optimizer.update(parameters, gradients, span, 12)
            list(optimizer.finish(parameters, gradients, 0, 1))
        return parameters

    close(run(writable), run(_copied(writable)))


def test_the_gradient_check(writable: View) -> None:
    array = writable(numbers(2, 3))
    check_gradient(lambda: float(np.sum(array**2)), array, writable(2.0 * array))
    with pytest.raises(ValueError, match="analytic"):
        check_gradient(lambda: float(np.sum(array**2)), array, writable(3.0 * array))


# ---- images ------------------------------------------------------------------------------------
def test_distortions(view: View) -> None:
    images = np.random.default_rng(0).random((5, 9, 8, 1), np.float32)
    displacements = np.random.default_rng(1).normal(size=(5, 2, 72)).astype(np.float32)
    distortions = Augmentation(2.0, 10.0, 0.1, 0.1, elastic_pixels=1.0)
    coefficients = distortions.choose(5, (9, 8), rng=np.random.default_rng(2))

    def run(of: View) -> list[Array]:
        return [
            distortions.distort(of(images), rng=np.random.default_rng(3)),
            distortions.apply(of(images), of(coefficients)),
            resample(of(images[..., 0]), of(displacements)),
        ]

    for found, expected in zip(run(view), run(_copied(view)), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_batches(view: View) -> None:
    images, _ = make_digits(9)
    inputs, rows = to_inputs(images), np.array([3, 4, 5])

    def run(of: View) -> list[Array]:
        return [
            to_inputs(of(images)),
            gather(of(images), of(rows)),
            gather(of(inputs), of(rows)),
            shift(of(inputs), 1, -2),
        ]

    for found, expected in zip(run(view), run(_copied(view)), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "part",
    [None, np.s_[:], np.s_[::-1], np.s_[2:], np.s_[::2], np.s_[:, ::-1], np.s_[:, :, 1:]],
    ids=str,
)
def test_a_mapped_file(
    part: Any, order: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the size that is read row by row."""
    monkeypatch.setattr(nn_batches, "MAPPED_BYTES", 0)
    images, _ = make_digits(9)
    np.save(tmp_path / "images.npy", np.asarray(images, order=order))
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    rows = np.array([3, 1, 2])
    found = gather(mapped if part is None else mapped[part], rows)
    np.testing.assert_array_equal(found, to_inputs(images if part is None else images[part])[rows])


# ---- many at once ------------------------------------------------------------------------------
def test_prediction(view: View) -> None:
    network: Network = make_network()
    images, _ = make_digits(50)

    def run(of: View) -> Array:
        with Predictor(network, of(images), workers=2, shifts=((0, 0), (0, 1))) as predictor:
            return predictor.predict(of(np.arange(50)))

    np.testing.assert_allclose(run(view), run(_copied(view)), rtol=1e-5, atol=1e-7)


def test_a_step_of_training(view: View) -> None:
    images, labels = make_digits(50)

    def run(of: View) -> Array:
        network, optimizer = make_network(), SGD(learning_rate=0.1)
        optimizer.prepare(network.parameters)
        cut = Cut(groups=2, shards=1)
        with Shards(network, optimizer, of(images), of(labels), cut=cut, workers=2) as shards:
            shards.begin_epoch(np.random.SeedSequence(0))
            (loss,) = shards.run([Step(of(np.arange(50)))])
        return np.array([loss, *network.parameters])

    np.testing.assert_allclose(run(view), run(_copied(view)), rtol=1e-4, atol=1e-6)
