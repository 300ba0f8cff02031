"""The records of digits: CSV files as they were downloaded, and the arrays made of them."""

from typing import Any

from pydantic import Field

from pipeline.plan.records import SourceOfDigits
from pipeline.system.records import Count, Number, Record, Whole


class CSVFile(Record):
    """A CSV file: rows below its header."""

    sha256: str
    rows: Count


class CSVFiles(Record):
    """The two that every source has."""

    train: CSVFile = Field(alias="train.csv")
    test: CSVFile = Field(alias="test.csv")


class RawManifest(Record):
    """manifest.json beside the CSV files."""

    kind: SourceOfDigits
    source: str
    origin: str
    downloaded_at: str | None = None
    inputs: dict[str, Any] | None = None
    files: CSVFiles


class ArrayFile(Record):
    """One .npy file."""

    shape: list[Whole]
    sha256: str


class ArrayFiles(Record):
    """All of them."""

    train_images: ArrayFile
    train_labels: ArrayFile
    test_images: ArrayFile


class Arrays(Record):
    """As much of the manifest as is needed to map them."""

    arrays: ArrayFiles


class ProcessedManifest(Arrays):
    """manifest.json beside the arrays."""

    raw: RawManifest


class Preprocessed(ProcessedManifest):
    """The same, as the stage itself reads it again."""

    class_counts: list[Whole]
    seconds: Number
