"""Headers: the two that exist are taken, all others are told what is wrong with them."""

import io
from collections.abc import Callable

import pytest

from pipeline.digits.header import KAGGLE_PIXELS, MNIST_PIXELS, read_header
from pipeline.system.errors import PipelineError

TRAIN = ["label", *KAGGLE_PIXELS]


def read(data: bytes, *, labelled: bool = True) -> list[str]:
    return read_header(io.BytesIO(data), "f.csv", labelled=labelled)[1]


def line(columns: list[str]) -> bytes:
    return ",".join(columns).encode() + b"\n"


@pytest.mark.parametrize("pixels", [KAGGLE_PIXELS, MNIST_PIXELS])
def test_both_ways_to_name_pixels(pixels: list[str]) -> None:
    assert read(line(["label", *pixels])) == ["label", *pixels]
    assert read(line(pixels), labelled=False) == pixels


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b""),
        lambda data: b'"' + data.strip().replace(b",", b'","') + b'"\n',
    ],
    ids=["byte order mark", "CRLF", "no line end", "quotes"],
)
def test_harmless_spellings(change: Callable[[bytes], bytes]) -> None:
    assert read(change(line(TRAIN))) == TRAIN


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "f.csv is empty"),
        (b"<!DOCTYPE html>\n<html>", "f.csv is a web page, not CSV"),
        (b"\xef\xbb\xbf \r\n <html>", "f.csv is a web page, not CSV"),
        (b"PK\x03\x04abc", "f.csv is a zip or a spreadsheet, not CSV"),
        (b"\x1f\x8b\x08", "f.csv is a gzip file, not CSV"),
        (line(TRAIN).decode().encode("utf-16"), "f.csv is UTF-16 text; save it as UTF-8"),
        (line(TRAIN).decode().encode("utf-16-le"), "f.csv is UTF-16 text; save it as UTF-8"),
        (
            b"label," * 20_000,
            "f.csv is no CSV of digits: its first line is longer than 65,536 bytes",
        ),
        (
            line(TRAIN).replace(b"\n", b"\r1,2\r"),
            "f.csv has carriage returns for line ends; save it with LF or CRLF",
        ),
        (line(KAGGLE_PIXELS), "f.csv, line 1: the column 'label' is missing"),
        (line(TRAIN[:-1]), "f.csv, line 1: the column 'pixel783' is missing"),
        (line(TRAIN[:-3]), "f.csv, line 1: the column 'pixel781' is missing (and 2 more)"),
        (line(TRAIN[:18] + TRAIN[19:]), "f.csv, line 1: the column 'pixel17' is missing"),
        (line([*TRAIN, "extra"]), "f.csv, line 1: there is a column too many: 'extra'"),
        (line(TRAIN).replace(b"\n", b",\n"), "f.csv, line 1: there is a column too many: ''"),
        (line(["id", *TRAIN]), "f.csv, line 1: column 1 is 'id' instead of 'label'"),
        (line(["Label", *KAGGLE_PIXELS]), "f.csv, line 1: column 1 is 'Label' instead of 'label'"),
        (
            line([*KAGGLE_PIXELS, "label"]),
            "f.csv, line 1: column 1 is 'pixel0' instead of 'label'",
        ),
        (
            line(["label", "pixel1", "pixel0", *KAGGLE_PIXELS[2:]]),
            "f.csv, line 1: column 2 is 'pixel1' instead of 'pixel0'",
        ),
        (
            line([*TRAIN[:4], "pixel1", *TRAIN[5:]]),
            "f.csv, line 1: column 'pixel1' comes twice (3 and 5)",
        ),
        (b"\n\n \r\n", "f.csv is empty"),
        (b"\n1,2\n", "f.csv, line 1: the column 'label' is missing (and 784 more)"),
        (b"1,0,0\n", "f.csv, line 1: column '0' comes twice (2 and 3)"),
        (b"5,0,3\n", "f.csv, line 1: column 1 is '5' instead of 'label'"),
        (b'"label\n', "f.csv, line 1: a quote that does not enclose a whole name"),
    ],
)
def test_faults_of_a_labelled_file(data: bytes, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        read(data)
    assert str(caught.value).startswith(message)


def test_labels_where_there_should_be_none() -> None:
    with pytest.raises(PipelineError, match="line 1: there is a column 'label', but these digits"):
        read(line(TRAIN), labelled=False)
