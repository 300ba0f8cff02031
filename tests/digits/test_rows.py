"""The two parsers of rows agree, and neither lets anything wrong pass."""

import numpy as np
import pytest

from pipeline.digits.rows import parse_exactly, parse_quickly
from pipeline.system.errors import PipelineError

COLUMNS = ["label", "pixel0", "pixel1"]


def exactly(block: bytes) -> list[list[int]]:
    return parse_exactly(block, COLUMNS, name="f.csv", first_line=2).tolist()  # type: ignore[no-any-return]


def fault(block: bytes) -> str:
    with pytest.raises(PipelineError) as caught:
        exactly(block)
    return str(caught.value)


def test_plain_rows_are_parsed_quickly_to_what_they_say() -> None:
    rows = parse_quickly(b"0,0,255\n9,10,7\n1,100,42\n", COLUMNS)
    assert rows is not None
    assert rows.dtype == np.uint8
    assert rows.tolist() == [[0, 0, 255], [9, 10, 7], [1, 100, 42]]


def test_every_byte_value_in_every_neighbourhood() -> None:
    numbers = np.random.default_rng(0).integers(0, 256, (500, 3))
    numbers[:, 0] %= 10
    block = "".join(f"{a},{b},{c}\n" for a, b, c in numbers.tolist()).encode()
    rows = parse_quickly(block, COLUMNS)
    assert rows is not None
    np.testing.assert_array_equal(rows, numbers)
    assert exactly(block) == numbers.tolist()


@pytest.mark.parametrize(
    ("block", "rows"),
    [
        (b'"1","2","255"\n', [[1, 2, 255]]),
        (b"1,2,3\r\n4,5,6\r\n", [[1, 2, 3], [4, 5, 6]]),
        (b"1,2,3\n4,5,6", [[1, 2, 3], [4, 5, 6]]),
        (b"1,2,3\n4,5,6\r", [[1, 2, 3], [4, 5, 6]]),
        (b"1,007,0000\n", [[1, 7, 0]]),
    ],
)
def test_other_spellings_are_left_to_the_exact_parser(block: bytes, rows: list[list[int]]) -> None:
    assert parse_quickly(block, COLUMNS) is None
    assert exactly(block) == rows


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (b"1,2,3\n1,256,3\n", "f.csv, line 3, column pixel0: '256' is outside 0 to 255"),
        (b"1,2,999\n", "f.csv, line 2, column pixel1: '999' is outside 0 to 255"),
        (b"1,2,-1\n", "f.csv, line 2, column pixel1: '-1' is outside 0 to 255"),
        (b"1,2,1000\n", "f.csv, line 2, column pixel1: '1000' is outside 0 to 255"),
        (b"10,2,3\n", "f.csv, line 2, column label: '10' is outside 0 to 9"),
        (b"1,1.5,3\n", "f.csv, line 2, column pixel0: '1.5' is not a whole number"),
        (b"1,1.0,3\n", "f.csv, line 2, column pixel0: '1.0' is not a whole number"),
        (b"1,abc,3\n", "f.csv, line 2, column pixel0: 'abc' is not a whole number"),
        (b"1,1e2,3\n", "f.csv, line 2, column pixel0: '1e2' is not a whole number"),
        (b"1,0x1,3\n", "f.csv, line 2, column pixel0: '0x1' is not a whole number"),
        (b"1, 7,3\n", "f.csv, line 2, column pixel0: ' 7' is not a whole number"),
        (b"1,7 ,3\n", "f.csv, line 2, column pixel0: '7 ' is not a whole number"),
        (b"1,+7,3\n", "f.csv, line 2, column pixel0: '+7' is not a whole number"),
        (b"1,1_0,3\n", "f.csv, line 2, column pixel0: '1_0' is not a whole number"),
        (b"1,NaN,3\n", "f.csv, line 2, column pixel0: 'NaN' is not a whole number"),
        (b"1,True,3\n", "f.csv, line 2, column pixel0: 'True' is not a whole number"),
        (b"1,,3\n", "f.csv, line 2, column pixel0: '' is not a whole number but empty"),
        (b",,\n", "f.csv, line 2, column label: '' is not a whole number but empty"),
        (b"1,2;3,3\n", "f.csv, line 2, column pixel0: '2;3' is not a whole number"),
        (b'1,"1,000",3\n', "f.csv, line 2, column pixel0: '1,000' is not a whole number"),
        ("1,٣,3\n".encode(), "f.csv, line 2, column pixel0: '٣' is not a whole number"),
        (b"1,\xff,3\n", r"f.csv, line 2, column pixel0: '\\xff' is not a whole number"),
        (b"1,\x00,3\n", r"f.csv, line 2, column pixel0: '\x00' is not a whole number"),
        (b"1,2\x00,3\n", r"f.csv, line 2, column pixel0: '2\x00' is not a whole number"),
        (b'1,2",3\n', """f.csv, line 2, column pixel0: '2"' is not a whole number"""),
        (b"#1,2,3\n", "f.csv, line 2, column label: '#1' is not a whole number"),
        (b"1,2\n", "f.csv, line 2: 2 values instead of 3"),
        (b"1,2,3\n1,2,3,4\n", "f.csv, line 3: 4 values instead of 3"),
        (b"1,2,3,\n1,2,3,\n", "f.csv, line 2: 4 values instead of 3"),
        (
            b"1,2,3\n1,2",
            "f.csv, line 3: 2 values instead of 3; the file ends in the middle of this row",
        ),
        (
            b"1,2,3\n4",
            "f.csv, line 3: 1 value instead of 3; the file ends in the middle of this row",
        ),
        (b"1,2,3\n\n1,2,3\n", "f.csv, line 3: the line is blank"),
        (b"1,2,3\n  \n", "f.csv, line 3: 1 value instead of 3"),
        (b"</body>\n", "f.csv, line 2: 1 value instead of 3"),
        (b'1,"2,3\n4,5,6\n', "f.csv, line 2: a quote that does not enclose a whole value"),
        (b'1,"2"2,3\n', "f.csv, line 2: a quote that does not enclose a whole value"),
        (
            b"1,2,3\r4,5,6\n",
            "f.csv, line 2: a carriage return without a line feed; use LF or CRLF",
        ),
        (
            b"1,2,3\n" + b"7" * 70_000 + b"\n",
            f"f.csv, line 3: longer than 65,536 bytes, so no row of digits: '{'7' * 40}...'",
        ),
        (
            b"1," + b"9" * 5000 + b",3\n",
            f"f.csv, line 2, column pixel0: '{'9' * 40}...' is outside 0 to 255",
        ),
    ],
)
def test_each_fault_is_named_with_line_and_column(block: bytes, message: str) -> None:
    assert parse_quickly(block, COLUMNS) is None
    assert fault(block) == message


def test_a_test_file_has_no_label_to_be_small() -> None:
    rows = parse_quickly(b"10,255\n", ["pixel0", "pixel1"])
    assert rows is not None
    assert rows.tolist() == [[10, 255]]


def test_broken_at_random_the_quick_parser_never_accepts_more_than_the_exact_one() -> None:
    rng = np.random.default_rng(7)
    good = b"".join(b"%d,%d,%d\n" % (n % 10, n % 256, 255 - n % 256) for n in range(0, 300, 37))
    alphabet = np.frombuffer(b'0123456789,,\n\n\r" .-+eE\x00\xff;#', np.uint8)
    accepted = refused = 0
    for _ in range(3_000):
        block = bytearray(good)
        for _ in range(rng.integers(1, 4)):
            place = int(rng.integers(len(block)))
            byte = bytes(rng.choice(alphabet, 1))
            block[place : place + int(rng.integers(2))] = byte * int(rng.integers(2))
        rows = parse_quickly(bytes(block), COLUMNS)
        if rows is None:
            refused += 1
        else:
            accepted += 1
            assert rows.tolist() == exactly(bytes(block))
    assert min(accepted, refused) > 100
