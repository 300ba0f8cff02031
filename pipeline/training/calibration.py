"""How sure a network may be: one temperature, by which its logits are divided."""

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

# Of the prior's logarithm. Where few digits are held out, or none is misread, the most likely
# temperature may be near 0; beside thousands of digits the prior says nothing.
DEVIATION = 1.0


def fit_temperature(labels: Array, probabilities: Array) -> float:
    """Return the temperature T with which softmax(logits / T) fits these labels best.

    labels: (N,) integers in [0, K).
    probabilities: (N, K), softmax(logits), of digits that the network has not learnt.
    A network that was trained with smoothed labels is too timid, and gets T below 1; one that has
    learnt its digits by heart is too sure, and gets T above 1. Which digit is the most probable one
    does not change. T makes the sum of the log losses, plus (log T)^2 / (2 deviation^2), least.
    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2 (temperature scaling).
    """
    from scipy import optimize  # noqa: PLC0415  (takes a moment; reading digits needs none)

    exact = probabilities.astype(np.float64)
    logits = np.log(np.maximum(exact, np.finfo(np.float32).tiny))
    logits -= logits[np.arange(len(labels)), labels][:, np.newaxis]

    def loss(log_temperature: float) -> float:
        # With the label's logit at 0, its probability is 1 / sum_k exp(logit_k / T).
        losses = np.logaddexp.reduce(logits / math.exp(log_temperature), axis=1)
        return float(losses.sum()) + 0.5 * (log_temperature / DEVIATION) ** 2

    found = optimize.minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return math.exp(found.x)
