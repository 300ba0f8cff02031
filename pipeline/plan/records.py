"""The records that a plan is made from: what was asked for, and what was downloaded."""

from pathlib import Path
from typing import Any, Literal

from pipeline.system.records import Folds, Record, Whole, read

SourceOfDigits = Literal["competition", "mnist-csv", "practice"]


class RequestRecord(Record):
    """request.json in a run's folder: the plan, to be made again."""

    source: str
    recipe: str | None = None
    seed: Whole | None = None
    set: str | None = None
    blend: list[str] | None = None
    folds: Folds | None = None
    fold: Whole | None = None


class DownloadRecord(Record):
    """manifest.json beside the CSV files, as far as it tells where digits came from."""

    kind: SourceOfDigits
    origin: str | None = None
    downloaded_at: str | None = None


def read_request(path: Path) -> dict[str, Any]:
    """Read a run's request.json. Raises PipelineError naming the first key that is wrong."""
    return read(path, RequestRecord)


def read_download(path: Path) -> dict[str, Any]:
    """Read a source's manifest.json, as far as named above. Raises PipelineError likewise."""
    return read(path, DownloadRecord)
