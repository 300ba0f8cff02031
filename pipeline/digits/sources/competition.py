"""The competition's own files, through Kaggle's API."""

import tempfile
from pathlib import Path

from pipeline.digits.sources import SAMPLE_SUBMISSION, TEST, TRAIN, Fetched
from pipeline.kaggle import COMPETITION_PAGE
from pipeline.system import archive
from pipeline.system.errors import PipelineError


def fetch(into: Path) -> Fetched:
    """Download the competition's zip and unpack its three files.

    Raises PipelineError for whatever fails on the way.
    """
    from pipeline.kaggle.client import Kaggle  # noqa: PLC0415  (nobody else needs its packages)

    with tempfile.TemporaryDirectory(dir=into) as folder:
        packed = Kaggle().download_competition(Path(folder))
        try:
            archive.extract_members(packed, (TRAIN, TEST, SAMPLE_SUBMISSION), into)
        except PipelineError as error:
            raise PipelineError(
                error.message.replace(str(packed), "The zip that Kaggle sent"),
                remedy=f"See what it holds: {COMPETITION_PAGE}/data",
            ) from None
    return Fetched("competition", COMPETITION_PAGE)
