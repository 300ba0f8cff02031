"""The digits as a run sees them: checked arrays on disk, mapped into memory."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.digits.csv_reader import SIDE_PIXELS
from pipeline.digits.records import Arrays, ProcessedManifest
from pipeline.plan.workspace import ProcessedFolder
from pipeline.system import files, record_values, records
from pipeline.system.array_files import load_array
from pipeline.system.errors import PipelineError

REMEDY = "Run: make preprocess"


@dataclass(frozen=True)
class Dataset:
    """Read-only arrays, mapped from their files.

    train_images: (N, 28, 28) uint8.  train_labels: (N,) uint8, 0 to 9.
    test_images: (M, 28, 28) uint8.
    """

    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.uint8]
    test_images: npt.NDArray[np.uint8]


def locked(
    processed: ProcessedFolder, *, waiting: Callable[[str], None] | None = None
) -> AbstractContextManager[None]:
    """Hold the lock of the arrays and their splits: to write them, or to find what fits together.

    Arrays that were mapped stay as they are, also when others take their place afterwards.
    waiting: as ``files.locked`` has it.
    """
    return files.locked(processed.folder, processed.folds, waiting=waiting)


def load(processed: ProcessedFolder) -> Dataset:
    """Map the arrays of a processed source.

    Raises PipelineError if there are none, or if one is not the array that the manifest tells of.
    """
    train_images, train_labels = load_labelled(processed)
    test_images = _map(processed.test_images, _read(processed, Arrays)["arrays"])
    if test_images.shape[1:] != train_images.shape[1:]:
        raise _no_digits(processed)
    return Dataset(train_images, train_labels, test_images)


def load_labelled(
    processed: ProcessedFolder,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Map images and labels of train.csv alone; what learns never opens the test digits.

    Raises PipelineError like ``load``.
    """
    arrays = _read(processed, Arrays)["arrays"]
    images, labels = (
        _map(path, arrays) for path in (processed.train_images, processed.train_labels)
    )
    if (
        not labels.size
        or labels.max() > 9
        or images.shape != (*labels.shape, SIDE_PIXELS, SIDE_PIXELS)
    ):
        raise _no_digits(processed)
    return images, labels


def _no_digits(processed: ProcessedFolder) -> PipelineError:
    return PipelineError(
        f"{processed.folder} does not hold images of digits with their labels",
        remedy=f"{REMEDY} FORCE=1",
    )


def read_manifest(processed: ProcessedFolder) -> dict[str, Any]:
    """Return the record of a processed source: checksums, class counts, and its raw manifest.

    Raises PipelineError if the source has not been processed, or the record is damaged.
    """
    return _read(processed, ProcessedManifest)


def _read(processed: ProcessedFolder, shape: type[record_values.Record]) -> dict[str, Any]:
    try:
        return records.read(processed.manifest, shape)
    except FileNotFoundError:
        raise PipelineError(
            f"There are no arrays of source {processed.folder.name} ({processed.folder})",
            remedy=REMEDY,
        ) from None


def _map(path: Path, arrays: dict[str, Any]) -> npt.NDArray[np.uint8]:
    shape = tuple(arrays[path.stem]["shape"])
    try:
        array = load_array(path, mapped=True)
    except FileNotFoundError:
        raise PipelineError(f"{path} is missing", remedy=f"{REMEDY} FORCE=1") from None
    except ValueError as error:
        raise PipelineError(f"{path} is damaged: {error}", remedy=f"{REMEDY} FORCE=1") from None
    if array.shape != shape or array.dtype != np.uint8:
        raise PipelineError(
            f"{path} holds {array.dtype} {array.shape}, its manifest tells of uint8 {shape}",
            remedy=f"{REMEDY} FORCE=1",
        )
    return array
