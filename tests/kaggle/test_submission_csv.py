import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.kaggle.submission_csv import (
    check_submission,
    inspect_submission,
    read_submission,
    write_submission,
)
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
        (b"\n" + GOOD, ", line 1: the header must be ImageId,Label, it is ''"),
        (GOOD + b"\xef\xbb\xbf", ", line 5: 1 value instead of 2"),
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
        (GOOD.replace(b"2,0", b"3,0"), ", line 4: ImageId 3 is there for the second time"),
        (GOOD.replace(b"3,9", b"1,9"), ", line 4: ImageId 1 is there for the second time"),
        (GOOD.replace(b"3,9", b"1.0,9"), ", line 4: ImageId 1 is there for the second time"),
        (
            GOOD.replace(b"1,7", b"0,7"),
            ", line 2: ImageId must be a whole number 1 to 3, it is '0'",
        ),
        (GOOD.replace(b"2,0", b"4,0"), ", line 3: ImageId must be a whole number 1 to 3, it is"),
        (GOOD.replace(b"2,0", b"2.5,0"), ", line 3: ImageId must be a whole number"),
        (GOOD.replace(b"2,0", b"-2,0"), ", line 3: ImageId must be a whole number"),
        (GOOD.replace(b"2,0", b"," + b"0"), ", line 3: ImageId must be a whole number"),
        (GOOD.replace(b"2,0", b"9" * 5_000 + b",0"), ", line 3: ImageId must be a whole number"),
        (
            GOOD.replace(b"2,0", b"2,10"),
            ", line 3: Label must be a whole number 0 to 9, it is '10'",
        ),
        (GOOD.replace(b"2,0", b"2,-1"), ", line 3: Label must be"),
        (GOOD.replace(b"2,0", b"2,3.1"), ", line 3: Label must be"),
        (GOOD.replace(b"2,0", b"2,10.0"), ", line 3: Label must be"),
        (GOOD.replace(b"2,0", b"2,.0"), ", line 3: Label must be"),
        (GOOD.replace(b"2,0", b"2,3e0"), ", line 3: Label must be"),
        (GOOD.replace(b"2,0", b"2,+3"), ", line 3: Label must be"),
        (GOOD.replace(b"2,0", b"2,1 0"), ", line 3: Label must be"),
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
        (GOOD + b" " * 70_000 + b"\n", ", line 5: longer than 65,536 bytes"),
        (
            GOOD.replace(b"2,0", b"2,\xff"),
            r", line 3: Label must be a whole number 0 to 9, it is '\\xff'",
        ),
        (GOOD.replace(b"\n", b"\r"), ", line 1: a carriage return without a line feed"),
        (GOOD.replace(b"2,0\n", b"2,0\r"), ", line 3: a carriage return without a line feed"),
        (GOOD.replace(b"2,0", b"2," + b"0" * 70_000), ", line 3: longer than 65,536 bytes"),
        (GOOD + b"4,1\n", ", line 5: one row too many, test.csv has 3"),
        (
            GOOD.removesuffix(b"3,9\n"),
            " ends after line 3: it has 2 rows, but test.csv has 3; ImageId 3 is missing",
        ),
        (
            GOOD.replace(b"1,7\n", b""),
            " ends after line 3: it has 2 rows, but test.csv has 3; ImageId 1 is missing",
        ),
        (
            b"ImageId,Label\n",
            " ends after line 1: it has 0 rows, but test.csv has 3; ImageId 1, 2, 3 are missing",
        ),
    ],
)
def test_the_first_bad_line_is_named(write: Write, content: bytes, complaint: str) -> None:
    path = write(content)
    with pytest.raises(PipelineError) as failure:
        check_submission(path, test_rows=3)
    assert failure.value.message.startswith(f"{path}{complaint}")
    assert "\n" not in failure.value.message


ORDER = "the ids are in another order; Kaggle most likely goes by the ids alone"
MARK = "it begins with a byte order mark, a part of the header to some readers"
BLANK = "it is blank, which is a row without values to some readers"
SPACES = "there are spaces around a value, a part of it to some readers"
DECIMALS = "a number is written like 3.0 or 03, which is not 3 to some readers"


@pytest.mark.parametrize(
    ("content", "remarks"),
    [
        (b"ImageId,Label\n2,0\n1,7\n3,9\n", [f"line 2: {ORDER}"]),
        (b"ImageId,Label\n3,9\n2,0\n1,7\n", [f"line 2: {ORDER}"]),
        (b"ImageId,Label\n1,7\n3,9\n2,0", [f"line 3: {ORDER}"]),
        (b"\xef\xbb\xbf" + GOOD, [f"line 1: {MARK}"]),
        (b'\xef\xbb\xbf"ImageId","Label"\r\n1,7\r\n2,0\r\n3,9\r\n', [f"line 1: {MARK}"]),
        (GOOD + b"\n", [f"line 5: {BLANK}"]),
        (GOOD + b" \r\n\r\n\t", [f"line 5: {BLANK}"]),
        (GOOD.replace(b"2,0\n", b"\n2,0\n"), [f"line 3: {BLANK}"]),
        (GOOD.replace(b"2,0", b"2, 0"), [f"line 3: {SPACES}"]),
        (GOOD.replace(b"2,0", b"2\t,0"), [f"line 3: {SPACES}"]),
        (GOOD.replace(b"2,0", b"2,0.0"), [f"line 3: {DECIMALS}"]),
        (GOOD.replace(b"2,0", b"2.,00"), [f"line 3: {DECIMALS}"]),
        (GOOD.replace(b"2,0", b"02,0"), [f"line 3: {DECIMALS}"]),
        (
            b"\xef\xbb\xbfImageId,Label\n3.0,9.0\n1.0, 7.0\n2,0\n\n",
            [
                f"line 1: {MARK}",
                f"line 2: {DECIMALS}",
                f"line 2: {ORDER}",
                f"line 3: {SPACES}",
                f"line 5: {BLANK}",
            ],
        ),
    ],
)
def test_what_kaggle_may_take_passes_with_a_remark(
    write: Write, content: bytes, remarks: list[str]
) -> None:
    found = inspect_submission(write(content), test_rows=3)
    assert list(found.labels) == [7, 0, 9]
    assert list(found.remarks) == remarks
    assert read_submission(write(content), sample=write(content)) == [7, 0, 9]


def test_any_order_of_many_rows_is_read_by_the_ids(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 28_000)
    for order in (rng.permutation(28_000), np.arange(28_000)[::-1]):
        path = tmp_path / "any-order.csv"
        rows = "".join(f"{index + 1},{labels[index]}\n" for index in order)
        path.write_text(f"ImageId,Label\n{rows}")
        assert read_submission(path) == labels.tolist()


def test_many_missing_ids_are_counted(write: Write) -> None:
    with pytest.raises(PipelineError, match=r"ImageId 1, 2, 4 and 999,999,995 more are missing"):
        check_submission(write(b"ImageId,Label\n3,1\n1000000000,2\n"), test_rows=10**9)


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
    with pytest.raises(
        PipelineError, match=r"sample_submission.csv ends .* ImageId 2, 4 are missing"
    ):
        check_submission(write(GOOD), sample=sample, test_rows=3)


def test_what_is_no_readable_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="cannot be read: No such file"):
        check_submission(tmp_path / "none.csv")
    with pytest.raises(PipelineError, match="cannot be read: Is a directory"):
        check_submission(tmp_path)


@pytest.mark.parametrize(
    "text", ["\ufeffImageId,Label\n1,0\n2,0\n", "ImageId,Label\n1,0\n2,0\n\n\n"]
)
def test_what_an_editor_leaves_in_a_sample_does_no_harm(tmp_path: Path, text: str) -> None:
    sample, own = tmp_path / "sample_submission.csv", tmp_path / "own.csv"
    sample.write_text(text, encoding="utf-8")
    write_submission(own, [3, 4])
    assert check_submission(sample, test_rows=2) == 2
    assert read_submission(own, sample=sample) == [3, 4]
