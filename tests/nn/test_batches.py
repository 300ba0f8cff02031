"""Rows become inputs, wherever they come from."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.nn import batches
from pipeline.nn.arrays import Array
from pipeline.nn.batches import batch_rows, gather, to_inputs


@pytest.fixture
def images() -> Array:
    return np.random.default_rng(0).integers(0, 256, (50, 5, 4), np.uint8)


@pytest.fixture
def mapped(images: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Array:
    """The same in a mapped file that counts as large."""
    monkeypatch.setattr(batches, "MAPPED_BYTES", 100)
    np.save(tmp_path / "images.npy", images)
    array: Array = np.load(tmp_path / "images.npy", mmap_mode="r")
    return array


ROWS = np.array([7, 3, 3, 49, 0])


def test_rows_of_a_large_mapped_file_are_those_of_the_array(images: Array, mapped: Array) -> None:
    np.testing.assert_array_equal(gather(mapped, ROWS), to_inputs(images[ROWS]))


def test_rows_of_a_part_of_a_mapped_file_are_those_of_the_part(
    images: Array, mapped: Array
) -> None:
    rows = np.array([0, 4, 1])
    np.testing.assert_array_equal(gather(mapped[10:], rows), to_inputs(images[10:][rows]))


def test_a_file_that_was_cut_short_is_told(mapped: Array, tmp_path: Path) -> None:
    file = tmp_path / "images.npy"
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size - 10)
    with pytest.raises(OSError, match=r"images\.npy is shorter than it was"):
        gather(mapped, ROWS)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_an_epoch_s_order_does_not_depend_on_the_kind_of_row_numbers(dtype: type) -> None:
    rows = np.arange(5, 1005)
    expected = np.random.default_rng(7).permutation(rows)
    batches_ = batch_rows(rows.astype(dtype), 64, rng=np.random.default_rng(7))
    np.testing.assert_array_equal(np.concatenate(list(batches_)), expected)
