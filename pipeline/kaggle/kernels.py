"""Notebooks at Kaggle: save one as a new version, once, and tell what Kaggle made of it."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.kaggle import COMPETITION_PAGE, SETTINGS
from pipeline.kaggle.answers import to_version
from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.errors import AGAIN, Subject, UnclearError
from pipeline.system.errors import PipelineError


@dataclass(frozen=True)
class PushedNotebook:
    """A version of a notebook at Kaggle.  url: of its page."""

    url: str
    version: int


def push_notebook(kaggle: Kaggle, folder: Path, notebook_id: str) -> PushedNotebook:
    """Save the notebook of a folder at Kaggle, where it then runs by itself.

    folder: holds the notebook and the kernel-metadata.json that tells of it.
    notebook_id: ``owner/name``, as it stands there.
    Raises PipelineError if Kaggle does not take it, takes it without the competition's data, or
    nobody knows: each push makes a version, so one that may have arrived is not repeated.
    """
    page = f"https://www.kaggle.com/code/{notebook_id}"
    try:
        answer = kaggle.once(
            "pushing the notebook",
            lambda api: api.kernels_push(str(folder)),
            Subject(f"the notebook {notebook_id}", page),
        )
    except UnclearError as error:
        raise PipelineError(
            f"{error.message} Whether it was done all the same is not known.",
            remedy=f"Look at {page} ; if it was not, run the same command again.",
        ) from None
    if answer.error:
        raise PipelineError(
            f'Kaggle does not take the notebook {notebook_id}; it says: "'
            f'{kaggle.quote(str(answer.error))}".',
            remedy=f"See {page} and {SETTINGS}",
        )
    if answer.invalid_competition_sources:
        raise PipelineError(
            "Kaggle saved the notebook without the competition's digits, so that it cannot run: "
            "most likely this account has not accepted the competition's rules yet.",
            remedy=f"Accept them in the browser at {COMPETITION_PAGE}/rules , {AGAIN}",
        )
    try:
        version = to_version(answer.version_number)
    except TypeError:
        raise PipelineError(
            "Kaggle gave the notebook no version number: whether it was saved is not known.",
            remedy=f"See {page}",
        ) from None
    url = str(answer.url)
    is_address = url.startswith("https://") and url.isprintable() and len(url) <= 300
    return PushedNotebook(url if is_address else page, version)
