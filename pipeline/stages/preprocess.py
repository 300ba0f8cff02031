"""Stage preprocess: turn the CSV files of a source into checked arrays for training to map."""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.digits import csv_reader, dataset
from pipeline.digits.csv_reader import read_blocks
from pipeline.digits.dialect import SIDE_PIXELS
from pipeline.digits.records import Preprocessed, ProcessedManifest, RawManifest
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import ProcessedFolder, RawFolder
from pipeline.runs.metrics import CLASSES
from pipeline.system import due, files, locks, provenance, records
from pipeline.system.array_files import RowsFile
from pipeline.system.errors import PipelineError


@dataclass(frozen=True)
class PreprocessResult:
    """Arrays in their place.

    source: the name of their folder.  class_counts: training rows of each digit 0 to 9.
    """

    unchanged: bool
    source: str
    folder: Path
    train_rows: int
    test_rows: int
    class_counts: tuple[int, ...]
    seconds: float


def preprocess(plan: Plan, *, force: bool = False) -> PreprocessResult:
    """Write the arrays of the plan's source under data/processed, all of them or none.

    Saved splits stay if the labels are the same as before, and go with them otherwise.
    Raises PipelineError if there is no raw data, if it is not what was downloaded, or if any
    number in it is not as it must be: then with file, line and column.
    """
    raw = plan.workspace.raw(plan.source.name)
    processed = plan.workspace.processed(plan.source.name)
    if not raw.manifest.exists():
        locks.wait_for(raw.folder)
    if not raw.manifest.exists():
        raise PipelineError(
            f"There is no raw data of source {plan.source.name} ({raw.folder})",
            remedy="Run: make download",
        )
    with locks.locked(raw.folder), dataset.locked(processed):
        manifest = records.read(raw.manifest, RawManifest, remedy="Run: make download")
        inputs = {path.name: manifest["files"][path.name]["sha256"] for path in _csv_files(raw)}
        inputs["reading"] = csv_reader.VERSION
        found = None if force else _current(processed, inputs)
        record = found or _replace(processed, raw, manifest, inputs)
    return PreprocessResult(
        found is not None,
        plan.source.name,
        processed.folder,
        record["arrays"]["train_images"]["shape"][0],
        record["arrays"]["test_images"]["shape"][0],
        tuple(record["class_counts"]),
        record["seconds"],
    )


def _current(processed: ProcessedFolder, inputs: dict[str, Any]) -> dict[str, Any] | None:
    def recorded(record: dict[str, Any]) -> dict[Path, str]:
        return {
            processed.folder / f"{name}.npy": array["sha256"]
            for name, array in record["arrays"].items()
        }

    return due.current_record(processed.manifest, inputs, shape=Preprocessed, outputs=recorded)


def _csv_files(raw: RawFolder) -> tuple[Path, Path]:
    return raw.train, raw.test


def _replace(
    processed: ProcessedFolder, raw: RawFolder, manifest: dict[str, Any], inputs: dict[str, Any]
) -> dict[str, Any]:
    """Make the folder anew from the raw files; its manifest, which is returned, comes last."""
    start = time.perf_counter()
    with files.atomic_folder(processed.folder, contents=processed.contents) as folder:
        new = ProcessedFolder(folder)
        class_counts, train_arrays = _convert(
            raw.train, manifest, new.train_images, new.train_labels
        )
        _, test_arrays = _convert(raw.test, manifest, new.test_images)
        arrays = train_arrays | test_arrays
        _keep_folds(processed, new, arrays)
        record = {
            "stage": "preprocess",
            "inputs": inputs,
            "arrays": arrays,
            "class_counts": class_counts.tolist(),
            "raw": manifest,
            "finished_at": provenance.now(),
            "seconds": round(time.perf_counter() - start, 3),
        }
        files.write_json(new.manifest, record)
    return record


def _convert(
    csv: Path, manifest: dict[str, Any], images: Path, labels: Path | None = None
) -> tuple[npt.NDArray[np.int64], dict[str, Any]]:
    """Turn one CSV file into arrays, a block at a time: memory does not grow with its rows.

    Return the number of rows of each digit, zeros without labels; and each array's record.
    """
    recorded = manifest["files"][csv.name]
    changed = PipelineError(
        f"{csv} has been changed since it was downloaded: its checksum differs",
        remedy="Run: make download FORCE=1",
    )
    digest = hashlib.sha256()
    class_counts = np.zeros(CLASSES, np.int64)
    rows = 0
    with ExitStack() as stack:
        image_file = RowsFile(
            stack.enter_context(images.open("wb")),
            (recorded["rows"], SIDE_PIXELS, SIDE_PIXELS),
            np.uint8,
        )
        arrays = {images.stem: image_file}
        if labels:
            stream = stack.enter_context(labels.open("wb"))
            arrays[labels.stem] = RowsFile(stream, (recorded["rows"],), np.uint8)
        for blocks in _read(csv, manifest, labelled=labels is not None, saw=digest.update):
            rows += len(blocks[0])
            if rows > recorded["rows"]:
                raise changed
            for file, block in zip(arrays.values(), blocks, strict=False):
                file.add(block)
            class_counts += np.bincount(blocks[1], minlength=CLASSES)
        if digest.hexdigest() != recorded["sha256"]:
            raise changed
        if rows < recorded["rows"]:
            raise PipelineError(
                f"{csv} has {rows:,} rows, but {recorded['rows']:,} were counted when it was "
                "downloaded",
                remedy="Run: make download FORCE=1",
            )
        records = {
            name: {"shape": list(file.shape), "sha256": file.finish()}
            for name, file in arrays.items()
        }
    return class_counts, records


def _read(
    csv: Path, manifest: dict[str, Any], *, labelled: bool, saw: Callable[[bytes], object]
) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
    try:
        yield from read_blocks(csv, labelled=labelled, saw=saw)
    except PipelineError as error:
        raise PipelineError(
            error.message,
            remedy=f"It came from {manifest['origin']}. "
            "When it is mended there, run: make download FORCE=1",
        ) from None


def _keep_folds(old: ProcessedFolder, new: ProcessedFolder, arrays: dict[str, Any]) -> None:
    """Take saved splits along where they still fit: the labels are what they were drawn from."""
    if not (old.manifest.exists() and old.folds.exists()):
        return
    try:
        before = records.read(old.manifest, ProcessedManifest)["arrays"]["train_labels"]
    except PipelineError:  # damaged, and about to be replaced; splits can be drawn again
        return
    if before == arrays["train_labels"]:
        new.folds.mkdir()
        for split in sorted(old.folds.glob("*.npy")):
            shutil.copy2(split, new.folds)
