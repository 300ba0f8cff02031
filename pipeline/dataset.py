"""The digits as a run sees them: checked arrays on disk, mapped into memory."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline import files
from pipeline.errors import PipelineError
from pipeline.machine_faults import raise_if_refused
from pipeline.workspace import ProcessedFolder

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
    arrays = read_manifest(processed)["arrays"]
    return Dataset(
        train_images=_map(processed.train_images, arrays),
        train_labels=_map(processed.train_labels, arrays),
        test_images=_map(processed.test_images, arrays),
    )


def load_labelled(
    processed: ProcessedFolder,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Map images and labels of train.csv alone; what learns never opens the test digits.

    Raises PipelineError like ``load``.
    """
    arrays = read_manifest(processed)["arrays"]
    return _map(processed.train_images, arrays), _map(processed.train_labels, arrays)


def read_manifest(processed: ProcessedFolder) -> dict[str, Any]:
    """Return the record of a processed source: checksums, class counts, and its raw manifest.

    Raises PipelineError if the source has not been processed.
    """
    try:
        return files.read_json(processed.manifest)
    except FileNotFoundError:
        raise PipelineError(
            f"There are no arrays of source {processed.folder.name} ({processed.folder})",
            remedy=REMEDY,
        ) from None


def save_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array as .npy, atomically."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    with files.atomic_write(path) as stream:
        # NumPy itself would not say why a disk takes no more.
        stream.write(content.getbuffer())


def _map(path: Path, arrays: dict[str, Any]) -> npt.NDArray[np.uint8]:
    shape = tuple(arrays[path.stem]["shape"])
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise PipelineError(f"{path} is missing", remedy=f"{REMEDY} FORCE=1") from None
    except (ValueError, OSError, EOFError) as error:
        raise_if_refused(error, path)
        raise PipelineError(f"{path} is damaged: {error}", remedy=f"{REMEDY} FORCE=1") from None
    if array.shape != shape or array.dtype != np.uint8:
        raise PipelineError(
            f"{path} holds {array.dtype} {array.shape}, its manifest tells of uint8 {shape}",
            remedy=f"{REMEDY} FORCE=1",
        )
    return array  # type: ignore[no-any-return]
