"""The ways in which programs write digits are read where they leave no doubt, else told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.digits.csv_reader import count_rows
from pipeline.digits.dialect import KAGGLE_PIXELS, read_dialect, whole_number
from pipeline.system.errors import PipelineError
from tests import csv_files
from tests.csv_files import read_digits, respelled

LABELLED = ["label", *KAGGLE_PIXELS]
HEADERS: tuple[list[str] | None, ...] = (None, [])
FROM_ONE = [f"pixel{number}" for number in range(1, 785)]
LINES = csv_files.lines(30, labelled=True)
for number in range(1, 31):  # as in all scans of digits, nothing is in the corners
    values = LINES[number].split(",")
    LINES[number] = ",".join([values[0], "0", *values[2:-1], "0"])
UNLABELLED = [line.partition(",")[2] for line in LINES]


def same_digits(path: Path, lines: list[str], *, labelled: bool = True, end: str = "\n") -> None:
    """The file with these lines holds the labels and pixels of LINES."""
    path.write_text("".join(f"{line}{end}" for line in lines), encoding="utf-8", newline="")
    digits = read_digits(path, labelled=labelled)
    table = np.array([line.split(",") for line in LINES[1:]], np.int64)
    np.testing.assert_array_equal(digits.images.reshape(30, 784), table[:, 1:])
    np.testing.assert_array_equal(digits.labels, table[:, 0] if labelled else [])
    assert count_rows(path, labelled=labelled, name="it") == 30


def fault(path: Path, lines: list[str], *, labelled: bool = True) -> str:
    csv_files.write(path, lines)
    with pytest.raises(PipelineError) as caught:
        read_digits(path, labelled=labelled)
    return caught.value.message.replace(str(path), "FILE")


@pytest.mark.parametrize("header", [None, []], ids=["header", "no header"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " ", ", "])
def test_separators(tmp_path: Path, separator: str, header: list[str] | None) -> None:
    same_digits(tmp_path / "a.csv", respelled(LINES, separator=separator, header=header))
    lines = respelled(UNLABELLED, separator=separator, header=header)
    same_digits(tmp_path / "b.csv", lines, labelled=False, end="\r\n")


@pytest.mark.parametrize("label", ["Label", "LABEL", "class", "target", " label", "# label"])
@pytest.mark.parametrize(
    "pixels",
    [
        FROM_ONE,
        [f"pixel_{number}" for number in range(784)],
        [f"Pixel {number:03}" for number in range(784)],
        [str(number) for number in range(784)],
        [f"{row}x{column}" for row in range(28) for column in range(28)],
    ],
    ids=["from 1", "underscore", "padded", "numbers", "rows and columns from 0"],
)
def test_names_of_columns(tmp_path: Path, label: str, pixels: list[str]) -> None:
    same_digits(tmp_path / "a.csv", respelled(LINES, header=[label, *pixels]))
    lines = respelled(LINES, header=[*pixels, label], label_last=True)
    same_digits(tmp_path / "b.csv", lines)
    same_digits(tmp_path / "c.csv", [",".join(pixels), *UNLABELLED[1:]], labelled=False)


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("name", ["", "index", "id", "Unnamed: 0", '""'])
def test_numbers_of_rows(tmp_path: Path, name: str, start: int) -> None:
    numbered: dict[str, Any] = {"numbered_from": start}
    same_digits(tmp_path / "a.csv", respelled(LINES, header=[name, *LABELLED], **numbered))
    lines = respelled(UNLABELLED, header=[name, *KAGGLE_PIXELS], **numbered)
    same_digits(tmp_path / "b.csv", lines, labelled=False)
    lines = respelled(LINES, header=[name, *FROM_ONE, "class"], label_last=True, **numbered)
    same_digits(tmp_path / "c.csv", lines)
    same_digits(tmp_path / "d.csv", respelled(LINES, header=[], **numbered))
    same_digits(tmp_path / "e.csv", respelled(UNLABELLED, header=[], **numbered), labelled=False)


def test_rows_that_are_not_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    lines = respelled(LINES, header=["id", *LABELLED], numbered_from=1)
    lines[4], lines[9] = lines[9], lines[4]
    told = fault(tmp_path / "a.csv", lines)
    assert told == "FILE, line 5: the number of the row is '9' instead of 4"


def test_labels_at_the_end_without_a_header(tmp_path: Path) -> None:
    same_digits(tmp_path / "a.csv", respelled(LINES, header=[], label_last=True))


def test_labels_at_the_end_that_the_first_rows_do_not_show(tmp_path: Path) -> None:
    """Sorted by label, as some files are: all of the first rows begin and end with 0."""
    zeros = respelled([LINES[0], LINES[1]], header=[], label_last=True)
    rows = respelled(LINES, header=[], label_last=True)
    told = fault(tmp_path / "a.csv", [*zeros * 300, *rows])
    assert told.startswith("FILE: there is no header, and all values of column 1 are 0; ")


@pytest.mark.parametrize(
    ("spelled", "separator"),
    [("{}.0", ","), ("{}.00", ","), ("{}.", ","), (" {} ", ","), ("{}e+00", ","), ("{},0", ";")],
)
def test_whole_numbers_in_other_spellings(tmp_path: Path, spelled: str, separator: str) -> None:
    for header in HEADERS:
        lines = respelled(LINES, spelled=spelled, separator=separator, header=header)
        same_digits(tmp_path / "a.csv", lines)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("8.0", 8),
        ("2.550000000000000000e+02", 255),
        ("8.5", None),
        ("0.99999999999999999999999999999999999", None),
        ("2.5e-1", None),
        ("1e999", 10**999),
        ("8,0", None),
        ("+8", None),
        ("8.0.0", None),
        ("", None),
        (".", None),
    ],
)
def test_whole_numbers_are_exact(text: str, number: int | None) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize("end", ["\n", "\n\n\r\n  \n", f"{',' * 784}\n" * 3, "\n;;\n"])
def test_lines_without_values_around_the_others(tmp_path: Path, end: str) -> None:
    for header in HEADERS:
        same_digits(tmp_path / "a.csv", ["", *respelled(LINES, header=header), end])


def test_a_file_of_one_digit_without_a_header(tmp_path: Path) -> None:
    path = csv_files.write(tmp_path / "a.csv", ["7," + "0," * 783 + "3"])
    assert read_digits(path, labelled=True).labels.tolist() == [7]


@pytest.mark.parametrize("labelled", [True, False])
def test_whether_labels_are_there_may_be_asked(tmp_path: Path, labelled: bool) -> None:
    for header in HEADERS:
        lines = respelled(LINES if labelled else UNLABELLED, header=header)
        path = csv_files.write(tmp_path / "a.csv", lines)
        with path.open("rb") as stream:
            assert (read_dialect(stream, "it", labelled=None).label is not None) == labelled
            assert stream.tell() == 0


def test_a_fault_is_named_by_its_place_where_no_column_has_a_name(tmp_path: Path) -> None:
    lines = respelled(LINES, header=[], numbered_from=0)
    values = lines[12].split(",")
    values[5] = "256"
    lines[12] = ",".join(values)
    told = fault(tmp_path / "a.csv", lines)
    assert told == "FILE, line 13, column 6: '256' is outside 0 to 255"


ONE_HOT = [*(f"label_{digit}" for digit in range(10)), *KAGGLE_PIXELS]
NO_HEADER = "there is no header, and "
EXPECTED = "instead of 785, a label and 784 pixels"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (",".join(ONE_HOT), "column 1 is 'label_0' instead of 'label'; it looks like labels in te"),
        ("1," * 793 + "0", f"{NO_HEADER}794 columns {EXPECTED}; it looks like labels in ten colu"),
        ("1," * 64 + "0", f"{NO_HEADER}65 columns {EXPECTED}; it looks like digits of 8 x 8 pixe"),
        ("1," * 1023 + "0", f"{NO_HEADER}1024 columns {EXPECTED}; it looks like digits of 32 x 32"),
        ("1," * 783 + "0", f"{NO_HEADER}784 columns {EXPECTED}"),
        ("1," * 29 + "0", f"{NO_HEADER}30 columns {EXPECTED}; each line must hold one digit"),
        (
            ",".join(["label", *(f"{row}x{column}" for column in range(28) for row in range(28))]),
            "column 2 is '0x0' instead of '1x1'; it looks like pixels column by column",
        ),
        (
            ",".join(f"V{number}" for number in range(1, 786)),
            "column 1 is 'V1' instead of 'label'; it looks like columns named by numbers",
        ),
        (
            ",".join(map(str, range(785))),
            "column 1 is '0' instead of 'label'; it looks like columns named by numbers",
        ),
        (
            ",".join(["8", "0", *(f"0.{number}" for number in range(1, 784))]),
            "column 1 is '8' instead of 'label'; it looks like a row that pandas took for a header",
        ),
        ("id," + ",".join(KAGGLE_PIXELS), "column 1 is 'id' instead of 'label'"),
        ("label,id," + ",".join(KAGGLE_PIXELS), "column 2 is 'id' instead of 'pixel0'"),
        (",".join(["label", *FROM_ONE[::-1]]), "column 2 is 'pixel784' instead of 'pixel0'"),
        ("1;2;3", f"{NO_HEADER}3 columns {EXPECTED}"),
        ("PassengerId,Survived", "column 1 is 'PassengerId' instead of 'label'"),
        ("5", f"{NO_HEADER}1 column {EXPECTED}"),
    ],
)
def test_what_is_not_certain_is_told(tmp_path: Path, line: str, message: str) -> None:
    assert fault(tmp_path / "a.csv", [line, LINES[1]]).startswith(f"FILE, line 1: {message}")


def test_pixels_from_0_to_1(tmp_path: Path) -> None:
    lines = [LINES[0], LINES[1].replace(",0,", ",0.2471,", 1)]
    told = fault(tmp_path / "a.csv", lines)
    assert told.endswith(
        "'0.2471' is not a whole number; it looks like pixels from 0 to 1, "
        "and they must be from 0 to 255"
    )
