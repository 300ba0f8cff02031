"""Every reader of the pipeline, each with sound inputs, changes to them, and a check of its own."""

from collections.abc import Callable
from pathlib import Path

from tests.stress.fuzzing import Reader
from tests.stress.readers import (
    accounts,
    archives,
    arrays,
    measurements,
    pictures,
    recipes,
    records,
    tables,
)

# What makes the reader in an empty folder of its own.
READERS: dict[str, Callable[[Path], Reader]] = {
    reader.name: reader
    for reader in (
        tables.LabelledDigits,
        tables.TestDigits,
        tables.MnistDigits,
        tables.SubmissionCsv,
        tables.SampleSubmission,
        tables.HistoryCsv,
        archives.CompetitionZip,
        archives.OwnZip,
        archives.OwnTar,
        archives.KaggleZip,
        recipes.RecipeToml,
        recipes.EnsembleToml,
        recipes.Overrides,
        arrays.ModelNpz,
        arrays.CheckpointNpz,
        arrays.HoldOutNpz,
        arrays.DigitsNpy,
        arrays.SplitNpy,
        arrays.ProbabilitiesNpy,
        records.Ledger,
        records.RawManifest,
        records.ProcessedManifest,
        records.Request,
        records.ResolvedRecipe,
        records.Training,
        records.EnsembleTraining,
        measurements.Validation,
        measurements.EnsembleValidation,
        measurements.SubmissionRecord,
        measurements.ScoreRecord,
        measurements.Reproduction,
        pictures.Picture,
        accounts.KaggleAnswer,
        accounts.KeyFile,
        accounts.TokenFile,
    )
}
