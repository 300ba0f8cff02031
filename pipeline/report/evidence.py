"""What is known of a run, as its page takes it: read from files by the stage, plain values here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble import HeldOut
from pipeline.fitting import History
from pipeline.metrics import Metrics
from pipeline.runs import Score

Images = NDArray[np.uint8]
Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class RunEvidence:
    """A trained and validated run.

    source: what to give as SOURCE.  overrides: "key=value" texts.  notice: what must not be
    overlooked about the source, "" for the competition's digits.
    training: its training.json.  recipe: its recipe.json, the recipe as resolved.
    metrics, held_out: of the stage validate.  score: None if there is none yet.
    histories: by the names of the runs, of a network its own, of an ensemble its members'.
    """

    name: str
    source: str
    overrides: tuple[str, ...]
    notice: str
    training: Mapping[str, Any]
    recipe: Mapping[str, Any]
    metrics: Metrics
    held_out: HeldOut
    score: Score | None
    histories: Mapping[str, History]

    @property
    def is_ensemble(self) -> bool:
        return len(self.histories) > 1 or self.name not in self.histories
