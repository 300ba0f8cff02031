"""How gradients change the weights: in-place steps on a span of one flat vector.

A step is elementwise, so any cut of the vector into spans, on any number of threads, gives the
same bits; a short span stays in a core's cache through all of a step's operations. Muon alone has
more to do, with whole matrices, after all spans.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pipeline.nn.arrays import Array, shared_zeros
from pipeline.nn.base import Matrix
from pipeline.nn.kinds import make
from pipeline.nn.newton_schulz import Orthogonalizer, find_products, share


class Optimizer:
    """What all optimizers share: the state they keep for each parameter, and regularization.

    learning_rate: of the recipe; a schedule's factor multiplies it at each step.
    l2: adds l2 * w to the gradient of each weight, as the loss term l2 / 2 * sum w^2 would.
    weight_decay: takes learning_rate * weight_decay * w off each weight, apart from the gradient
    (Loshchilov and Hutter 2019, arXiv:1711.05101). Biases and scales are never regularized.
    """

    state_names: tuple[str, ...] = ()

    def __init__(self, *, learning_rate: float, l2: float = 0.0, weight_decay: float = 0.0) -> None:
        self.learning_rate = learning_rate
        self.l2 = l2
        self.weight_decay = weight_decay
        self.steps = 0
        self.state: dict[str, Array] = {}

    def prepare(self, parameters: Array, matrices: Sequence[Matrix] = ()) -> None:
        """Allocate the state, one zero for each parameter.

        matrices: where each layer's weights lie, from the input on (``Network.matrices``).
        """
        self.state = {
            name: shared_zeros(len(parameters), parameters.dtype) for name in self.state_names
        }

    def begin_step(self, factor: float) -> None:
        """Count the step and fix its learning rate; the spans of one step share both."""
        self.steps += 1
        self.rate = self.learning_rate * factor

    def update(self, parameters: Array, gradients: Array, span: slice, weights: int) -> None:
        """Do this step for one span of the vectors, in place.

        parameters, gradients: (P,) whole vectors; the gradient's span is overwritten.
        weights: the first so many parameters are weights, which alone are regularized.
        """
        decayed = slice(span.start, min(span.stop, weights))
        if decayed.start < decayed.stop:
            self.regularize(parameters[decayed], gradients[decayed], self.rate)
        state = {name: values[span] for name, values in self.state.items()}
        self.apply(parameters[span], gradients[span], **state)

    def regularize(self, parameters: Array, gradients: Array, rate: float) -> None:
        """Do to a span of weights, and to their gradients, what L2 and weight decay do."""
        if self.l2:
            gradients += self.l2 * parameters
        if self.weight_decay:
            parameters *= 1.0 - rate * self.weight_decay

    def finish(self, parameters: Array, gradients: Array, number: int, size: int) -> Iterator[None]:
        """Do what is left of a step after all spans, as worker ``number`` of ``size``.

        Pauses wherever all workers must meet before they go on.
        """
        return iter(())

    def apply(self, parameters: Array, gradients: Array, **state: Array) -> None:
        """Move one span; may use the gradients' memory as scratch."""
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent with momentum:  v = momentum v + g;  w -= rate v.

    nesterov: w -= rate (g + momentum v), the gradient where the momentum is about to lead
    (Sutskever et al. 2013, in the form that deep-learning libraries use).
    Without momentum it is plain gradient descent; over full batches, the notebooks' optimizer.
    """

    def __init__(
        self,
        *,
        learning_rate: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        l2: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate=learning_rate, l2=l2, weight_decay=weight_decay)
        if nesterov and not momentum:
            raise ValueError("Nesterov's form needs a momentum above 0")
        self.momentum = momentum
        self.nesterov = nesterov
        self.state_names = ("velocity",) if momentum else ()

    def apply(self, parameters: Array, gradients: Array, **state: Array) -> None:
        if self.momentum:
            velocity = state["velocity"]
            velocity *= self.momentum
            velocity += gradients
            if self.nesterov:
                gradients += self.momentum * velocity
            else:
                gradients[...] = velocity
        gradients *= self.rate
        parameters -= gradients


class AdamW(Optimizer):
    """Adam with decoupled weight decay.

    m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
    w -= rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
    Source: Kingma and Ba 2015, arXiv:1412.6980, algorithm 1; Loshchilov and Hutter 2019.

    The state is kept without the factors 1 - beta, which go into the step's one number instead:
    with M = m / (1 - beta1), V = v / (1 - beta2) and s = sqrt((1 - beta2^t) / (1 - beta2)),
    w -= rate s (1 - beta1) / (1 - beta1^t) M / (sqrt(V) + s epsilon). That is ten operations on
    arrays instead of thirteen, and memory is what limits them.
    """

    state_names = ("momentum", "squares")

    def __init__(
        self,
        *,
        learning_rate: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        l2: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate=learning_rate, l2=l2, weight_decay=weight_decay)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon

    def apply(self, parameters: Array, gradients: Array, **state: Array) -> None:
        momentum, squares = state["momentum"], state["squares"]
        momentum *= self.beta1
        momentum += gradients
        squares *= self.beta2
        squares += np.square(gradients, out=gradients)
        scale = math.sqrt((1.0 - self.beta2**self.steps) / (1.0 - self.beta2))
        rate = self.rate * scale * (1.0 - self.beta1) / (1.0 - self.beta1**self.steps)
        step = np.sqrt(squares, out=gradients)
        step += scale * self.epsilon
        np.divide(momentum, step, out=step)
        step *= rate
        parameters -= step


class Muon(AdamW):
    """Momentum made orthogonal for the weight matrices of hidden layers, AdamW for all else.

    v = momentum v + g;  d = g + momentum v (Nesterov's form);
    W -= matrix_rate sqrt(max(1, outputs / inputs)) orthogonal(d)
    for W and its gradient g as (inputs, outputs) matrices, a convolution's inputs being those of
    one window: (rows x columns x channels, filters). ``newton_schulz`` says what makes d orthogonal
    and why it is one nearly: singular values between 0.68 and 1.21, or below where they were tiny.

    All directions of a matrix are learnt equally fast, while a gradient is mostly made of a few.
    An orthogonal step changes what a layer gives by no more than its rate times what it is given;
    the root keeps the root mean square of that where there are more outputs than inputs, since
    each then gets a share of it alone. The first layer and the last one with weights, and biases
    and scales, are AdamW's, with its own settings. A schedule's factor multiplies both rates.
    weight_decay: takes its rate times weight_decay times W off, matrix_rate for the matrices.
    Source: K. Jordan et al. 2024, kellerjordan.github.io/posts/muon; Bernstein and Newhouse 2024,
    arXiv:2409.20325, on the step's size.

    state: the matrices' v is their part of AdamW's "momentum"; their "squares" stay zero.
    """

    def __init__(
        self,
        *,
        learning_rate: float,
        matrix_rate: float = 0.02,
        momentum: float = 0.95,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        l2: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            l2=l2,
            weight_decay=weight_decay,
        )
        self.matrix_rate = matrix_rate
        self.momentum = momentum

    def prepare(self, parameters: Array, matrices: Sequence[Matrix] = ()) -> None:
        """Allocate the state, and what the matrices between the first and the last one need.

        Raises ValueError if there are none.
        """
        self._hidden = matrices[1:-1]
        if not self._hidden:
            raise ValueError(
                "muon is for networks with three or more layers that have weights; "
                f"this one has {len(matrices)}"
            )
        super().prepare(parameters)
        self._orthogonalizers = [
            Orthogonalizer(each.rows, each.columns, parameters.dtype) for each in self._hidden
        ]

    def begin_step(self, factor: float) -> None:
        """Count the step and fix both of its rates."""
        super().begin_step(factor)
        self._matrix_rate = self.matrix_rate * factor

    def update(self, parameters: Array, gradients: Array, span: slice, weights: int) -> None:
        """Do this step for one span but for the matrices, whose d it leaves in ``gradients``."""
        first, last = self._hidden[0].span.start, self._hidden[-1].span.stop
        before = slice(span.start, min(span.stop, first))
        after = slice(max(span.start, last), span.stop)
        for part in (before, after):
            if part.start < part.stop:
                super().update(parameters, gradients, part, weights)
        part = slice(max(span.start, first), min(span.stop, last))
        if part.start < part.stop:
            direction, velocity = gradients[part], self.state["momentum"][part]
            self.regularize(parameters[part], direction, self._matrix_rate)
            velocity *= self.momentum
            velocity += direction
            direction += self.momentum * velocity

    def finish(self, parameters: Array, gradients: Array, number: int, size: int) -> Iterator[None]:
        """Make each matrix's direction orthogonal and step along it; products in parts."""
        yield
        each = self._orthogonalizers
        directions = [matrix.of(gradients) for matrix in self._hidden]
        yield from find_products(each, directions, number, size)
        parts = [(place, rows) for place in range(len(each)) for rows in each[place].row_parts]
        for place, rows in share(parts, number, size):
            matrix = self._hidden[place]
            rate = self._matrix_rate * math.sqrt(max(1.0, matrix.columns / matrix.rows))
            matrix.of(parameters)[rows] -= each[place].turn(directions[place], rows, rate)
        yield


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adamw": AdamW, "muon": Muon}


def make_optimizer(config: dict[str, Any]) -> Optimizer:
    """Return the optimizer that ``{"kind": "sgd", "learning_rate": 0.1}`` describes."""
    return make("optimizer", OPTIMIZERS, config)
