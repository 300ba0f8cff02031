"""Arrays come mapped from their files, or not at all."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.digits import dataset
from pipeline.plan.workspace import ProcessedFolder, Workspace
from pipeline.system.errors import PipelineError


@pytest.fixture
def processed(practice_workspace: Workspace, tmp_path: Path) -> ProcessedFolder:
    """A copy of the practice arrays, to be broken."""
    source = practice_workspace.processed("practice").folder
    return ProcessedFolder(shutil.copytree(source, tmp_path / "practice"))


def test_arrays_are_mapped_and_read_only(practice_workspace: Workspace) -> None:
    digits = dataset.load(practice_workspace.processed("practice"))
    assert digits.train_images.shape == (3000, 28, 28)
    assert digits.train_labels.shape == (3000,)
    assert digits.test_images.shape == (2000, 28, 28)
    for array in (digits.train_images, digits.train_labels, digits.test_images):
        assert array.dtype == np.uint8
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable


def test_training_needs_the_labelled_digits_alone(processed: ProcessedFolder) -> None:
    whole = dataset.load(processed)
    processed.test_images.unlink()
    images, labels = dataset.load_labelled(processed)
    np.testing.assert_array_equal(images, whole.train_images)
    np.testing.assert_array_equal(labels, whole.train_labels)


def test_no_arrays_say_which_stage_to_run(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        dataset.load(ProcessedFolder(tmp_path / "practice"))
    assert str(caught.value) == (
        f"There are no arrays of source practice ({tmp_path}/practice)\nRun: make preprocess"
    )


def test_a_missing_array(processed: ProcessedFolder) -> None:
    processed.test_images.unlink()
    with pytest.raises(PipelineError, match=r"test_images.npy is missing\nRun: make preprocess FO"):
        dataset.load(processed)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"anything else"])
def test_a_damaged_array(processed: ProcessedFolder, content: bytes) -> None:
    processed.train_labels.write_bytes(content)
    with pytest.raises(PipelineError, match=r"train_labels.npy is damaged: "):
        dataset.load(processed)


def test_an_array_cut_short(processed: ProcessedFolder) -> None:
    with processed.train_images.open("r+b") as stream:
        stream.truncate(1_000_000)
    with pytest.raises(PipelineError, match=r"train_images.npy is damaged: "):
        dataset.load(processed)


def test_an_array_of_other_data(processed: ProcessedFolder) -> None:
    np.save(processed.train_labels, np.zeros(2999, np.uint8))
    with pytest.raises(PipelineError, match=r"holds uint8 \(2999,\), but its manifest says uint8"):
        dataset.load(processed)
    np.save(processed.train_labels, np.zeros(3000, np.int64))
    with pytest.raises(PipelineError, match=r"holds int64 \(3000,\)"):
        dataset.load(processed)


def test_objects_are_never_unpickled(processed: ProcessedFolder) -> None:
    np.save(processed.train_labels, np.array([{}] * 3000, dtype=object))
    with pytest.raises(PipelineError, match="damaged"):
        dataset.load(processed)


def test_labels_that_are_no_digits(processed: ProcessedFolder) -> None:
    labels = np.load(processed.train_labels)
    labels[7] = 10
    np.save(processed.train_labels, labels)
    with pytest.raises(PipelineError, match="does not hold images of digits with their labels"):
        dataset.load(processed)
