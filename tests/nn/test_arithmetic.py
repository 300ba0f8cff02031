"""A tiny training computes what it did when ``nn.ARITHMETIC`` was last raised.

What is compared is no sum of bytes, since the last bits of a float32 differ with NumPy's and the
BLAS's build and with the processor. It is the sum of all weights (and of all probabilities), each
times a cosine of its place: four of these, so that a value that moves, or changes places with
another, moves them. NumPy 2.0 and 2.4, OpenBLAS's kernels for six processors, and float64 instead
of float32 differed by two millionths at most; ten are allowed. So this does not see what is as
small as rounding, such as another order of the same sums: whoever changes that raises the number
unasked.
"""

from typing import Any

import numpy as np
import pytest

from pipeline import nn
from pipeline.nn.arrays import Array
from pipeline.nn.initializers import INITIALIZERS
from pipeline.nn.network import LAYERS
from pipeline.nn.optimizers import OPTIMIZERS
from pipeline.nn.schedules import SCHEDULES
from tests.nn.networks import make_digits

Config = dict[str, Any]
# Every kind of layer and of convolution, of optimizer, schedule, initializer and distortion. No
# bias stands before a batch_norm, which takes it out again: its gradient is rounding and nothing
# else, of which AdamW makes whole steps.
IMAGES: list[Config] = [
    {"kind": "crop2d", "pixels": 1},
    {"kind": "conv2d", "filters": 8, "padding": 1},
    {"kind": "relu"},
    {"kind": "max_pool2d"},
    {"kind": "batch_norm"},
    {"kind": "dropout", "rate": 0.2, "channels": True},
    {"kind": "conv2d", "filters": 8, "padding": 1, "weight": {"kind": "he"}},
    {"kind": "leaky_relu", "slope": 0.1},
    {"kind": "conv2d", "filters": 6, "kernel": 2, "weight": {"kind": "glorot"}},
    {"kind": "avg_pool2d", "size": [2, 1]},
    {"kind": "flatten"},
    {"kind": "dropout", "rate": 0.1},
    {"kind": "dense", "units": 10, "weight": {"kind": "normal", "scale": 0.3}},
]
ROWS: list[Config] = [
    {"kind": "conv2d", "filters": 10, "kernel": 5, "stride": 2, "padding": 1},
    {"kind": "relu"},
    {"kind": "global_avg_pool"},
    {
        "kind": "dense",
        "units": 10,
        "weight": {"kind": "uniform", "low": -1.0, "high": 1.0},
        "bias": {"kind": "constant", "value": 0.1},
    },
]
AFFINE = nn.Augmentation(shift_pixels=1.0, angle_degrees=10.0, scale=0.1, shear=0.1)
# By itself, because it is made of eigenvectors, of which another LAPACK may turn the signs.
ELASTIC = nn.Augmentation(elastic_pixels=0.3)
CASES: dict[str, tuple[list[Config], Config, Config, nn.Settings]] = {
    "adamw": (
        IMAGES,
        {"kind": "adamw", "learning_rate": 0.01, "weight_decay": 0.1},
        {"kind": "one_cycle"},
        nn.Settings(
            epochs=3,
            batch_size=24,
            smoothing=0.1,
            average_decay=0.9,
            shards=2,
            augmentation=AFFINE,
        ),
    ),
    "muon": (
        IMAGES,
        {"kind": "muon", "learning_rate": 0.01, "weight_decay": 0.1},
        {"kind": "cosine"},
        nn.Settings(epochs=2, batch_size=24, shards=2, augmentation=AFFINE),
    ),
    "sgd": (
        ROWS,
        {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "l2": 0.01},
        {"kind": "cosine"},
        nn.Settings(epochs=4, batch_size=None, patience=9),
    ),
    "gradient descent": (
        ROWS,
        {"kind": "sgd", "learning_rate": 0.1},
        {"kind": "step", "every_epochs": 2},
        nn.Settings(epochs=3, batch_size=32),
    ),
    "elastic": (
        ROWS,
        {"kind": "adamw", "learning_rate": 0.01, "l2": 0.1},
        {"kind": "constant"},
        nn.Settings(epochs=1, batch_size=32, augmentation=ELASTIC),
    ),
    "exponential decay": (
        ROWS,
        {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.5},
        {"kind": "exponential", "decay": 0.5},
        nn.Settings(epochs=2, batch_size=32),
    ),
}
RECORDED_FOR = 3
RECORDED: dict[str, tuple[list[float], list[float]]] = {
    "adamw": ([-8.608028, 0.676335, 2.469903, -3.403342], [0.244565, 0.022457, 0.21527, 0.252724]),
    "muon": (
        [-9.165595, 0.674059, 2.102512, -3.263664],
        [0.151271, 0.222079, 0.124655, -0.143744],
    ),
    "sgd": ([-2.219201, 5.754359, 6.840871, 2.856397], [-0.032279, -0.083414, 0.099827, 0.045804]),
    "gradient descent": (
        [-2.208189, 5.829323, 6.88524, 2.854852],
        [-0.032471, -0.088205, 0.098126, 0.04474],
    ),
    "elastic": (
        [-1.983373, 5.284169, 6.810982, 2.740209],
        [-0.040961, -0.068614, 0.095424, 0.037141],
    ),
    "exponential decay": (
        [-2.228322, 5.852134, 6.875075, 2.858783],
        [-0.033616, -0.097005, 0.098193, 0.044742],
    ),
}


def sums(values: Array) -> list[float]:
    """Four sums that tell whether any of the values has moved."""
    numbers = values.astype(np.float64).ravel()
    places = np.arange(len(numbers))
    return [round(float(np.vdot(numbers, np.cos(step * places))), 6) for step in (1, 2, 3, 4)]


def compute(
    layers: list[Config], optimizer: Config, schedule: Config, settings: nn.Settings
) -> tuple[list[float], list[float]]:
    """Return the sums of the weights after training, and of the probabilities of all digits."""
    images, labels = make_digits(96)
    images = images.repeat(2, axis=1).repeat(2, axis=2)
    network = nn.Network(layers, (12, 10, 1))
    training = nn.Training(
        network, nn.make_optimizer(optimizer), settings, 7, nn.make_schedule(schedule)
    )
    train = nn.Examples(images, labels, np.arange(72))
    held_out = nn.Examples(images, labels, np.arange(72, 96))
    for _ in training.fit(train, held_out, workers=1):
        pass
    network.vector[...] = training.result
    with nn.Predictor(network, images, workers=1, shifts=((0, 0), (1, 0), (0, -1))) as predictor:
        probabilities = predictor.predict(np.arange(len(images)))
    return sums(network.vector), sums(probabilities)


@pytest.mark.parametrize("name", CASES)
def test_the_number_is_raised_when_the_arithmetic_changes(name: str) -> None:
    found = compute(*CASES[name])
    remedy = (
        f"\nThis is not what the network computed when nn.ARITHMETIC was {RECORDED_FOR}. If it is "
        "meant to be, raise nn.ARITHMETIC, so that finished runs count as due, and record here "
        f"that number as RECORDED_FOR, and RECORDED[{name!r}] = {found}"
    )
    assert nn.ARITHMETIC == RECORDED_FOR, remedy
    np.testing.assert_allclose(found, RECORDED[name], rtol=0.0, atol=1e-5, err_msg=remedy)


def test_every_kind_takes_part() -> None:
    layers = [layer for case in CASES.values() for layer in case[0]]
    configs = [layer[name] for layer in layers for name in ("weight", "bias") if name in layer]
    assert {layer["kind"] for layer in layers} == set(LAYERS)
    assert {config["kind"] for config in configs} == set(INITIALIZERS)
    assert {case[1]["kind"] for case in CASES.values()} == set(OPTIMIZERS)
    assert {case[2]["kind"] for case in CASES.values()} == set(SCHEDULES)
