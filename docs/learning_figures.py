"""The pictures of how-it-learns.md: one digit on its way through the network, and the learning."""

import functools
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, PathPatch
from matplotlib.path import Path as PlotPath
from sklearn.model_selection import train_test_split

from pipeline.digits.sources import practice
from pipeline.nn import EpochResult, Examples, Network, softmax_cross_entropy
from pipeline.nn.arrays import Array
from pipeline.nn.batches import to_inputs
from pipeline.nn.layers import Dense, ReLU
from pipeline.recipes.file import RECIPE_FOLDER, RecipeFile
from pipeline.recipes.recipe import read_recipe
from pipeline.system.cores import single_threaded_blas
from pipeline.training.fitting import make_training

SHOWN_AT = (0, 50, 500)
HALF_WAY = 50
PIXELS = 28
LEVELS = 6  # shades on either side of zero: enough for the eye, and few enough for a small file
FORWARD, BACKWARD, RIGHT = "#1f5fa8", "#b5451b", "#2e7d32"
DIVERGING, GREYS = "RdBu_r", "Greys"


@dataclass(frozen=True)
class Learnt:
    """The recipe notebook-10 on 3,750 practice digits, 1,250 held out.

    vectors: the network's parameters after each number of iterations in SHOWN_AT.
    """

    network: Network
    examples: Examples
    results: list[EpochResult]
    vectors: dict[int, Array]


@functools.cache
def learn() -> Learnt:
    """Train once, for all pictures."""
    pixels, labels = practice.read_digits()
    images = pixels.reshape(-1, PIXELS, PIXELS)
    training_rows, held_out_rows = train_test_split(
        np.arange(len(labels)), test_size=0.25, stratify=labels, random_state=0
    )
    training = make_training(
        read_recipe(RecipeFile(RECIPE_FOLDER / "notebook-10.toml")), len(training_rows)
    )
    examples = Examples(images, labels, training_rows)
    held_out = Examples(images, labels, held_out_rows)
    results: list[EpochResult] = []
    vectors: dict[int, Array] = {}
    with single_threaded_blas():
        for iterations in SHOWN_AT:
            results += training.fit(examples, held_out, workers=1, until=iterations)
            vectors[iterations] = training.network.vector.copy()
    return Learnt(training.network, examples, results, vectors)


@dataclass(frozen=True)
class Pass:
    """One digit forward and backward: a name of the formulas for each array."""

    label: int
    X: Array
    W1: Array
    A1: Array
    W2: Array
    A2: Array
    dZ2: Array
    dW2: Array
    dZ1: Array
    dW1: Array


def pass_through(network: Network, image: Array, label: int) -> Pass:
    """Send one image (28, 28) uint8 through the network and back, layer by layer."""
    _, first, rectifier, second = network.layers
    assert isinstance(first, Dense)
    assert isinstance(rectifier, ReLU)
    pixels = to_inputs(image[np.newaxis]).reshape(1, -1)
    hidden = rectifier.forward(first.forward(pixels))
    logits = second.forward(hidden)
    _, grad_logits = softmax_cross_entropy(logits, np.array([label]))
    grad_hidden = second.backward(grad_logits)
    assert grad_hidden is not None
    grad_sums = rectifier.backward(grad_hidden)
    assert grad_sums is not None
    first.backward(grad_sums, need_input=False)
    probabilities = grad_logits.copy()
    probabilities[0, label] += 1.0
    return Pass(
        label,
        pixels[0].copy(),
        first.values["weight"].copy(),
        hidden[0].copy(),
        second.values["weight"].copy(),
        probabilities[0],
        grad_logits[0].copy(),
        second.gradients["weight"].copy(),
        grad_sums[0].copy(),
        first.gradients["weight"].copy(),
    )


def one_digit() -> Figure:
    """Draw the arrays that one digit makes: values above, gradients below."""
    learnt = learn()
    learnt.network.vector[...] = learnt.vectors[HALF_WAY]
    found = next(
        found
        for row in learnt.examples.rows
        for found in [
            pass_through(
                learnt.network, learnt.examples.images[row], int(learnt.examples.labels[row])
            )
        ]
        # Neither sure nor lost, so that there is something to see on the way back.
        if 0.3 < found.A2[found.label] < 0.5 and found.A2.argmax() != found.label
    )
    figure = Figure(figsize=(11, 6.2))
    figure.suptitle(
        f"One digit, a {found.label}, in the network 784-10-10 after {HALF_WAY} iterations", y=0.985
    )
    x, width = (0.015, 0.145, 0.445, 0.635, 0.845), (0.105, 0.245, 0.13, 0.14, 0.145)
    above, below, height = 0.56, 0.08, 0.27
    panels = [figure.add_axes((x[n], above, width[n], height)) for n in (0, 2, 3, 4)]
    back = [figure.add_axes((x[n], below, width[n], height)) for n in (2, 3, 4)]
    picture, hidden, second, output = panels
    grad_hidden, grad_second, grad_output = back
    heat_map(picture, found.X.reshape(PIXELS, PIXELS), GREYS)
    label(picture, "$X$", "1, 784", "pixels")
    weights = units(figure, found.W1, (x[1], above, width[1], height))
    label(weights, "$W^{[1]}$", "784, 10", "one picture a unit")
    bars(hidden, found.A1, [FORWARD] * 10)
    label(hidden, "$A^{[1]}$", "1, 10", "$\\max(X W^{[1]} + b^{[1]}, 0)$")
    heat_map(second, found.W2, DIVERGING)
    label(second, "$W^{[2]}$", "10, 10", "a line a unit, a column a class")
    bars(output, found.A2, [RIGHT if k == found.label else FORWARD for k in range(10)])
    label(output, "$A^{[2]}$", "1, 10", "softmax$(A^{[1]} W^{[2]} + b^{[2]})$")

    gradients = units(figure, found.dW1, (x[1], below, width[1], height))
    label(gradients, "$dW^{[1]}$", "784, 10", "$X^T dZ^{[1]}$")
    bars(grad_hidden, found.dZ1, [BACKWARD] * 10)
    label(grad_hidden, "$dZ^{[1]}$", "1, 10", "$dZ^{[2]} W^{[2]T}$ where $A^{[1]} > 0$")
    heat_map(grad_second, found.dW2, DIVERGING)
    label(grad_second, "$dW^{[2]}$", "10, 10", "$A^{[1]T} dZ^{[2]}$")
    bars(grad_output, found.dZ2, [RIGHT if k == found.label else BACKWARD for k in range(10)])
    label(grad_output, "$dZ^{[2]}$", "1, 10", "$(A^{[2]} - Y) / N$, here $N = 1$")
    for axes in (hidden, grad_hidden):
        axes.set_xlabel("hidden unit")
    for axes in (output, grad_output):
        axes.set_xlabel("class (green: right)")

    middle, lower = above + height / 2, below + height / 2
    # Bars have their scale on the left: arrows keep away from it.
    left = [x[0], x[1], x[2] - 0.035, x[3], x[4] - 0.04]
    for n in range(4):
        arrow(figure, (x[n] + width[n], middle), (left[n + 1], middle), FORWARD)
    for n in (3, 2, 1):
        arrow(figure, (left[n + 1], lower), (x[n] + width[n], lower), BACKWARD)
    figure.text(0.02, 0.93, "forward", color=FORWARD, weight="bold", size=12)
    figure.text(0.02, 0.45, "backward", color=BACKWARD, weight="bold", size=12)
    figure.text(0.02, 0.12, "red: above zero\nblue: below zero\nwhite: zero", size=9)
    return figure


def learning() -> Figure:
    """Draw the loss, the accuracy, and what hidden units look for, over the iterations."""
    learnt = learn()
    iterations = [result.epoch for result in learnt.results]
    figure = Figure(figsize=(9, 6.4))
    losses = figure.add_axes((0.075, 0.6, 0.39, 0.33))
    losses.plot(iterations, [r.training_loss for r in learnt.results], label="training part")
    losses.plot(iterations, [r.hold_out_loss for r in learnt.results], "--", label="held out")
    losses.set(title="loss: mean cross-entropy", xlabel="iteration", ylim=(0, None))
    losses.legend(frameon=False)
    accuracies = figure.add_axes((0.57, 0.6, 0.39, 0.33))
    accuracies.plot(iterations, [r.hold_out_accuracy for r in learnt.results], color="C1")
    last = learnt.results[-1].hold_out_accuracy
    accuracies.set(title=f"accuracy on held-out digits: {last:.3f} at the end")
    accuracies.set(xlabel="iteration", ylim=(0, 1))
    for axes in (losses, accuracies):
        axes.grid(alpha=0.3)
        axes.set_xlim(0, max(iterations))
    shown = 8
    for line, number in enumerate(SHOWN_AT):
        learnt.network.vector[...] = learnt.vectors[number]
        weight = learnt.network.layers[1].values["weight"]
        bottom = 0.345 - 0.162 * line
        figure.text(0.02, bottom + 0.07, f"iteration {number}", va="center")
        for unit in range(shown):
            axes = figure.add_axes((0.15 + 0.104 * unit, bottom, 0.1, 0.14))
            heat_map(axes, weight[:, unit].reshape(PIXELS, PIXELS), DIVERGING)
            if not line:
                axes.set_title(f"unit {unit}", size=9, pad=3)
    return figure


def heat_map(axes: Axes, values: Array, colours: str, *, strongest: float | None = None) -> None:
    """Draw (rows, columns) in a few shades.

    strongest: the value of the strongest shade; the largest value, unless given.

    Runs of one shade are drawn as lines: pictures of pixels within an SVG are not shown by every
    browser where a page forbids them.
    """
    rows, columns = values.shape
    strongest = strongest or float(np.abs(values).max()) or 1.0
    shades = np.rint(values / strongest * LEVELS).astype(int)
    signed = colours == DIVERGING
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    axes.set(xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[], aspect="equal", anchor="C")
    axes.apply_aspect()
    inches = axes.get_position().height * figure.get_figheight() / rows
    for shade in np.unique(shades[shades != 0]):
        ends = [
            (float(column), row + 0.5)
            for row in range(rows)
            for column in np.flatnonzero(np.diff(shades[row] == shade, prepend=False, append=False))
        ]
        place = 0.5 + 0.5 * shade / LEVELS if signed else shade / LEVELS
        # A run of equal pixels is a line from where it begins to where it ends.
        lines = PathPatch(
            PlotPath(ends, [PlotPath.MOVETO, PlotPath.LINETO] * (len(ends) // 2)),
            edgecolor=mpl.colormaps[colours](place),
            fill=False,
            linewidth=72 * inches,
            capstyle="butt",
            antialiased=False,
        )
        axes.add_patch(lines)
    for spine in axes.spines.values():
        spine.set_color("#999999")


def units(figure: Figure, weight: Array, box: tuple[float, float, float, float]) -> Axes:
    """Draw the columns of (784, 10) as pictures in two lines, all in the same shades.

    Returns an empty panel around them.

    box: left, bottom, width and height, as shares of the figure.
    """
    left, bottom, width, height = box
    around = figure.add_axes((left, bottom, width, height), frame_on=False, xticks=[], yticks=[])
    strongest = float(np.abs(weight).max())
    for unit in range(weight.shape[1]):
        line, place = divmod(unit, 5)
        corner = left + width * place / 5, bottom + height * (0.52 - 0.52 * line)
        axes = figure.add_axes((*corner, width / 5.2, height * 0.48))
        picture = weight[:, unit].reshape(PIXELS, PIXELS)
        heat_map(axes, picture, DIVERGING, strongest=strongest)
    return around


def bars(axes: Axes, values: Array, colours: list[str]) -> None:
    """Draw ten values as bars over their numbers."""
    axes.bar(range(len(values)), values, color=colours)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_xticks(range(len(values)))
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def label(axes: Axes, name: str, shape: str, meaning: str) -> None:
    """Write name, shape and formula above a panel."""
    axes.set_title(f"{name}  ({shape})\n{meaning}", size=9)


def arrow(
    figure: Figure, start: tuple[float, float], end: tuple[float, float], colour: str
) -> None:
    """Draw an arrow between two places of the figure."""
    figure.add_artist(
        ConnectionPatch(
            start,
            end,
            figure.transFigure,
            figure.transFigure,
            arrowstyle="-|>",
            color=colour,
            linewidth=1.6,
            shrinkA=3,
            shrinkB=3,
        )
    )
