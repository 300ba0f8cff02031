"""Records read back: every value that somebody relies on is there, or one line says which is not.

The stages write them, but a disk, a merge or an editor may have been there since. What a record
holds beside what is named here is passed over: other versions write more.
"""

from pipeline.records.digits import (
    Arrays,
    Preprocessed,
    ProcessedManifest,
    RawManifest,
)
from pipeline.records.reading import check, fault, parse, read
from pipeline.records.submission import Push, Sent, Submission
from pipeline.records.training import EnsembleTraining, NetworkTraining, Tuning
from pipeline.records.validation import EnsembleMetrics, Measured, Metrics, Reproduction, Score
from pipeline.records.values import Record

__all__ = [
    "Arrays",
    "EnsembleMetrics",
    "EnsembleTraining",
    "Measured",
    "Metrics",
    "NetworkTraining",
    "Preprocessed",
    "ProcessedManifest",
    "Push",
    "RawManifest",
    "Record",
    "Reproduction",
    "Score",
    "Sent",
    "Submission",
    "Tuning",
    "check",
    "fault",
    "parse",
    "read",
]
