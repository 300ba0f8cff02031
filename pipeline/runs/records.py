"""The records of a search, of what a run reaches, and of what goes to Kaggle."""

from pathlib import Path
from typing import Any

from pipeline.runs.metrics import Accuracy
from pipeline.system import records
from pipeline.system.records import (
    Environment,
    Models,
    Number,
    Record,
    Share,
    Whole,
)


class TuningRecord(Record):
    """tuning.json of a search, as far as it is read again."""

    importances: dict[str, Number] | None


# ---- what a run reaches ------------------------------------------------------------------------
class MeasuredRecord(Record):
    """validation.json, or score.json of the test digits, as far as most want to know."""

    inputs: dict[str, Any]
    accuracy: Accuracy


class Reproduced(Record):
    """How many predictions agree, of so many rows."""

    predictions: Whole
    rows: Whole


class ReproductionRecord(Record):
    """reproduction.json: whether a second training gave the same."""

    inputs: dict[str, Any]
    finished_at: str
    agrees: bool
    hold_out: Reproduced


# ---- what goes to Kaggle -----------------------------------------------------------------------
class SubmissionInputs(Models):
    """What the CSV was predicted with, and from."""

    test_images: str | None = None


class SubmissionRecord(Record):
    """The record beside a CSV, as far as most want to know."""

    inputs: SubmissionInputs
    csv_sha256: str


def read_submission_record(path: Path) -> dict[str, Any]:
    """Read the record beside a CSV; it has the run's name, as the CSV has.

    Raises PipelineError if it is damaged; FileNotFoundError if there is none.
    """
    remedy = f"Run: make submission RUN={path.stem}"
    return records.read(path, SubmissionRecord, remedy=remedy)


class TestCSV(Record):
    """The file of the digits that were predicted."""

    rows: Whole


class SentHoldOut(Record):
    """What the stage validate measured."""

    accuracy: Share
    low: Share
    high: Share
    rows: Whole


class SentRecord(SubmissionRecord, Environment):
    """The record beside a CSV that is to be sent."""

    run: str
    rows: Whole
    kind: str
    source: str
    test_csv: TestCSV
    hold_out: SentHoldOut
    recipe: str | None = None
    seed: Whole | None = None
    doubt: str | None = None


class WrittenRecord(SentRecord):
    """The same, as the stage that wrote it reads it again."""

    predicted_counts: list[Whole]


class PushRecord(Record):
    """push.json: what was saved at Kaggle."""

    notebook_sha256: str
    url: str
    version: Whole
    pushed_at: str
