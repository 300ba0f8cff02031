"""The arrays that the stage preprocess wrote, mapped from their files and checked as they open."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.digits.dialect import SIDE_PIXELS
from pipeline.digits.records import ProcessedManifest
from pipeline.plan.workspace import ProcessedFolder
from pipeline.system import due, locks, records
from pipeline.system.array_files import load_array
from pipeline.system.errors import PipelineError

REMEDY = "Run: make preprocess"

Bytes = npt.NDArray[np.uint8]
_SIDES = (SIDE_PIXELS, SIDE_PIXELS)


class Labelled(NamedTuple):
    """The digits of train.csv: images (N, 28, 28) and labels (N,) from 0 to 9, read-only."""

    images: Bytes
    labels: Bytes


def locked(processed: ProcessedFolder) -> AbstractContextManager[None]:
    """Hold the lock of the arrays and their splits: to write them, or to find what fits together.

    Arrays that were mapped stay as they are, also when others take their place afterwards.
    """
    return locks.locked(processed.folder, processed.folds)


def read_manifest(processed: ProcessedFolder) -> dict[str, Any]:
    """Return the record of a processed source: checksums, class counts, and its raw manifest.

    Raises PipelineError if the source has not been processed, or the record is damaged.
    """
    try:
        return records.read(processed.manifest, ProcessedManifest, remedy=REMEDY)
    except FileNotFoundError:
        raise PipelineError(
            f"There are no arrays of source {processed.folder.name} ({processed.folder})",
            remedy=REMEDY,
        ) from None


def load_labelled(processed: ProcessedFolder) -> Labelled:
    """Map the digits of train.csv; what learns from them opens no test digit.

    Raises PipelineError if there are none, or one is not the array that the manifest tells of.
    """
    manifest = read_manifest(processed)
    images = _open(processed.train_images, manifest)
    labels = _open(processed.train_labels, manifest)
    if not labels.size or labels.max() > 9 or images.shape != (len(labels), *_SIDES):
        raise _no_digits(processed)
    return Labelled(images, labels)


def load_labels(processed: ProcessedFolder) -> Bytes:
    """Map the labels (N,) of train.csv alone. Raises PipelineError like ``load_labelled``."""
    return _open(processed.train_labels, read_manifest(processed))


def load_test_images(processed: ProcessedFolder) -> Bytes:
    """Map the images (M, 28, 28) of test.csv. Raises PipelineError like ``load_labelled``."""
    images = _open(processed.test_images, read_manifest(processed))
    if images.shape[1:] != _SIDES:
        raise _no_digits(processed)
    return images


def _open(path: Path, manifest: dict[str, Any]) -> Bytes:
    """Map an array, once its bytes are known to be those that were written."""
    recorded = manifest["arrays"][path.stem]
    try:
        if not due.has_checksum(path, recorded["sha256"]):
            what = "is not what preprocess wrote" if path.exists() else "is missing"
            raise PipelineError(f"{path} {what}", remedy=REMEDY)
        array = load_array(path, mapped=True)
    except ValueError as error:
        raise PipelineError(f"{path} is damaged: {error}", remedy=REMEDY) from None
    if array.dtype != np.uint8 or list(array.shape) != recorded["shape"]:
        raise PipelineError(
            f"{path} holds {array.dtype} {array.shape}, but its manifest says uint8 "
            f"{tuple(recorded['shape'])}",
            remedy=f"{REMEDY} FORCE=1",
        )
    return array


def _no_digits(processed: ProcessedFolder) -> PipelineError:
    return PipelineError(
        f"{processed.folder} does not hold images of digits with their labels",
        remedy=f"{REMEDY} FORCE=1",
    )
