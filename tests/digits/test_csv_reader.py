"""Whole files: their numbers and checksum, and the lines of faults across blocks."""

import hashlib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from pipeline.digits import csv_reader
from pipeline.digits.csv_reader import count_rows, read_blocks
from pipeline.digits.header import MNIST_PIXELS
from pipeline.system.errors import PipelineError
from tests import csv_files
from tests.csv_files import read_digits


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of about ten rows, so that small files have many."""
    monkeypatch.setattr(csv_reader, "BLOCK_BYTES", 20_000)


def expected(lines: list[str]) -> np.ndarray:
    return np.array([line.split(",") for line in lines[1:]], dtype=np.int64)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_file_is_read_as_it_is(tmp_path: Path, labelled: bool) -> None:
    lines = csv_files.lines(60, labelled=labelled)
    path = csv_files.write(tmp_path / "a.csv", lines)
    digits = read_digits(path, labelled=labelled)
    table = expected(lines)
    assert digits.images.shape == (60, 28, 28)
    assert digits.images.dtype == digits.labels.dtype == np.uint8
    np.testing.assert_array_equal(digits.images.reshape(60, 784), table[:, -784:])
    np.testing.assert_array_equal(digits.labels, table[:, 0] if labelled else [])
    assert digits.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert count_rows(path, labelled=labelled, name="a.csv") == 60


def test_mnist_s_own_column_names(tmp_path: Path) -> None:
    lines = csv_files.lines(3, labelled=True, pixels=MNIST_PIXELS)
    digits = read_digits(csv_files.write(tmp_path / "a.csv", lines), labelled=True)
    assert digits.labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize("style", ["mark", "CRLF", "quotes", "no end", "all"])
def test_harmless_spellings_change_no_number(tmp_path: Path, style: str) -> None:
    lines = csv_files.lines(40, labelled=True)
    plain = read_digits(csv_files.write(tmp_path / "plain.csv", lines), labelled=True)
    data = "\n".join(lines).encode() + b"\n"
    if style in ("quotes", "all"):
        data = b'"' + data.strip().replace(b",", b'","').replace(b"\n", b'"\n"') + b'"\n'
    if style in ("no end", "all"):
        data = data.removesuffix(b"\n")
    if style in ("CRLF", "all"):
        data = data.replace(b"\n", b"\r\n")
    if style in ("mark", "all"):
        data = b"\xef\xbb\xbf" + data
    path = tmp_path / "spelled.csv"
    path.write_bytes(data)
    spelled = read_digits(path, labelled=True)
    np.testing.assert_array_equal(spelled.images, plain.images)
    np.testing.assert_array_equal(spelled.labels, plain.labels)
    assert spelled.sha256 == hashlib.sha256(data).hexdigest()
    assert count_rows(path, labelled=True, name="a.csv") == 40


def test_two_carriage_returns_end_no_line(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes("\n".join(csv_files.lines(3, labelled=True)).encode() + b"\r\r\n")
    with pytest.raises(PipelineError, match="line 4: a carriage return without a line feed"):
        read_digits(path, labelled=True)


@pytest.mark.parametrize("row", [1, 11, 12, 39, 60])
def test_the_line_of_a_fault_is_counted_across_blocks(tmp_path: Path, row: int) -> None:
    lines = csv_files.lines(60, labelled=True)
    fields = lines[row].split(",")
    fields[4] = "256"
    lines[row] = ",".join(fields)
    path = csv_files.write(tmp_path / "train.csv", lines)
    with pytest.raises(PipelineError) as caught:
        read_digits(path, labelled=True)
    message = f"{path}, line {row + 1}, column pixel3: '256' is outside 0 to 255"
    assert str(caught.value) == message


def test_a_file_cut_within_a_row(tmp_path: Path) -> None:
    path = csv_files.write(tmp_path / "train.csv", csv_files.lines(30, labelled=True))
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(
        PipelineError, match=r"line 31: \d+ values instead of 785; the file ends in"
    ):
        read_digits(path, labelled=True)


def test_every_row_too_long_is_no_index_column(tmp_path: Path) -> None:
    header, *rows = csv_files.lines(5, labelled=True)
    path = csv_files.write(tmp_path / "train.csv", [header, *(f"{row},0" for row in rows)])
    with pytest.raises(PipelineError, match=r"line 2: 786 values instead of 785$"):
        read_digits(path, labelled=True)


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    header = csv_files.lines(0, labelled=True)[0].encode() + b"\n"
    path.write_bytes(header + b"0," * (8 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(PipelineError, match=r"line 2: longer than 65,536 bytes"):
            read_digits(path, labelled=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 << 20


def test_reading_in_blocks_takes_no_more_memory_for_more_rows(tmp_path: Path) -> None:
    header, *rows = csv_files.lines(60, labelled=True)
    peaks = []
    for repeats in (1, 10):
        path = csv_files.write(tmp_path / f"{repeats}.csv", [header, *(rows * repeats)])
        count = 0
        tracemalloc.start()
        try:
            for images, labels in read_blocks(path, labelled=True, saw=lambda _: None):
                assert len(images) == len(labels)
                count += len(images)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert count == 60 * repeats
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_header_without_rows(tmp_path: Path, end: str) -> None:
    path = tmp_path / "train.csv"
    path.write_text(csv_files.lines(0, labelled=True)[0] + end)
    with pytest.raises(PipelineError, match=r"train.csv has no rows below its header$"):
        read_digits(path, labelled=True)
    with pytest.raises(PipelineError, match=r"^that file has no rows below its header$"):
        count_rows(path, labelled=True, name="that file")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"none.csv cannot be read: No such file"):
        read_digits(tmp_path / "none.csv", labelled=True)
