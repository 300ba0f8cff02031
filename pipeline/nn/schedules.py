"""How the learning rate changes: each schedule is a printable value that gives a factor.

``factor(epoch, epochs)`` takes the time in epochs (fractions count: half-way through the first
epoch is 0.5) and returns what the recipe's learning rate is multiplied by.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.nn.kinds import make


@dataclass(frozen=True)
class ConstantRate:
    """The same learning rate throughout."""

    def factor(self, epoch: float, epochs: int) -> float:
        return 1.0


@dataclass(frozen=True)
class StepDecay:
    """Multiply by ``decay`` after every ``every_epochs`` epochs."""

    every_epochs: int
    decay: float = 0.1

    def factor(self, epoch: float, epochs: int) -> float:
        return float(self.decay ** (int(epoch) // self.every_epochs))


@dataclass(frozen=True)
class ExponentialDecay:
    """Multiply by ``decay`` over each epoch, evenly."""

    decay: float

    def factor(self, epoch: float, epochs: int) -> float:
        return float(self.decay**epoch)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from 1 down to ``final``.

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5, without restarts.
    """

    final: float = 0.0

    def factor(self, epoch: float, epochs: int) -> float:
        return _cosine(1.0, self.final, epoch / epochs)


@dataclass(frozen=True)
class OneCycle:
    """Up from ``start`` to 1 over the first ``warmup`` share of training, then down to ``final``.

    Both ways along half a cosine. Source: Smith and Topin 2018, arXiv:1708.07120.
    """

    warmup: float = 0.3
    start: float = 0.04
    final: float = 0.0001

    def factor(self, epoch: float, epochs: int) -> float:
        progress = epoch / epochs
        if progress < self.warmup:
            return _cosine(self.start, 1.0, progress / self.warmup)
        return _cosine(1.0, self.final, (progress - self.warmup) / (1.0 - self.warmup))


Schedule = ConstantRate | StepDecay | ExponentialDecay | Cosine | OneCycle

SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "constant": ConstantRate,
    "step": StepDecay,
    "exponential": ExponentialDecay,
    "cosine": Cosine,
    "one_cycle": OneCycle,
}


def make_schedule(config: dict[str, Any]) -> Schedule:
    """Return the schedule that ``{"kind": "cosine", "final": 0.01}`` describes."""
    return make("schedule", SCHEDULES, config)


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))
