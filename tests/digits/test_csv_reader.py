"""Files of digits: their numbers and checksum as they are, or their first fault by its place."""

import csv
import hashlib
import tracemalloc
from pathlib import Path
from random import Random

import numpy as np
import pytest

from pipeline.digits import csv_reader
from pipeline.digits.csv_reader import count_rows, read_blocks
from pipeline.digits.dialect import KAGGLE_PIXELS, MNIST_PIXELS
from pipeline.system.errors import PipelineError
from tests import csv_files
from tests.csv_files import read_digits

TRAIN = ["label", *KAGGLE_PIXELS]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of ten rows, so that small files have many."""
    monkeypatch.setattr(csv_reader, "BLOCK_ROWS", 10)


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


@pytest.mark.parametrize("style", ["mark", "CRLF", "quotes", "zeros", "no end", "all"])
def test_harmless_spellings_change_no_number(tmp_path: Path, style: str) -> None:
    lines = csv_files.lines(40, labelled=True)
    plain = read_digits(csv_files.write(tmp_path / "plain.csv", lines), labelled=True)
    data = "\n".join(lines).encode() + b"\n"
    if style in ("quotes", "all"):
        data = b'"' + data.strip().replace(b",", b'","').replace(b"\n", b'"\n"') + b'"\n'
    if style == "zeros":
        data = data.replace(b",7", b",007").replace(b",0,", b",0000,")
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


def line(columns: list[str]) -> bytes:
    return ",".join(columns).encode() + b"\n"


def fault(path: Path, data: bytes, *, labelled: bool = True) -> str:
    path.write_bytes(data)
    with pytest.raises(PipelineError) as caught:
        read_digits(path, labelled=labelled)
    assert "\n" not in caught.value.message
    return str(caught.value).replace(str(path), "FILE")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "FILE is empty"),
        (b"<!DOCTYPE html>\n<html>", "FILE is a web page, not CSV"),
        (b"\xef\xbb\xbf \r\n <html>", "FILE is a web page, not CSV"),
        (b"PK\x03\x04abc", "FILE is a zip or a spreadsheet, not CSV"),
        (b"\x1f\x8b\x08", "FILE is a gzip file, not CSV"),
        (line(TRAIN).decode().encode("utf-16"), "FILE is UTF-16 text (save it as UTF-8), not CSV"),
        (
            line(TRAIN).decode().encode("utf-16-le"),
            "FILE is UTF-16 text (save it as UTF-8), not CSV",
        ),
        (
            b"label," * 20_000,
            "FILE, line 1: longer than 65,536 bytes, so no row: 'label,",
        ),
        (
            line(TRAIN).replace(b"\n", b"\r1,2\r"),
            "FILE, line 1: a carriage return without a line feed; use LF or CRLF",
        ),
        (line(KAGGLE_PIXELS), "FILE, line 1: column 1 is 'pixel0' instead of 'label'"),
        (line(TRAIN[:-1]), "FILE, line 1: the column 'pixel783' is missing"),
        (line(TRAIN[:-3]), "FILE, line 1: the column 'pixel781' is missing"),
        (
            line(TRAIN[:18] + TRAIN[19:]),
            "FILE, line 1: column 19 is 'pixel18' instead of 'pixel17'",
        ),
        (line([*TRAIN, "extra"]), "FILE, line 1: a column too many, 'extra'"),
        (line(TRAIN).replace(b"\n", b",\n"), "FILE, line 1: a column too many, ''"),
        (
            line(["label", "pixel1", "pixel0", *KAGGLE_PIXELS[2:]]),
            "FILE, line 1: column 2 is 'pixel1' instead of 'pixel0'",
        ),
        (
            line([*TRAIN[:4], "pixel1", *TRAIN[5:]]),
            "FILE, line 1: column 5 is 'pixel1' instead of 'pixel3'",
        ),
        (b"\n\n \r\n", "FILE is empty"),
        (b'"label\n', "FILE, line 1: a quote that does not enclose a whole value"),
    ],
)
def test_a_header_that_is_none(tmp_path: Path, data: bytes, message: str) -> None:
    assert fault(tmp_path / "f.csv", data).startswith(message)


def test_labels_where_there_should_be_none(tmp_path: Path) -> None:
    told = fault(tmp_path / "f.csv", line(TRAIN), labelled=False)
    assert told == "FILE, line 1: column 1 is 'label' instead of 'pixel0'"


ROW = b"1,2,3" + b",0" * 782
WHOLE = "is not a whole number"


@pytest.mark.parametrize(
    ("text", "fault_of_it"),
    [
        *((text, "is outside 0 to 255") for text in ("256", "999", "-1", "1000")),
        ("9" * 5000, "is outside 0 to 255"),
        *((text, WHOLE) for text in ("1.5", "1.01", "abc", "0x1", "+7", "1_0", "NaN")),
        *(
            (text, WHOLE)
            for text in ("7\t", "7 0", "True", "2;3", "٣", "\x00", "2\x00", '2"', "#1")
        ),
        ("", f"{WHOLE} but empty"),
    ],
)
def test_a_number_that_is_none(tmp_path: Path, text: str, fault_of_it: str) -> None:
    data = line(TRAIN) + ROW + b"\n" + ROW.replace(b"2", text.encode()) + b"\n"
    shown = repr(text if len(text) < 40 else f"{text[:40]}...")
    told = fault(tmp_path / "f.csv", data)
    assert told == f"FILE, line 3, column pixel0: {shown} {fault_of_it}"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (ROW.replace(b"1", b"10"), "line 2, column label: '10' is outside 0 to 9"),
        (ROW.replace(b"1", b""), "line 2, column label: '' is not a whole number but empty"),
        (ROW.replace(b"2", b"\xff"), r"line 2, column pixel0: '\\xff' is not a whole number"),
        (ROW.replace(b"2", b'"1,000"'), "line 2, column pixel0: '1,000' is not a whole number"),
        (ROW[:-2] + b"\n", "line 2: 784 values instead of 785"),
        (ROW + b"\n" + ROW + b",4\n", "line 3: 786 values instead of 785"),
        (ROW + b",\n", "line 2: 786 values instead of 785"),
        (
            ROW + b"\n1,2",
            "line 3: 2 values instead of 785; the file ends in the middle of this row",
        ),
        (
            ROW + b"\n4",
            "line 3: 1 value instead of 785; the file ends in the middle of this row",
        ),
        (ROW + b"\n\n" + ROW, "line 3: the line is blank"),
        (ROW + b"\n\r\n" + ROW, "line 3: the line is blank"),
        (ROW + b"\n\n  \n,,,\n" + ROW, "line 3: the line is blank"),
        (b"</body>\n", "line 2: 1 value instead of 785"),
        (
            ROW.replace(b"2", b'"2') + b"\n" + ROW,
            "line 2: a quote that does not enclose a whole value",
        ),
        (ROW.replace(b"2", b'"2"2'), "line 2: a quote that does not enclose a whole value"),
        (
            ROW + b"\r" + ROW + b"\n",
            "line 2: a carriage return without a line feed; use LF or CRLF",
        ),
        (ROW + b"\r\r\n", "line 2: a carriage return without a line feed; use LF or CRLF"),
        (
            ROW + b"\n" + b"7" * 70_000 + b"\n",
            f"line 3: longer than 65,536 bytes, so no row: '{'7' * 40}...'",
        ),
    ],
)
def test_a_row_that_is_none(tmp_path: Path, lines: bytes, message: str) -> None:
    assert fault(tmp_path / "f.csv", line(TRAIN) + lines) == f"FILE, {message}"


def test_what_is_accepted_is_what_the_standard_library_reads(tmp_path: Path) -> None:
    """Files broken at random are refused, or read as a plain parser reads them."""
    rng = Random(7)
    accepted = refused = 0
    for _ in range(300):
        broken = bytearray(b"1,20,255" + b",0" * 782)
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(9)
            broken[place : place + rng.randrange(2)] = bytes([rng.choice(b'0123456789,\r" .-+e\0')])
        path = tmp_path / "f.csv"
        path.write_bytes(line(TRAIN) + bytes(broken) + b"\n")
        try:
            digits = read_digits(path, labelled=True)
        except PipelineError:
            refused += 1
        else:
            accepted += 1
            (values,) = csv.reader([broken.decode()])
            found = [*digits.labels.tolist(), *digits.images.ravel().tolist()]
            assert found == [float(value) for value in values]
    assert min(accepted, refused) > 20
