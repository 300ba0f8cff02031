"""The notebooks' small network in their own manner, and once more with each of their mistakes.

A digit is a column: inputs (784, N), sums and activations (10, N), weights (units, inputs).
Names are those of the formulas. ``wrong`` is the line in which a notebook has the mistake.
"""

import math

import numpy as np

from pipeline.nn.arrays import Array

UNITS = 10


class Notebook:
    """784-10-10 with a rectifier and softmax, as it should be: what the mistakes are made in.

    rows_of_file: how many digits the file has, those that are held out included.
    """

    wrong = ""

    def __init__(self, rows_of_file: int, *, rng: np.random.Generator, inputs: int = 784) -> None:
        self.rows_of_file = rows_of_file
        self.W1 = rng.normal(0.0, math.sqrt(1 / 784), (UNITS, inputs))
        self.b1 = rng.normal(0.0, math.sqrt(1 / 10), (UNITS, 1))
        self.W2 = rng.normal(0.0, math.sqrt(1 / 20), (UNITS, UNITS))
        self.b2 = rng.normal(0.0, math.sqrt(1 / 784), (UNITS, 1))

    @property
    def parameters(self) -> tuple[Array, ...]:
        return self.W1, self.b1, self.W2, self.b2

    def sums(self, X: Array) -> tuple[Array, Array, Array]:
        """Return Z1, A1 and Z2."""
        Z1 = self.W1 @ X + self.b1
        A1 = np.maximum(Z1, 0)
        return Z1, A1, self.W2 @ A1 + self.b2

    def softmax(self, Z: Array) -> Array:
        exponentials: Array = np.exp(Z - Z.max(axis=0))
        return np.asarray(exponentials / exponentials.sum(axis=0))

    def one_hot(self, Y: Array) -> Array:
        return np.eye(UNITS)[Y].T

    def gradients(self, X: Array, Y: Array) -> tuple[Array, ...]:
        """Return dW1, db1, dW2 and db2 for inputs (784, N) and labels (N,)."""
        m = self.divisor(X)
        Z1, A1, Z2 = self.sums(X)
        dZ2 = self.softmax(Z2) - self.one_hot(Y)
        dZ1 = self.hidden_gradient(dZ2, Z1, Z2)
        return (
            dZ1 @ X.T / m,
            self.bias_gradient(dZ1, m),
            dZ2 @ A1.T / m,
            self.bias_gradient(dZ2, m),
        )

    def divisor(self, X: Array) -> int:
        return len(X.T)

    def hidden_gradient(self, dZ2: Array, Z1: Array, Z2: Array) -> Array:
        return self.W2.T @ dZ2 * (Z1 > 0)

    def bias_gradient(self, dZ: Array, m: int) -> Array:
        return np.asarray(dZ.sum(axis=1, keepdims=True) / m)

    def update(self, dW1: Array, db1: Array, dW2: Array, db2: Array, rate: float) -> None:
        self.W1 = self.W1 - rate * dW1
        self.b1 = self.b1 - rate * db1
        self.W2 = self.W2 - rate * dW2
        self.b2 = self.b2 - rate * db2

    def iterate(self, X: Array, Y: Array, rate: float) -> None:
        """Do one step of gradient descent."""
        dW1, db1, dW2, db2 = self.gradients(X, Y)
        self.update(dW1, db1, dW2, db2, rate)

    def loss(self, X: Array, Y: Array) -> float:
        """Return the mean cross-entropy, always computed as it should be."""
        Z = self.sums(X)[2]
        Z = Z - Z.max(axis=0)
        logarithms = Z - np.log(np.exp(Z).sum(axis=0))
        return -float(logarithms[Y, np.arange(len(Y))].mean())

    def accuracy(self, X: Array, Y: Array) -> float:
        return float((self.softmax(self.sums(X)[2]).argmax(axis=0) == Y).mean())


class BiasOverAllUnits(Notebook):
    """One number for all units, where each has its own."""

    wrong = "db1 = np.sum(dZ1) / m"

    def bias_gradient(self, dZ: Array, m: int) -> Array:
        return np.full((len(dZ), 1), np.sum(dZ) / m)


class FileSize(Notebook):
    """The mean is taken over more digits than were summed."""

    wrong = "m = len(data)"

    def divisor(self, X: Array) -> int:
        return self.rows_of_file


class Unshifted(Notebook):
    """exp overflows for sums above 709."""

    wrong = "A2 = np.exp(Z2) / np.exp(Z2).sum(axis=0)"

    def softmax(self, Z: Array) -> Array:
        return np.asarray(np.exp(Z) / np.exp(Z).sum(axis=0))


class LocalName(Notebook):
    """The names on the left belong to the method; the object's weights stay as they were."""

    wrong = "W1 = self.W1 - rate * dW1"

    def update(self, dW1: Array, db1: Array, dW2: Array, db2: Array, rate: float) -> None:
        W1 = self.W1 - rate * dW1  # noqa: F841
        b1 = self.b1 - rate * db1  # noqa: F841
        W2 = self.W2 - rate * dW2  # noqa: F841
        b2 = self.b2 - rate * db2  # noqa: F841


class MaskOfTheOutput(Notebook):
    """Both layers have ten units, so that shapes agree and nothing complains."""

    wrong = "dZ1 = W2.T @ dZ2 * (Z2 > 0)"

    def hidden_gradient(self, dZ2: Array, Z1: Array, Z2: Array) -> Array:
        return self.W2.T @ dZ2 * (Z2 > 0)


class NoTranspose(Notebook):
    """W2 is square here, and takes its input from either side."""

    wrong = "dZ1 = W2 @ dZ2 * (Z1 > 0)"

    def hidden_gradient(self, dZ2: Array, Z1: Array, Z2: Array) -> Array:
        return self.W2 @ dZ2 * (Z1 > 0)


class ClassesPresent(Notebook):
    """A batch without a nine has nine classes."""

    wrong = "one_hot = np.eye(Y.max() + 1)[Y].T"

    def one_hot(self, Y: Array) -> Array:
        return np.eye(Y.max() + 1)[Y].T
