"""What is known of a run, as its page takes it: read from files by the stage, plain values here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.pages.first_layer import FirstNetwork
from pipeline.runs.ensemble import HeldOut
from pipeline.runs.listing import RunScore
from pipeline.runs.metrics import Metrics
from pipeline.training.fitting import History

Images = NDArray[np.uint8]
Labels = NDArray[np.uint8]
Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class RunEvidence:
    """A trained and validated run.

    source: what to give as SOURCE.  overrides: "key=value" texts.  notice: what must not be
    overlooked about the source, "" for the competition's digits.  command: what makes it again.
    training: its training.json.  description: the recipe's own, "" if there is none.
    metrics, held_out: of the stage validate.  score: None if there is none yet.
    histories, recipes: by the names of the runs, of a network its own, of an ensemble its
    members'; recipes are as resolved.
    train_images: (N, 28, 28) uint8.  train_labels: (N,) uint8.
    train_probabilities: (N, 10) of all labelled digits, in one view; None for an ensemble.
    test_probabilities: (M, 10); None if the test digits have not been read yet.
    """

    name: str
    source: str
    overrides: tuple[str, ...]
    notice: str
    command: str
    training: Mapping[str, Any]
    description: str
    metrics: Metrics
    held_out: HeldOut
    score: RunScore | None
    histories: Mapping[str, History]
    recipes: Mapping[str, Mapping[str, Any]]
    train_images: Images
    train_labels: Labels
    train_probabilities: Probabilities | None
    test_probabilities: Probabilities | None
    network: FirstNetwork

    @property
    def is_ensemble(self) -> bool:
        """Whether it averages other runs."""
        return self.name not in self.histories
