"""The competition's files as Kaggle mounts them inside its notebooks."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.digits.sources import Fetched, local
from pipeline.plan.plan import kaggle_notebook_input
from pipeline.system.errors import PipelineError


def fetch(into: Path, *, environment: Mapping[str, str]) -> Fetched:
    """Copy the mounted files.

    Raises PipelineError if this is no notebook, or the competition is not among its inputs.
    """
    folder = kaggle_notebook_input(environment)
    if folder is None:
        root = environment.get("DIGITS_KAGGLE_INPUT", "/kaggle/input")
        raise PipelineError(
            f"There is no {root}/digit-recognizer/train.csv here",
            remedy="In a Kaggle notebook choose Add Input, Competitions, Digit Recognizer.",
        )
    return local.fetch(folder, into)
