"""Arrays come mapped from their files, or not at all."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.digits import dataset
from pipeline.plan.workspace import ProcessedFolder, Workspace
from pipeline.system.errors import PipelineError
from pipeline.system.files import read_json, sha256, write_json


@pytest.fixture
def processed(practice_workspace: Workspace, tmp_path: Path) -> ProcessedFolder:
    """A copy of the practice arrays, to be broken."""
    source = practice_workspace.processed("practice").folder
    return ProcessedFolder(shutil.copytree(source, tmp_path / "practice"))


def test_arrays_are_mapped_and_read_only(practice_workspace: Workspace) -> None:
    digits = dataset.load_labelled(practice_workspace.processed("practice"))
    assert digits.images.shape == (3000, 28, 28)
    assert digits.labels.shape == (3000,)
    test_images = dataset.load_test_images(practice_workspace.processed("practice"))
    assert test_images.shape == (2000, 28, 28)
    np.testing.assert_array_equal(
        dataset.load_labels(practice_workspace.processed("practice")), digits.labels
    )
    for array in (*digits, test_images):
        assert array.dtype == np.uint8
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable


def test_training_needs_the_labelled_digits_alone(processed: ProcessedFolder) -> None:
    whole = dataset.load_labelled(processed)
    processed.test_images.unlink()
    images, labels = dataset.load_labelled(processed)
    np.testing.assert_array_equal(images, whole.images)
    np.testing.assert_array_equal(labels, whole.labels)


def test_no_arrays_say_which_stage_to_run(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        dataset.load_labelled(ProcessedFolder(tmp_path / "practice"))
    assert str(caught.value) == (
        f"There are no arrays of source practice ({tmp_path}/practice)\nRun: make preprocess"
    )


def test_a_missing_array(processed: ProcessedFolder) -> None:
    processed.test_images.unlink()
    with pytest.raises(PipelineError, match=r"test_images.npy is missing\nRun: make preprocess$"):
        dataset.load_test_images(processed)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"anything else",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1_000] + bytes(1_000),
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    ],
)
@pytest.mark.parametrize("name", ["train_images", "train_labels", "test_images"])
def test_an_array_with_other_bytes(
    processed: ProcessedFolder, name: str, damage: Callable[[bytes], bytes]
) -> None:
    path = processed.folder / f"{name}.npy"
    path.write_bytes(damage(path.read_bytes()))
    load = dataset.load_test_images if name == "test_images" else dataset.load_labelled
    with pytest.raises(PipelineError) as caught:
        load(processed)
    assert str(caught.value) == f"{path} is not what preprocess wrote\nRun: make preprocess"


def record_anew(processed: ProcessedFolder) -> None:
    """As if the stage itself had written what is there now."""
    manifest = read_json(processed.manifest)
    for name, array in manifest["arrays"].items():
        array["sha256"] = sha256(processed.folder / f"{name}.npy")
    write_json(processed.manifest, manifest)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(2999, np.uint8), r"\(2999,\), but its manifest says uint8 \(3000,\)"),
        (np.full(3000, 10, np.uint8), "does not hold images of digits with their labels"),
        (np.zeros(3000, np.int64), "holds int64"),
        (np.array([{}] * 3000, dtype=object), "is damaged"),
    ],
)
def test_what_no_stage_writes(
    processed: ProcessedFolder, array: NDArray[Any], message: str
) -> None:
    np.save(processed.train_labels, array)
    record_anew(processed)
    with pytest.raises(PipelineError, match=message):
        dataset.load_labelled(processed)
