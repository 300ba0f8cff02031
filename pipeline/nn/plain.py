"""The whole network as a page of a textbook: read it first. The other files do the same, faster.

A network is a list of layers. Each computes y from x (``forward``), and its y is the next one's x.
At the end stands the loss L: one number, how wrong the network is. The chain rule then goes back
from the last layer to the first (``backward``): each is given dy = dL/dy, keeps the gradients of
what it has learnt, and returns dx = dL/dx, which is dy for the layer before it. Gradient descent
moves all that is learnt a little against its gradient.

docs/how-it-learns.md derives the formulas. One rule makes most of them: what y is made of gets dy
times its factor, and what is used several times gets the sum of that. Each row of x is a digit:
(N, features), or (N, height, width, channels). On the practice digits, in some seconds:

    make download preprocess SOURCE=practice
    python -m pipeline.nn.plain data/processed/practice
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

Array = Any  # of NumPy: float64 or float32, whichever the weights and the digits are
Pair = tuple[int, int]  # rows and columns


class Layer:
    """One layer.  learnt: what it has learnt so far.  gradients: dL by each of these arrays."""

    learnt: tuple[Array, ...] = ()
    gradients: tuple[Array, ...] = ()

    def forward(self, x: Array) -> Array:
        raise NotImplementedError

    def backward(self, dy: Array) -> Array:
        raise NotImplementedError

    def predict(self, x: Array) -> Array:
        """``forward`` for digits that are not learnt from: no chance, and each by itself."""
        return self.forward(x)


class Dense(Layer):
    """y = x w + b: every output looks at every input.  w: (inputs, outputs).  b: (outputs)."""

    def __init__(self, weight: Array, bias: Array) -> None:
        self.weight, self.bias = self.learnt = weight, bias

    def forward(self, x: Array) -> Array:
        self.x = x
        return x @ self.weight + self.bias

    def backward(self, dy: Array) -> Array:
        self.gradients = self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.weight.T


class ReLU(Layer):
    """y = x where x > 0, else slope x (a slope above 0 makes it a leaky one)."""

    def __init__(self, slope: float = 0.0) -> None:
        self.slope = slope

    def forward(self, x: Array) -> Array:
        self.factor = np.where(x > 0, 1, self.slope).astype(x.dtype)
        return self.factor * x

    def backward(self, dy: Array) -> Array:
        return self.factor * dy


class Dropout(Layer):
    """y = mask x: a random share becomes 0, so that no value is relied on; the others are scaled up
    to make up for it."""

    def __init__(self, rate: float, *, rng: np.random.Generator) -> None:
        self.rate, self.rng = rate, rng

    def draw(self, shape: tuple[int, ...]) -> Array:
        return (self.rng.random(shape) >= self.rate) / (1 - self.rate)

    def forward(self, x: Array) -> Array:
        self.mask = self.draw(x.shape).astype(x.dtype)
        return self.mask * x

    def backward(self, dy: Array) -> Array:
        return self.mask * dy

    def predict(self, x: Array) -> Array:
        return x


class BatchNorm(Layer):
    """y = scale z + shift, with z = (x - mean) / deviation of each feature over the batch.

    A digit to predict has no batch: running averages stand in for mean and variance.
    """

    def __init__(
        self, scale: Array, shift: Array, *, momentum: float = 0.1, epsilon: float = 1e-5
    ) -> None:
        self.scale, self.shift = self.learnt = scale, shift
        self.momentum, self.epsilon = momentum, epsilon
        self.running_mean, self.running_variance = np.zeros_like(scale), np.ones_like(scale)

    def forward(self, x: Array) -> Array:
        self.axes = tuple(range(x.ndim - 1))  # all but the features'
        mean, variance = x.mean(self.axes), x.var(self.axes)
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_variance += self.momentum * (variance - self.running_variance)
        self.deviation = np.sqrt(variance + self.epsilon)
        self.z = (x - mean) / self.deviation
        return self.scale * self.z + self.shift

    def backward(self, dy: Array) -> Array:
        self.gradients = (dy * self.z).sum(self.axes), dy.sum(self.axes)
        dz = self.scale * dy
        # All of x alike, or in proportion to z, moves no z: mean and deviation move along with it.
        without_effect = dz.mean(self.axes) + self.z * (dz * self.z).mean(self.axes)
        return (dz - without_effect) / self.deviation

    def predict(self, x: Array) -> Array:
        z = (x - self.running_mean) / np.sqrt(self.running_variance + self.epsilon)
        return self.scale * z + self.shift


def windows(x: Array, size: Pair, stride: Pair) -> Iterator[tuple[Pair, Array]]:
    """Lay windows over images, ``stride`` s apart. For each place (k, l) in a window, yield what
    all windows have there, as a view of x:  x_kl[n, i, j] = x[n, i s + k, j s + l]."""
    rows, columns = ((x.shape[1 + i] - size[i]) // stride[i] + 1 for i in (0, 1))
    for column, row in np.ndindex(size[::-1]):
        down = slice(row, row + stride[0] * (rows - 1) + 1, stride[0])
        across = slice(column, column + stride[1] * (columns - 1) + 1, stride[1])
        yield (row, column), x[:, down, across]


class Conv2D(Layer):
    """y[i, j] = b + the sum over k, l of x[i s + k - p, j s + l - p] w[k, l]: one small w for all
    places.  s: stride.  p: padding, zeros put around x.  w: (rows, columns, C, filters)."""

    def __init__(
        self, weight: Array, bias: Array, *, stride: Pair = (1, 1), padding: Pair = (0, 0)
    ) -> None:
        self.weight, self.bias = self.learnt = weight, bias
        self.size, self.stride, self.padding = weight.shape[:2], stride, padding

    def forward(self, x: Array) -> Array:
        (top, left), (_, self.height, self.width, _) = self.padding, x.shape
        self.x = np.pad(x, ((0, 0), (top, top), (left, left), (0, 0)))
        seen = windows(self.x, self.size, self.stride)
        return self.bias + sum(x_kl @ self.weight[kl] for kl, x_kl in seen)

    def backward(self, dy: Array) -> Array:
        # For each place in the kernel a dense layer, x_kl its inputs and all pixels its rows.
        dw, dx = np.zeros_like(self.weight), np.zeros_like(self.x)
        for kl, x_kl in windows(self.x, self.size, self.stride):
            dw[kl] = np.einsum("nijc, nijf -> cf", x_kl, dy, optimize=True)
        for kl, dx_kl in windows(dx, self.size, self.stride):
            dx_kl[...] += dy @ self.weight[kl].T
        self.gradients = dw, dy.sum(axis=(0, 1, 2))
        top, left = self.padding
        return dx[:, top : top + self.height, left : left + self.width]


class MaxPool2D(Layer):
    """y = the largest x of each window; of equal ones the first, column by column, gets dy."""

    def __init__(self, size: Pair = (2, 2), *, stride: Pair = (2, 2)) -> None:
        self.size, self.stride = size, stride

    def forward(self, x: Array) -> Array:
        seen = np.stack([x_kl for _, x_kl in windows(x, self.size, self.stride)])
        self.shape, self.winner = x.shape, seen.argmax(axis=0)
        return seen.max(axis=0)

    def backward(self, dy: Array) -> Array:
        dx = np.zeros(self.shape, dy.dtype)
        for number, (_, dx_kl) in enumerate(windows(dx, self.size, self.stride)):
            dx_kl[...] += dy * (self.winner == number)
        return dx


class Flatten(Layer):
    """y = x with all of an image's values in a row."""

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self.shape)


def softmax_cross_entropy(logits: Array, targets: Array) -> tuple[float, Array]:
    """Return L = -sum of targets log p, a mean over the digits, with p = e^z / sum of e^z for
    logits z; and dL/dz = p - targets.  targets: 1 for the right class and 0 for the others."""
    z = logits - logits.max(axis=1, keepdims=True)  # changes no p, and e^z can't overflow
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    loss = -(targets * log_p).sum() / len(z)
    return loss, (np.exp(log_p) - targets) / len(z)


def learn(layers: list[Layer], x: Array, labels: Array, rate: float) -> float:
    """Take one step of gradient descent on this batch, and return the loss before it."""
    for layer in layers:
        x = layer.forward(x)
    targets = np.eye(x.shape[1], dtype=x.dtype)[labels]
    loss, gradient = softmax_cross_entropy(x, targets)
    for layer in reversed(layers):
        gradient = layer.backward(gradient)
    for layer in layers:
        for values, its_gradient in zip(layer.learnt, layer.gradients, strict=True):
            values[...] -= rate * its_gradient
    return loss


def predict(layers: list[Layer], x: Array) -> Array:
    """Return the logits; the largest one's place is the class."""
    for layer in layers:
        x = layer.predict(x)
    return x


def example(rng: np.random.Generator) -> list[Layer]:
    """Return a small network for digits of 28 by 28 pixels, which has learnt nothing yet."""

    def he(*shape: int) -> Array:
        """Random weights that neither blow up nor shrink what passes through (He et al. 2015)."""
        return rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)

    return [
        Conv2D(he(3, 3, 1, 8), np.zeros(8)),
        BatchNorm(np.ones(8), np.zeros(8)),
        ReLU(),
        MaxPool2D(),
        Flatten(),
        Dropout(0.2, rng=rng),
        Dense(he(13 * 13 * 8, 10), np.zeros(10)),
    ]


def train(folder: Path, epochs: int = 5, rate: float = 0.1, batch_size: int = 50) -> None:
    """Learn from three quarters of the digits, and print how many of the others are read right."""
    x = np.load(folder / "train_images.npy")[..., np.newaxis] / 255
    labels = np.load(folder / "train_labels.npy")
    rng = np.random.default_rng(0)
    layers, held_out = example(rng), np.arange(len(x)) % 4 == 0
    for epoch in range(1, epochs + 1):
        order = rng.permutation(np.flatnonzero(~held_out))
        batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
        loss = np.mean([learn(layers, x[rows], labels[rows], rate) for rows in batches])
        right = predict(layers, x[held_out]).argmax(axis=1) == labels[held_out]
        print(f"epoch {epoch}: loss {loss:.3f}, {right.mean():.1%} of the held-out digits right")


if __name__ == "__main__":
    folder = Path(*sys.argv[1:])
    if not (folder / "train_images.npy").exists():
        sys.exit(f"{folder}: no digits here. Run: make download preprocess SOURCE=practice")
    train(folder)
