"""The records of a training, and of a search by many."""

from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.digits.records import RawManifest
from pipeline.system.record_values import (
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


class NetworkTraining(Training):
    """training.json of one network."""

    split: Annotated[HoldOutSplit | FoldSplit, Field(discriminator="kind")]
    hold_out_accuracy: Share


class Member(Record):
    """One run of an ensemble."""

    run: str
    models: Models


class EnsembleTraining(Training):
    """training.json of an ensemble."""

    split: EnsembleSplit
    members: list[Member]


class Tuning(Record):
    """tuning.json of a search, as far as it is read again."""

    importances: dict[str, Number] | None
