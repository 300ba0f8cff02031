"""What is known of runs side by side, as their page takes it: read by the stage, plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runs.comparison import Comparison
from pipeline.runs.listing import RunScore
from pipeline.runs.metrics import Accuracy
from pipeline.training.fitting import History

# So many digits that are not read alike are shown.
GALLERY = 40


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs.

    short: its name beside the others.  training, recipe: its training.json and recipe.json.
    hold_out: on all digits that it held out itself.  score: None if there is none yet.
    history: None of an ensemble.
    readers: how many networks, at least and at most, read one of the common digits here.
    networks: how many read a test digit.
    """

    name: str
    short: str
    training: Mapping[str, Any]
    recipe: Mapping[str, Any]
    hold_out: Accuracy
    score: RunScore | None
    history: History | None
    readers: tuple[int, int]
    networks: int


@dataclass(frozen=True)
class ComparisonEvidence:
    """Runs, and what came of comparing them.

    pictures: (28, 28) uint8 by row, of the first ``GALLERY`` disagreements at least.
    digits: what they are, to stand behind their number.
    """

    runs: tuple[ComparedRun, ...]
    comparison: Comparison
    pictures: Mapping[int, NDArray[np.uint8]]
    digits: str
