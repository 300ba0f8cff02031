"""Arrays come as they were written; anything else is one error, and code in it never runs."""

import hashlib
import io
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.system.array_files import RowsFile, load_array, load_arrays

ARRAY = np.arange(6, dtype=np.uint8).reshape(2, 3)


def npy(header: str, payload: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + payload


def described(shape: str = "(2,)", kind: str = "'|u1'") -> str:
    return f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}"


class Planting:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


DAMAGED = {
    "nothing": b"",
    "cut short": npy(described(), b"\1"),
    "huge": npy(described("(1000000000000,)")),
    "overflowing": npy(described("(18446744073709551616,)")),
    "negative": npy(described("(-1,)")),
    "no bytes": npy(described("(-1,)", "'|V0'")),  # for which NumPy divides by zero
    "another version": b"\x93NUMPY\x02\x00" + npy(described())[8:],
    "no bracket": npy("{'descr': '|u1', ("),
    "deep": npy("[" * 3_000),
    "no number": npy("9" * 6_000),
    "no type": npy(described(kind="'x'")),
    "text": b"label\n1\n",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("mapped", [False, True])
def test_a_damaged_array_is_one_error(tmp_path: Path, content: bytes, mapped: bool) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"\w"):
        load_array(path, mapped=mapped)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20_000_000


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_so_it_is_in_an_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.npy", content)
    with pytest.raises(ValueError, match=r"\w"):
        load_arrays(path)


def test_arrays_come_back(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ARRAY)
    np.savez(tmp_path / "a.npz", first=ARRAY, second=ARRAY[0])
    np.testing.assert_array_equal(load_array(tmp_path / "a.npy"), ARRAY)
    assert isinstance(load_array(tmp_path / "a.npy", mapped=True), np.memmap)
    found = load_arrays(tmp_path / "a.npz")
    np.testing.assert_array_equal(found["first"], ARRAY)
    np.testing.assert_array_equal(found["second"], ARRAY[0])


def test_what_is_missing_is_not_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_array(tmp_path / "a.npy")
    with pytest.raises(FileNotFoundError):
        load_arrays(tmp_path / "a.npz")


def test_one_kind_is_not_taken_for_the_other(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ARRAY)
    np.savez(tmp_path / "a.npz", first=ARRAY)
    with pytest.raises(ValueError, match=r"no \.npy file"):
        load_array(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"no \.npz file"):
        load_arrays(tmp_path / "a.npy")


def test_what_grows_when_it_is_unpacked_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", first=np.zeros(100_000))
    with pytest.raises(ValueError, match="compressed"):
        load_arrays(tmp_path / "a.npz")


def test_code_in_an_array_is_not_run(tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    hidden = io.BytesIO()
    np.save(hidden, np.array([Planting(planted)], object), allow_pickle=True)
    for content in (hidden.getvalue(), pickle.dumps(Planting(planted))):
        (tmp_path / "a.npy").write_bytes(content)
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as packed:
            packed.writestr("a.npy", content)
        with pytest.raises(ValueError, match=r"\w"):
            load_array(tmp_path / "a.npy")
        with pytest.raises(ValueError, match=r"\w"):
            load_arrays(tmp_path / "a.npz")
    assert not planted.exists()


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
