"""Every layer's values and gradients beside PyTorch's, in float64: run by ``make bench``."""

import contextlib
from typing import Any

import numpy as np
import pytest

from benchmarks.libraries import Ours, Torch, torch_model
from benchmarks.work import NETWORKS, Work, digits, initial_network
from pipeline.nn import Network, softmax_cross_entropy
from pipeline.nn.arrays import Array
from pipeline.nn.batches import to_inputs
from tests.nn.image_networks import backward, forward

torch = pytest.importorskip("torch")

SHAPE = (9, 7, 10)  # rows, columns, channels: odd, and enough channels for every method
CASES: list[tuple[dict[str, Any], Any]] = [
    ({"kind": "conv2d", "filters": 6}, lambda: torch.nn.Conv2d(10, 6, 3)),
    ({"kind": "conv2d", "filters": 6, "padding": 1}, lambda: torch.nn.Conv2d(10, 6, 3, padding=1)),
    (
        {"kind": "conv2d", "filters": 4, "kernel": [3, 2], "padding": [2, 0]},
        lambda: torch.nn.Conv2d(10, 4, (3, 2), padding=(2, 0)),
    ),
    (
        {"kind": "conv2d", "filters": 4, "kernel": 5, "stride": 2, "padding": 2},
        lambda: torch.nn.Conv2d(10, 4, 5, stride=2, padding=2),
    ),
    (
        {"kind": "conv2d", "filters": 3, "kernel": [1, 4], "stride": [2, 1]},
        lambda: torch.nn.Conv2d(10, 3, (1, 4), stride=(2, 1)),
    ),
    ({"kind": "max_pool2d"}, lambda: torch.nn.MaxPool2d(2)),
    ({"kind": "max_pool2d", "size": 3, "stride": 2}, lambda: torch.nn.MaxPool2d(3, 2)),
    ({"kind": "avg_pool2d", "size": [3, 2]}, lambda: torch.nn.AvgPool2d((3, 2))),
    ({"kind": "avg_pool2d", "size": 3, "stride": 1}, lambda: torch.nn.AvgPool2d(3, 1)),
    (
        {"kind": "global_avg_pool"},
        lambda: torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()),
    ),
    ({"kind": "batch_norm"}, lambda: torch.nn.BatchNorm2d(10)),
    ({"kind": "relu"}, torch.nn.ReLU),
    ({"kind": "leaky_relu", "slope": 0.2}, lambda: torch.nn.LeakyReLU(0.2)),
]


@pytest.mark.parametrize(("config", "module"), CASES, ids=lambda value: str(value)[:60])
def test_a_layer_agrees(config: dict[str, Any], module: Any) -> None:
    rng = np.random.default_rng(0)
    network = Network([config], SHAPE, dtype=np.float64)
    network.initialize(rng=rng)
    network.parameters[...] += rng.normal(scale=0.1, size=network.parameters.shape)
    theirs = module().double()
    names = {"weight": "scale", "bias": "shift"} if config["kind"] == "batch_norm" else {}
    for name, parameter in theirs.named_parameters():
        ours = network.layers[0].values[names.get(name, name)]
        parameter.data = torch.from_numpy(_to_torch(ours).copy())
    inputs: Array = np.asarray(rng.normal(size=(5, *SHAPE)))
    outputs = forward(network, inputs)
    weights: Array = np.asarray(rng.normal(size=outputs.shape))
    grad_input, _ = backward(network, weights)

    their_inputs = torch.from_numpy(_to_torch_images(inputs).copy()).requires_grad_()
    their_outputs = theirs(their_inputs)
    (their_outputs * torch.from_numpy(_to_torch_images(weights).copy())).sum().backward()
    _agree(_to_torch_images(outputs), their_outputs)
    _agree(_to_torch_images(grad_input), their_inputs.grad)
    for name, parameter in theirs.named_parameters():
        ours = network.layers[0].gradients[names.get(name, name)]
        _agree(_to_torch(ours), parameter.grad)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_whole_networks_loss_and_gradient_agree(kind: str) -> None:
    """From the same weights, on real digits; without dropout, whose chance differs."""
    work = Work(kind, 16)
    network, theirs = initial_network(work), torch_model(work)
    for layer in network.layers:
        layer.rate = 0.0  # type: ignore[attr-defined]
    for module in theirs:
        module.p = 0.0
    images, labels = (array[:64] for array in digits())
    logits = network.forward(to_inputs(images), training=True)
    loss, grad_logits = softmax_cross_entropy(logits, labels)
    network.backward(grad_logits)
    inputs = torch.from_numpy(images).float().div(255.0).unsqueeze(1)
    their_loss = torch.nn.functional.cross_entropy(theirs(inputs), torch.from_numpy(labels))
    their_loss.backward()
    assert loss == pytest.approx(their_loss.item(), rel=1e-5)
    ours = sum(float(np.square(g).sum()) for layer in network.layers for g in _gradients(layer))
    others = sum(float(parameter.grad.square().sum()) for parameter in theirs.parameters())
    assert ours == pytest.approx(others, rel=1e-3)


@pytest.mark.parametrize("kind", ["dense", "convolutional"])
def test_training_agrees_step_by_step(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same weights, batches and optimizer give the same losses; without dropout."""
    layers = [layer for layer in NETWORKS[kind] if layer["kind"] != "dropout"]
    monkeypatch.setitem(NETWORKS, kind, layers)
    work = Work(kind, 32)
    theirs = Torch(work, 2)
    with contextlib.closing(Ours(work, 2)) as ours:
        losses = np.array([(ours.turn(5)["loss"], theirs.turn(5)["loss"]) for _ in range(10)])
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=0.01)
    assert losses[-1, 0] < 0.5 * losses[0, 0]


def _gradients(layer: Any) -> list[Array]:
    return list(layer.gradients.values())


def _to_torch(weight: Array) -> Array:
    """(rows, columns, channels, filters) to PyTorch's (filters, channels, rows, columns)."""
    return weight.transpose(3, 2, 0, 1) if weight.ndim == 4 else weight


def _to_torch_images(images: Array) -> Array:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)) if images.ndim == 4 else images


def _agree(ours: Array, theirs: Any) -> None:
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-9, atol=1e-9)
