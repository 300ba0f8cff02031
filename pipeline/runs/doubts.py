"""Whether a network has learnt at all: what must be said beside a result that may be chance."""

import math
from collections.abc import Mapping
from typing import Any

from pipeline.runs.metrics import CLASSES, Accuracy, Metrics

# What a network loses that gives every digit the same probability.
GUESSING_LOSS = math.log(CLASSES)
# Honest networks that have seen little lose about as much as guessing, and those that are too
# sure of themselves some more; ten times as much is a training that ran away.
EXPLODED = 10 * GUESSING_LOSS
LEAST_SKILL = 0.1


def doubt(accuracy: Accuracy, log_loss: float, *, most_frequent: float) -> str:
    """Return what is doubtful about a result on held-out digits, in a line; "" if nothing is.

    log_loss: mean over digits, natural logarithm.
    most_frequent: the share of the digit that is there most often. Whoever always answers it is
    right so often; of what is left to 1, a network that has learnt surely gets a tenth, that is
    also at the lower end of its accuracy's interval. So it takes more of few digits to be no
    luck, and where nine of ten digits are the same, 0.9 is nothing.
    """
    if log_loss > EXPLODED:
        return (
            f"its training has exploded: a loss of {log_loss:.3g} on held-out digits, where "
            f"guessing has {GUESSING_LOSS:.1f}; lower the learning rate"
        )
    if accuracy.low < most_frequent + LEAST_SKILL * (1 - most_frequent):
        return (
            f"it is hardly better than guessing: {accuracy.correct:,} of {accuracy.rows:,} "
            f"held-out digits right, where one and the same answer gets "
            f"{round(most_frequent * accuracy.rows):,}"
        )
    return ""


def doubt_of(metrics: Metrics, training: Mapping[str, Any]) -> str:
    """Return what is doubtful about a validated run; training: its training.json."""
    support = [item.support for item in metrics.classes]
    found = doubt(metrics.accuracy, metrics.log_loss, most_frequent=max(support) / sum(support))
    # The second network, which predicts, has no held-out digits: only its own loss tells.
    loss = (training.get("refit") or {}).get("training_loss") or 0.0
    if not found and loss > EXPLODED:
        return (
            f"the training of its second network has exploded: a loss of {loss:.3g}, where "
            f"guessing has {GUESSING_LOSS:.1f}; lower the learning rate"
        )
    return found
