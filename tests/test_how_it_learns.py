"""The numbers in docs/how-it-learns.md are what our layers compute."""

import ast
import contextlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import notebook_mistakes as mistakes
from benchmarks.mistakes import CASES, COLUMNS, gradient_error
from pipeline.nn import SGD, Network, plain, softmax, softmax_cross_entropy
from pipeline.nn.arrays import Array

PAGE = (Path(__file__).parents[1] / "docs" / "how-it-learns.md").read_text(encoding="utf-8")
LAYERS: list[dict[str, Any]] = [
    {"kind": "dense", "units": 2},
    {"kind": "relu"},
    {"kind": "dense", "units": 2},
]
RATE = 0.1


def block(name: str) -> str:
    """The Python code between the page's marks of this name."""
    (found,) = re.findall(rf"<!-- {name} -->\n```python\n(.*?)```\n<!-- /{name} -->", PAGE, re.S)
    return str(found)


@pytest.fixture(scope="module")
def told() -> dict[str, Array]:
    """Every number of the worked example, as the page gives it."""
    values = {}
    for statement in ast.parse(block("worked example")).body:
        assert isinstance(statement, ast.Assign)
        values[ast.unparse(statement.targets[0])] = np.array(ast.literal_eval(statement.value))
    return values


def test_the_worked_example_is_what_the_layers_compute(told: dict[str, Array]) -> None:
    network = Network(LAYERS, (2,), dtype=np.float64)
    first, rectifier, second = network.layers
    parameters = {
        "W1": first.values["weight"],
        "b1": first.values["bias"],
        "W2": second.values["weight"],
        "b2": second.values["bias"],
    }
    for name, values in parameters.items():
        values[...] = told[name]
    found: dict[str, Any] = {"X": told["X"], "y": told["y"]}
    found |= {name: values.copy() for name, values in parameters.items()}

    found["Z1"] = first.forward(told["X"]).copy()
    found["A1"] = rectifier.forward(found["Z1"]).copy()
    found["Z2"] = second.forward(found["A1"]).copy()
    found["A2"] = softmax(found["Z2"])
    found["loss"], found["dZ2"] = softmax_cross_entropy(found["Z2"], told["y"])
    found["dA1"] = _backward(second, found["dZ2"])
    found["dZ1"] = _backward(rectifier, found["dA1"])
    _backward(first, found["dZ1"])
    for number, layer in (("1", first), ("2", second)):
        found[f"dW{number}"] = layer.gradients["weight"].copy()
        found[f"db{number}"] = layer.gradients["bias"].copy()

    optimizer = SGD(learning_rate=RATE)
    optimizer.prepare(network.parameters)
    optimizer.begin_step(1.0)
    everything = slice(0, network.parameter_count)
    optimizer.update(network.parameters, network.gradients, everything, network.weight_count)
    found |= {f"new_{name}": values for name, values in parameters.items()}
    found["new_loss"], _ = softmax_cross_entropy(network.forward(told["X"]), told["y"])

    assert found.keys() == told.keys()
    for name, values in told.items():
        # The page has four digits behind the point.
        np.testing.assert_allclose(found[name], values, rtol=0, atol=5.001e-5, err_msg=name)


def test_the_plain_network_takes_the_same_step(told: dict[str, Array]) -> None:
    layers = [
        plain.Dense(told["W1"].copy(), told["b1"].copy()),
        plain.ReLU(),
        plain.Dense(told["W2"].copy(), told["b2"].copy()),
    ]
    losses = [plain.learn(layers, told["X"], told["y"], rate) for rate in (RATE, 0.0)]
    found = [*losses, *layers[0].learnt, *layers[2].learnt]
    names = ("loss", "new_loss", "new_W1", "new_b1", "new_W2", "new_b2")
    for name, values in zip(names, found, strict=True):
        np.testing.assert_allclose(values, told[name], rtol=0, atol=5.001e-5, err_msg=name)


def _backward(layer: Any, gradient: Array) -> Array:
    found: Array = layer.backward(gradient).copy()
    return found


def test_the_code_to_play_with_gives_the_same(told: dict[str, Array]) -> None:
    names: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(block("with the package"), names)
    np.testing.assert_allclose(names["X"], told["X"])
    np.testing.assert_allclose(names["loss"], told["loss"], rtol=0, atol=5.001e-5)
    for layer, number in ((names["first"], "1"), (names["second"], "2")):
        for name, letter in (("weight", "W"), ("bias", "b")):
            np.testing.assert_allclose(
                layer.values[name], told[f"new_{letter}{number}"], rtol=0, atol=5.001e-5
            )
    last = float(printed.getvalue().splitlines()[-1])
    assert last == pytest.approx(float(told["new_loss"]), abs=5.001e-5)


@pytest.mark.parametrize(
    ("network", "is_right"),
    [
        (mistakes.Notebook, True),
        (mistakes.Unshifted, True),
        (mistakes.LocalName, True),
        (mistakes.BiasOverAllUnits, False),
        (mistakes.FileSize, False),
        (mistakes.MaskOfTheOutput, False),
        (mistakes.NoTranspose, False),
    ],
)
def test_the_gradient_check_sees_wrong_gradients(
    network: type[mistakes.Notebook], is_right: bool
) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(20) % 10
    made = network(100, rng=rng, inputs=12)
    error = gradient_error(made, 10.0 * rng.random((12, 20)), labels)
    assert error < 1e-6 if is_right else error > 0.1


def test_a_notebook_takes_the_step_that_our_layers_take() -> None:
    rng = np.random.default_rng(0)
    notebook = mistakes.Notebook(100, rng=rng, inputs=12)
    layers: list[dict[str, Any]] = [
        {"kind": "dense", "units": 10},
        {"kind": "relu"},
        {"kind": "dense", "units": 10},
    ]
    network = Network(layers, (12,), dtype=np.float64)
    first, _, second = network.layers
    for layer, weight, bias in (
        (first, notebook.W1, notebook.b1),
        (second, notebook.W2, notebook.b2),
    ):
        layer.values["weight"][...] = weight.T
        layer.values["bias"][...] = bias[:, 0]
    inputs, labels = rng.random((20, 12)), rng.integers(0, 10, 20)
    notebook.iterate(inputs.T, labels, RATE)
    logits = network.forward(inputs, training=True)
    network.backward(softmax_cross_entropy(logits, labels)[1])
    network.parameters[...] -= RATE * network.gradients
    np.testing.assert_allclose(notebook.W1.T, first.values["weight"], rtol=1e-12)
    np.testing.assert_allclose(notebook.b2[:, 0], second.values["bias"], rtol=1e-12)


def test_the_table_has_every_mistake() -> None:
    table = PAGE.partition("<!-- mistakes -->\n")[2].partition("<!-- /mistakes -->")[0]
    head, _, *rows = table.strip().splitlines()
    assert head == f"| {' | '.join(COLUMNS)} |"
    told = [tuple(cell.strip() for cell in row.split("|")[1:3]) for row in rows]
    assert told == [
        (case.name, f"`{case.network.wrong}`" if case.network.wrong else "") for case in CASES
    ]
