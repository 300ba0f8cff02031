"""Evidence of a run that never was: a few digits whose probabilities a test gives."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.pages.evidence import RunEvidence
from pipeline.pages.first_layer import FirstNetwork
from pipeline.runs.ensemble import HeldOut
from pipeline.runs.metrics import measure
from pipeline.training.fitting import COLUMNS, History

NETWORK = FirstNetwork("run", None, (), None)
RECIPE: Mapping[str, Any] = {
    "description": "made up",
    "seed": 3,
    "split": {"hold_out": 0.5, "folds": None},
    "network": {"layers": [{"kind": "flatten"}, {"kind": "dense", "units": 10}]},
}


def readings(*given: Mapping[int, float]) -> NDArray[np.float32]:
    """Probabilities (N, 10), of each digit those given; the rest is spread over the others."""
    rows = []
    for known in given:
        rest = (1 - sum(known.values())) / (10 - len(known))
        rows.append([known.get(digit, rest) for digit in range(10)])
    return np.array(rows, np.float32)


def history(*losses: float) -> History:
    """One evaluation for each hold-out loss, the training loss twice as large."""
    values = {"images_per_second": 1.0, "seconds": 1.0, "learning_rate": 0.1}
    return History(
        [
            [
                float(
                    {
                        **values,
                        "epoch": epoch,
                        "training_loss": 2 * loss,
                        "hold_out_loss": loss,
                        "hold_out_accuracy": 1 - loss / 10,
                    }[column]
                )
                for column in COLUMNS
            ]
            for epoch, loss in enumerate(losses, start=1)
        ]
    )


def make_evidence(
    labels: Sequence[int],
    probabilities: NDArray[np.float32],
    *,
    held_out: Sequence[int] | None = None,
    **changes: Any,
) -> RunEvidence:
    """Evidence of all labelled digits and what a network reads in them.

    held_out: rows; all, if not given.  changes: other fields of RunEvidence.
    """
    all_labels = np.array(labels, np.uint8)
    rows = np.arange(len(labels)) if held_out is None else np.array(held_out)
    values: dict[str, Any] = {
        "name": "run",
        "source": "practice",
        "overrides": (),
        "notice": "",
        "command": "make all",
        "description": "made up",
        "training": {
            "recipe_name": "mlp",
            "seed": 3,
            "split": {"training_rows": 40, "hold_out_rows": len(rows)},
            "environment": {"commit": "0123456789abcdef", "dirty": False, "cores": 1},
            "parameters": 7850,
            "seconds": 12.34,
            "model_sha256": "f" * 64,
            "finished_at": "2026-01-02T03:04:05+00:00",
            "data": {"kind": "practice", "files": {"train.csv": {"sha256": "a" * 64}}},
        },
        "metrics": measure(all_labels[rows], probabilities[rows], rows=rows),
        "held_out": HeldOut(
            rows, all_labels[rows], probabilities[rows], np.ones(len(rows), np.int64)
        ),
        "score": None,
        "histories": {"run": history(0.5, 0.25)},
        "recipes": {"run": RECIPE},
        "train_images": np.zeros((len(labels), 28, 28), np.uint8),
        "train_labels": all_labels,
        "train_probabilities": probabilities,
        "test_probabilities": None,
        "network": NETWORK,
    }
    return RunEvidence(**{**values, **changes})
