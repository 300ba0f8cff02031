"""The records of runs: of a training or a search, of what a run reaches, of what goes to Kaggle."""

from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.digits.records import RawManifest
from pipeline.runs.metrics import Accuracy
from pipeline.system.records import (
    Count,
    Environment,
    Folds,
    Models,
    Number,
    Record,
    Share,
    Whole,
)


class TrainingEnvironment(Environment):
    """Where it was trained."""

    cores: Count


class RecipeChecksum(Record):
    """The recipe's file as it was read."""

    sha256: str | None = None
    in_git: bool | None = None


class DataChecksums(Record):
    """Checksums of the arrays that it learnt from."""

    train_images: str
    train_labels: str


class TrainingInputs(Record):
    """What the weights depend on."""

    data: DataChecksums
    recipe: dict[str, Any]


class Refit(Record):
    """The second network, on all rows."""

    model_sha256: str
    seconds: Number | None = None
    rows: Whole | None = None


class RecordedSplit(Record):
    """How many rows are learnt from and held out; sha256: of the file that lists them."""

    training_rows: Whole
    hold_out_rows: Count
    sha256: str | None = None


class HoldOutSplit(RecordedSplit):
    """A share held out."""

    kind: Literal["hold_out"]
    size: Number
    seed: Whole
    file: str


class FoldSplit(RecordedSplit):
    """One fold of several held out."""

    kind: Literal["fold"]
    folds: Folds
    fold: Whole
    seed: Whole
    file: str


class EnsembleSplit(RecordedSplit):
    """Of the members, all together."""

    kind: Literal["ensemble"]


class TrainingRecord(Record):
    """training.json, whatever was trained."""

    inputs: TrainingInputs
    recipe_name: str
    recipe_file: RecipeChecksum | None = None
    seed: Whole | None
    model_sha256: str
    refit: Refit | None = None
    parameters: Whole
    networks: Whole | None = None
    epochs: Whole | None = None
    hold_out_accuracy: Share | None
    seconds: Number
    images_per_second: Number | None = None
    data: RawManifest
    environment: TrainingEnvironment
    finished_at: str


class NetworkTrainingRecord(TrainingRecord):
    """training.json of one network."""

    split: Annotated[HoldOutSplit | FoldSplit, Field(discriminator="kind")]
    hold_out_accuracy: Share


class RecordedMember(Record):
    """One run of an ensemble."""

    run: str
    models: Models


class EnsembleTrainingRecord(TrainingRecord):
    """training.json of an ensemble."""

    split: EnsembleSplit
    members: list[RecordedMember]


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


class PushRecord(Record):
    """push.json: what was saved at Kaggle."""

    notebook_sha256: str
    url: str
    version: Whole
    pushed_at: str
