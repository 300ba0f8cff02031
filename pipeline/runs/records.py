"""The records of runs: of a training or a search, of what a run reaches, of what goes to Kaggle."""

from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from pipeline.digits.records import RawManifest
from pipeline.system.records import (
    Change,
    Count,
    Environment,
    ExactRecord,
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


class RecipeFile(Record):
    """The recipe's file as it was read."""

    sha256: str | None = None
    in_git: bool | None = None


class Data(Record):
    """Checksums of the arrays that it learnt from."""

    train_images: str
    train_labels: str


class TrainingInputs(Record):
    """What the weights depend on."""

    data: Data
    recipe: dict[str, Any]


class Refit(Record):
    """The second network, on all rows."""

    model_sha256: str
    seconds: Number | None = None
    rows: Whole | None = None


class Split(Record):
    """How many rows are learnt from and held out; sha256: of the file that lists them."""

    training_rows: Whole
    hold_out_rows: Count
    sha256: str | None = None


class HoldOutSplit(Split):
    """A share held out."""

    kind: Literal["hold_out"]
    size: Number
    seed: Whole
    file: str


class FoldSplit(Split):
    """One fold of several held out."""

    kind: Literal["fold"]
    folds: Folds
    fold: Whole
    seed: Whole
    file: str


class EnsembleSplit(Split):
    """Of the members, all together."""

    kind: Literal["ensemble"]


class Training(Record):
    """training.json, whatever was trained."""

    inputs: TrainingInputs
    recipe_name: str
    recipe_file: RecipeFile | None = None
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


class NetworkTrainingRecord(Training):
    """training.json of one network."""

    split: Annotated[HoldOutSplit | FoldSplit, Field(discriminator="kind")]
    hold_out_accuracy: Share


class Member(Record):
    """One run of an ensemble."""

    run: str
    models: Models


class EnsembleTrainingRecord(Training):
    """training.json of an ensemble."""

    split: EnsembleSplit
    members: list[Member]


class TuningRecord(Record):
    """tuning.json of a search, as far as it is read again."""

    importances: dict[str, Number] | None


# ---- what a run reaches ------------------------------------------------------------------------
class Accuracy(ExactRecord):
    """A share of correct answers with its interval."""

    value: Share
    low: Share
    high: Share
    correct: Whole
    rows: Whole

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> "Accuracy":
        is_within = self.low <= self.value <= self.high
        if not is_within or not self.rows or abs(self.value - self.correct / self.rows) > 1e-6:
            raise ValueError("should be an accuracy within its interval")
        return self


class MeasuredRecord(Record):
    """validation.json, as far as most want to know."""

    inputs: dict[str, Any]
    accuracy: Accuracy


class ClassMetrics(ExactRecord):
    """One digit."""

    label: Whole
    precision: Share
    recall: Share
    f1: Share
    support: Whole


class WorstError(ExactRecord):
    """One digit that was misread."""

    row: Whole
    label: Whole
    prediction: Whole
    prediction_probability: Share
    label_probability: Share


class MetricsRecord(Record):
    """validation.json of a network."""

    accuracy: Accuracy
    log_loss: Number
    calibration_error: Number
    classes: list[ClassMetrics]
    confusion: list[list[Whole]]
    worst_errors: list[WorstError]


class MemberMetrics(ExactRecord):
    """One member beside the others."""

    run: str
    accuracy: Accuracy
    gain_correct: Change
    gain_rows: Whole
    gain: float | None = None
    networks: Whole
    seconds: Number


class Networks(Record):
    """How many networks stand behind the rows."""

    per_row: list[Whole]
    per_test_digit: Whole


class EnsembleMetricsRecord(MetricsRecord):
    """validation.json of an ensemble."""

    members: list[MemberMetrics]
    networks: Networks


class ScoreValue(Record):
    """An accuracy without its interval."""

    value: Share


class ScoreRecord(Record):
    """score.json: what a run reaches on the test digits, where those are known."""

    inputs: dict[str, Any]
    accuracy: ScoreValue


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


class HeldOut(Record):
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
    hold_out: HeldOut
    recipe: str | None = None
    seed: Whole | None = None


class PushRecord(Record):
    """push.json: what was saved at Kaggle."""

    notebook_sha256: str
    url: str
    version: Whole
    pushed_at: str
