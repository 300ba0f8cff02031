"""How gradients change the weights: in-place steps on a span of one flat vector.

A step is elementwise, so any cut of the vector into spans, on any number of threads, gives the
same bits; a short span stays in a core's cache through all of a step's operations.
"""

import math
from typing import Any

import numpy as np

from pipeline.nn.arrays import Array, shared_zeros
from pipeline.nn.kinds import make


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

    def prepare(self, parameters: Array) -> None:
        """Allocate the state, one zero for each parameter."""
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
            if self.l2:
                gradients[decayed] += self.l2 * parameters[decayed]
            if self.weight_decay:
                parameters[decayed] *= 1.0 - self.rate * self.weight_decay
        state = {name: values[span] for name, values in self.state.items()}
        self.apply(parameters[span], gradients[span], **state)

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


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adamw": AdamW}


def make_optimizer(config: dict[str, Any]) -> Optimizer:
    """Return the optimizer that ``{"kind": "sgd", "learning_rate": 0.1}`` describes."""
    return make("optimizer", OPTIMIZERS, config)
