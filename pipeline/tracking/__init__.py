"""Telling a tracking service of runs, for those who ask for it: MLflow or Weights & Biases.

``session`` brings a service up to date with a run's folder; ``facts`` says what it is told;
``mlflow_tracker`` and ``wandb_tracker`` alone know their service, and import it when it is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Tracked:
    """A run as its service knows it.

    id: its number there.  epochs: the last one that the service has already, 0 for none.
    where: an address or a command for people, without credentials.
    """

    id: str
    epochs: int
    where: str


class Tracker(Protocol):
    """One service. Any of its methods may raise any exception: services are not to be trusted."""

    name: str

    def start(self, run: str, known: str | None, params: Mapping[str, str]) -> Tracked:
        """Open the tracked run with the number ``known``, or a new one with these parameters."""

    def epoch(self, metrics: Mapping[str, float], step: int) -> None:
        """Tell of one evaluation."""

    def finish(self, metrics: Mapping[str, float], artefacts: Sequence[Path]) -> None:
        """Tell of results, hand files over, and close the tracked run."""

    def stop(self) -> None:
        """Close the tracked run as one that was interrupted; it may be started again."""
