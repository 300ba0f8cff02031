import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.kaggle.submission_csv import check_submission, read_submission, write_submission
from pipeline.system.errors import PipelineError

GOOD = b"ImageId,Label\n1,7\n2,0\n3,9\n"

Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_bytes(content: bytes) -> Path:
        path = tmp_path / "out.csv"
        path.write_bytes(content)
        return path

    return write_bytes


def test_what_is_written_passes_the_check_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "out.csv"
    labels = np.arange(25, dtype=np.int64) % 10
    write_submission(path, labels.tolist())
    assert path.read_bytes().startswith(b"ImageId,Label\n1,0\n2,1\n")
    assert read_submission(path, test_rows=25) == labels.tolist()
    assert [item.name for item in path.parent.iterdir()] == ["out.csv"]


def test_writing_and_checking_keep_no_rows(tmp_path: Path) -> None:
    labels = np.arange(15_000, dtype=np.int64).astype(np.uint8) % 10
    tracemalloc.start()
    try:
        write_submission(tmp_path / "out.csv", labels)
        assert check_submission(tmp_path / "out.csv", test_rows=15_000) == 15_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize("label", [10, -1])
def test_a_label_that_is_no_digit_is_never_written(tmp_path: Path, label: int) -> None:
    path = tmp_path / "out.csv"
    with pytest.raises(ValueError, match=f"label {label} at position 1"):
        write_submission(path, [3, label])
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.removesuffix(b"\n"),
        b'"ImageId","Label"\n1,7\n2,0\n3,9\n',
        b'"ImageId","Label"\r\n"1","7"\r\n"2","0"\r\n"3","9"',
    ],
)
def test_what_kaggle_takes_passes(write: Write, content: bytes) -> None:
    assert read_submission(write(content), test_rows=3) == [7, 0, 9]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", " is empty"),
        (b"\n\n", " is empty"),
        (b"\xef\xbb\xbf" + GOOD, r", line 1: the header must be ImageId,Label, it is '\ufeffIm"),
        (GOOD.decode().encode("utf-16"), " is UTF-16 text (save it as UTF-8), not CSV"),
        (b"PK\x03\x04rest", " is a zip or a spreadsheet, not CSV"),
        (b"\x1f\x8brest", " is a gzip file, not CSV"),
        (b"<!doctype html>\n<p>Sign in", " is a web page, not CSV"),
        (b"\n <html>", " is a web page, not CSV"),
        (b"1,7\n2,0\n3,9\n", ", line 1: the header must be ImageId,Label, it is '1,7'"),
        (b"imageid,label\n1,7\n", ", line 1: the header must be"),
        (b"ImageId,Label,\n1,7,\n", ", line 1: the header must be"),
        (b"ImageId;Label\n1;7\n", ", line 1: the header must be"),
        (b"ImageId, Label\n1, 7\n", ", line 1: the header must be"),
        (b",ImageId,Label\n0,1,7\n", ", line 1: the header must be"),
        (GOOD.replace(b"2,0", b"2"), ", line 3: 1 value instead of 2"),
        (GOOD.replace(b"2,0", b"2,0,1"), ", line 3: 3 values instead of 2"),
        (GOOD.replace(b"2,0", b"3,0"), ", line 3: ImageId must be 2, it is '3'"),
        (GOOD.replace(b"1,7", b"0,7"), ", line 2: ImageId must be 1, it is '0'"),
        (GOOD.replace(b"2,0", b"2.0,0"), ", line 3: ImageId must be 2, it is '2.0'"),
        (GOOD.replace(b"2,0", b"02,0"), ", line 3: ImageId must be 2, it is '02'"),
        (
            GOOD.replace(b"2,0", b"2,10"),
            ", line 3: Label must be a whole number 0 to 9, it is '10'",
        ),
        (GOOD.replace(b"2,0", b"2,-1"), ", line 3: Label must be"),
        (GOOD.replace(b"2,0", b"2,3.0"), ", line 3: Label must be"),
        (GOOD.replace(b"2,0", b"2, 3"), ", line 3: Label must be"),
        (GOOD.replace(b"2,0", b"2,03"), ", line 3: Label must be"),
        (GOOD.replace(b"2,0", b"2,"), ", line 3: Label must be a whole number 0 to 9, it is ''"),
        (GOOD.replace(b"2,0", "2,٣".encode()), ", line 3: Label must be"),
        (GOOD.replace(b"2,0", "2,²".encode()), ", line 3: Label must be"),
        (
            GOOD.replace(b"2,0", b"2,\x00"),
            r", line 3: Label must be a whole number 0 to 9, it is '\x00'",
        ),
        (GOOD.replace(b"2,0", b"2,nan"), ", line 3: Label must be"),
        (GOOD.replace(b"2,0", b'2,"0'), ", line 3: a quote that does not enclose a whole value"),
        (GOOD.replace(b"2,0", b'2,"0"1'), ", line 3: a quote that does not enclose a whole value"),
        (GOOD.replace(b"2,0", b'2,0"'), ", line 3: Label must be"),
        (GOOD.replace(b"2,0\n", b"2,0\n\n"), ", line 4: the line is blank"),
        (GOOD + b"\n", ", line 5: the line is blank"),
        (GOOD + b" \r\n", ", line 5: 1 value instead of 2"),
        (
            GOOD.replace(b"2,0", b"2,\xff"),
            r", line 3: Label must be a whole number 0 to 9, it is '\\xff'",
        ),
        (GOOD.replace(b"\n", b"\r"), ", line 1: a carriage return without a line feed"),
        (GOOD.replace(b"2,0\n", b"2,0\r"), ", line 3: a carriage return without a line feed"),
        (GOOD.replace(b"2,0", b"2," + b"0" * 70_000), ", line 3: longer than 65,536 bytes"),
        (GOOD + b"4,1\n", ", line 5: one row too many, test.csv has 3"),
        (GOOD.removesuffix(b"3,9\n"), " ends after line 3: it has 2 rows, but test.csv has 3"),
        (b"ImageId,Label\n", " ends after line 1: it has 0 rows, but test.csv has 3"),
    ],
)
def test_the_first_bad_line_is_named(write: Write, content: bytes, complaint: str) -> None:
    path = write(content)
    with pytest.raises(PipelineError) as failure:
        check_submission(path, test_rows=3)
    assert failure.value.message.startswith(f"{path}{complaint}")
    assert "\n" not in failure.value.message


def test_the_first_of_two_bad_lines_is_named(write: Write) -> None:
    with pytest.raises(PipelineError, match="line 2: Label"):
        check_submission(write(b"ImageId,Label\n1,x\n9,y\n"), test_rows=3)


def test_without_being_told_the_competition_has_28000_rows(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write_submission(path, [5] * 28_000)
    assert check_submission(path) == 28_000
    write_submission(path, [5] * 27_999)
    with pytest.raises(
        PipelineError, match=r"27,999 rows, but the competition's test.csv has 28,0"
    ):
        check_submission(path)


def test_ids_are_those_of_the_sample(write: Write, tmp_path: Path) -> None:
    sample = tmp_path / "sample_submission.csv"
    sample.write_bytes(b"ImageId,Label\n1,0\n2,0\n3,0\n")
    assert check_submission(write(GOOD), sample=sample, test_rows=3) == 3
    with pytest.raises(PipelineError, match=r"line 5: one row too many, sample_submission.csv has"):
        check_submission(write(GOOD + b"4,4\n"), sample=sample)


def test_a_sample_of_another_test_set_is_found_out(write: Write, tmp_path: Path) -> None:
    sample = tmp_path / "sample_submission.csv"
    sample.write_bytes(b"ImageId,Label\n1,0\n2,0\n")
    with pytest.raises(PipelineError, match=r"sample_submission.csv has 2 rows, but its test.csv"):
        check_submission(write(GOOD), sample=sample, test_rows=3)


def test_a_bad_sample_is_the_one_named(write: Write, tmp_path: Path) -> None:
    sample = tmp_path / "sample_submission.csv"
    sample.write_bytes(b"ImageId,Label\n1,0\n5,0\n3,0\n")
    with pytest.raises(PipelineError, match=r"sample_submission.csv, line 3: ImageId must be 2"):
        check_submission(write(GOOD), sample=sample, test_rows=3)


def test_what_is_no_readable_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="cannot be read: No such file"):
        check_submission(tmp_path / "none.csv")
    with pytest.raises(PipelineError, match="cannot be read: Is a directory"):
        check_submission(tmp_path)
