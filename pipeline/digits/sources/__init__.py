"""Where the digits come from: one module for each source, each with a function ``fetch``.

``fetch(into, ...)`` fills the folder ``into`` with train.csv and test.csv, and with
sample_submission.csv and answer_key.csv if the source has them; nothing else may be left in it.
The stage download checks the files and moves the folder into place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["competition", "mnist-csv", "practice"]

TRAIN, TEST = "train.csv", "test.csv"
SAMPLE_SUBMISSION = "sample_submission.csv"
ANSWER_KEY = "answer_key.csv"


@dataclass(frozen=True)
class Fetched:
    """What a source put into the folder.

    kind: whose digits they are.  origin: where they came from, for the records.
    names: what a message should call a file, where that is not "<origin>: <file>".
    """

    kind: Kind
    origin: str
    names: Mapping[str, str] = field(default_factory=dict)

    def name(self, file: str) -> str:
        """Return what a message calls ``file``, such as "train.csv"."""
        return self.names.get(file, f"{self.origin}: {file}")
