"""The pictures of the documents: there, shown with a text, and made of the network's values."""

import re
from typing import Any

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from docs import learning_figures, make_figures
from pipeline.nn import Network, softmax, softmax_cross_entropy
from pipeline.nn.batches import to_inputs
from tests.test_docs import DOCUMENTS, ROOT

DOCS = ROOT / "docs"


def test_every_figure_is_there_and_shown_with_a_text() -> None:
    shown = {
        (document.parent / target).resolve(): text
        for document in DOCUMENTS
        for text, target in re.findall(
            r"!\[([^\]]*)\]\(([^)]+)\)", document.read_text(encoding="utf-8")
        )
    }
    for name in make_figures.FIGURES:
        path = DOCS / "figures" / f"{name}.svg"
        assert path.read_text(encoding="utf-8").startswith("<?xml"), name
        assert len(shown[path.resolve()].split()) >= 5, f"{name}: say what is to be seen"
    drawn = {path.stem for path in (DOCS / "figures").glob("*.svg")}
    assert drawn - {"scale"} == set(make_figures.FIGURES)  # that one is made by make scale


def test_the_same_figure_gives_the_same_bytes() -> None:
    def draw() -> Figure:
        figure = Figure(figsize=(2, 2))
        figure.add_subplot().plot([0, 1], [1 / 3, 2 / 3])
        return figure

    first = make_figures.svg(draw)
    assert first == make_figures.svg(draw)
    assert "<dc:date>" not in first


def test_a_heat_map_covers_every_pixel_that_is_not_zero() -> None:
    values = np.array([[1.0, 1.0, 0.0, -1.0], [0.0, 0.5, 0.5, 1.0], [0.0, 0.0, 0.0, 0.0]])
    axes = Figure(figsize=(2, 2)).add_subplot()
    learning_figures.heat_map(axes, values, learning_figures.DIVERGING)
    covered = np.zeros(values.shape)
    for patch in axes.patches:
        red, _, blue, _ = to_rgba(patch.get_edgecolor())
        for (start, row), (end, _) in np.reshape(patch.get_path().vertices, (-1, 2, 2)):
            covered[int(row), int(start) : int(end)] += np.sign(red - blue)
    np.testing.assert_array_equal(covered, np.sign(values))


def test_what_is_drawn_is_what_the_network_computes() -> None:
    layers: list[dict[str, Any]] = [
        {"kind": "flatten"},
        {"kind": "dense", "units": 10},
        {"kind": "relu"},
        {"kind": "dense", "units": 10},
    ]
    network = Network(layers, (28, 28, 1))
    rng = np.random.default_rng(0)
    network.initialize(rng=rng)
    image = rng.integers(0, 256, (28, 28)).astype(np.uint8)
    found = learning_figures.pass_through(network, image, 3)
    logits = network.forward(to_inputs(image[np.newaxis]), training=True)
    np.testing.assert_allclose(found.A2, softmax(logits)[0], rtol=1e-5)
    network.backward(softmax_cross_entropy(logits, np.array([3]))[1])
    np.testing.assert_array_equal(found.dW1, network.layers[1].gradients["weight"])
    np.testing.assert_array_equal(found.dW2, network.layers[3].gradients["weight"])
    np.testing.assert_allclose(found.dW1, np.outer(found.X, found.dZ1), rtol=1e-5)
    np.testing.assert_array_equal(found.dZ1[found.A1 == 0], 0)
