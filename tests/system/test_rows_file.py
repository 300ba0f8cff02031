"""An array written row by row is the file that np.save would have written."""

import hashlib
import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from pipeline.system.array_files import RowsFile


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(0, 10), (7,), (7, 28, 28)])
def test_the_bytes_are_those_of_the_whole_array(shape: tuple[int, ...], dtype: type) -> None:
    array: np.ndarray = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    whole, stream = io.BytesIO(), io.BytesIO()
    np.save(whole, array)
    file = RowsFile(stream, shape, dtype)
    for start in range(0, len(array), 3):
        file.add(array[start : start + 3])
    assert file.finish() == hashlib.sha256(whole.getvalue()).hexdigest()
    assert stream.getvalue() == whole.getvalue()


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (np.zeros((2, 4), np.uint8), r"expected rows \(3,\) of uint8, got \(4,\) of uint8"),
        (np.zeros((2, 3), np.int64), r"expected rows \(3,\) of uint8, got \(3,\) of int64"),
        (np.zeros((6, 3), np.uint8), "there are more than 5 rows"),
    ],
)
def test_rows_that_do_not_belong_there(rows: np.ndarray, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        RowsFile(io.BytesIO(), (5, 3), np.uint8).add(rows)


def test_missing_rows_are_told() -> None:
    file = RowsFile(io.BytesIO(), (5, 3), np.uint8)
    file.add(np.zeros((4, 3), np.uint8))
    with pytest.raises(ValueError, match="there are fewer than 5 rows"):
        file.finish()


def test_earlier_rows_are_not_kept(tmp_path: Path) -> None:
    rows = np.zeros((100, 1000), np.uint8)
    with (tmp_path / "rows.npy").open("wb") as stream:
        file = RowsFile(stream, (20_000, 1000), np.uint8)
        tracemalloc.start()
        try:
            for _ in range(200):
                file.add(rows)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 1_000_000  # of twenty million bytes
