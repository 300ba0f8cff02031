"""The record of a training: of one network, or of an ensemble."""

from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.digits.records import RawManifest
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
    training_loss: float | None = None


class RecordedSplit(Record):
    """How many rows are learnt from and held out; sha256: of the file that lists them.

    locked: the share of all rows that is neither; not there where it is none.
    """

    training_rows: Whole
    hold_out_rows: Count
    locked: Share = 0.0
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
    refit: Refit | None
    parameters: Whole
    networks: Whole | None = None
    epochs: Whole | None
    hold_out_accuracy: Share | None
    seconds: Number
    images_per_second: Number | None
    data: RawManifest
    environment: TrainingEnvironment
    finished_at: str


class NetworkTrainingRecord(TrainingRecord):
    """training.json of one network."""

    epochs: Whole
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
