"""Texts of others do nothing to a terminal but stand there."""

import pytest

from pipeline.system.text import one_line, printable, shortened


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dígits ✓ 数字", "dígits ✓ 数字"),
        ("two\nlines", "two\nlines"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("back\rover\b\x07", "back\\rover\\x08\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("exe.\u202egnp", "exe.\\u202egnp"),
        ("lost \udcff byte", "lost \\udcff byte"),
    ],
)
def test_what_no_one_sees_is_escaped(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_one_line_has_no_line_ends_and_no_control_characters() -> None:
    assert one_line(" a\r\nError: fake\t\x1b[31mb\u2028c ") == "a Error: fake [31mb c"


def test_long_texts_are_cut() -> None:
    assert shortened("x" * 300) == "x" * 300
    assert shortened("x" * 301) == "x" * 300 + " ..."
