"""Stage download: fetch the digits of a source, verify them, and keep them as they are."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.digits.csv_reader import count_rows
from pipeline.digits.records import RawManifest
from pipeline.digits.sources import (
    ANSWER_KEY,
    SAMPLE_SUBMISSION,
    TEST,
    TRAIN,
    Fetched,
    competition,
    kaggle_notebook,
    local,
    mnist_csv,
    practice,
)
from pipeline.kaggle.submission_csv import check_submission
from pipeline.plan.plan import Plan, Source, SourceKind
from pipeline.plan.workspace import RawFolder
from pipeline.system import due, files, locks, provenance, records
from pipeline.system.errors import PipelineError

# How many rows train.csv and test.csv have where that is known; a user's files may have any.
ROWS: dict[SourceKind, dict[str, int]] = {
    "kaggle": {TRAIN: 42_000, TEST: 28_000},
    "kaggle-notebook": {TRAIN: 42_000, TEST: 28_000},
    "mnist-csv": {TRAIN: 60_000, TEST: 10_000},
    "practice": {TRAIN: practice.TRAINING_DIGITS, TEST: practice.TEST_DIGITS},
}


@dataclass(frozen=True)
class DownloadResult:
    """Raw data in its place.

    source: the name of its folder.  kind: "competition", "mnist-csv" or "practice".
    origin: where it came from.  has_answer_key: whether the labels of test.csv are known.
    """

    unchanged: bool
    source: str
    kind: str
    origin: str
    folder: Path
    train_rows: int
    test_rows: int
    has_answer_key: bool
    seconds: float


def download(plan: Plan, *, force: bool = False) -> DownloadResult:
    """Put the files of the plan's source under data/raw, all of them or none.

    Raw data that is there stays as it is, unless forced, or the user's own files have changed.
    Raises PipelineError if the source fails or its files are not what they should be.
    """
    start = time.perf_counter()
    raw = plan.workspace.raw(plan.source.name)
    with locks.locked(raw.folder):
        inputs = _inputs(plan.source, raw)
        found = None if force else _current(raw, inputs)
        manifest = found or _replace(raw, plan.source, inputs)
    return DownloadResult(
        found is not None,
        plan.source.name,
        manifest["kind"],
        manifest["origin"],
        raw.folder,
        manifest["files"][TRAIN]["rows"],
        manifest["files"][TEST]["rows"],
        ANSWER_KEY in manifest["files"],
        time.perf_counter() - start,
    )


def _inputs(source: Source, raw: RawFolder) -> dict[str, Any]:
    """What identifies the origin."""
    if source.path is None:
        return {"source": source.kind}
    if raw.manifest.exists() and not source.path.exists():
        # Copied, so that the user may delete the zip afterwards.
        return dict(records.read(raw.manifest, RawManifest).get("inputs") or {})
    return {"source": source.kind, **local.identify(source.path)}


def _current(raw: RawFolder, inputs: dict[str, Any]) -> dict[str, Any] | None:
    def recorded(manifest: dict[str, Any]) -> dict[Path, str]:
        return {raw.folder / name: file["sha256"] for name, file in manifest["files"].items()}

    return due.current_record(raw.manifest, inputs, shape=RawManifest, outputs=recorded)


def _replace(raw: RawFolder, source: Source, inputs: dict[str, Any]) -> dict[str, Any]:
    """Fetch all files anew; the folder takes the place of the old one when all is well."""
    with files.atomic_folder(raw.folder, contents=raw.contents) as folder:
        fetched = _fetch(source, folder)
        manifest = {
            "stage": "download",
            "inputs": inputs,
            "kind": fetched.kind,
            "source": source.kind,
            "origin": fetched.origin,
            "downloaded_at": provenance.now(),
            "files": _verify(folder, fetched, ROWS.get(source.kind, {})),
        }
        files.write_json(folder / raw.manifest.name, manifest)
    return manifest


def _fetch(source: Source, into: Path) -> Fetched:
    if source.path is not None:
        return local.fetch(source.path, into)
    if source.kind == "kaggle-notebook":
        return kaggle_notebook.fetch(into, environment=os.environ)
    if source.kind == "mnist-csv":
        return mnist_csv.fetch(into)
    if source.kind == "practice":
        return practice.fetch(into)
    return competition.fetch(into)


def _verify(folder: Path, fetched: Fetched, expected: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Check headers, row counts and ids; return checksum, size and rows of each file."""
    rows = {}
    for file, labelled in ((TRAIN, True), (TEST, False)):
        name = fetched.name(file)
        rows[file] = count_rows(folder / file, labelled=labelled, name=name)
        if rows[file] != expected.get(file, rows[file]):
            raise PipelineError(
                f"{name} has {rows[file]:,} rows instead of {expected[file]:,}",
                remedy="It may have been cut short. Run: make download FORCE=1",
            )
    for file in (SAMPLE_SUBMISSION, ANSWER_KEY):
        if (folder / file).exists():
            rows[file] = _check_ids(folder / file, fetched.name(file), rows[TEST])
    return {
        file: {
            "sha256": files.sha256(folder / file),
            "bytes": (folder / file).stat().st_size,
            "rows": count,
        }
        for file, count in rows.items()
    }


def _check_ids(path: Path, name: str, test_rows: int) -> int:
    """Check a file of ids and labels against the rows of test.csv; messages call it ``name``."""
    try:
        return check_submission(path, test_rows=test_rows)
    except PipelineError as error:
        raise PipelineError(error.message.replace(str(path), name), remedy=error.remedy) from None
