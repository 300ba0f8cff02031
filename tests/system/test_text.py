"""Texts of others do nothing to a terminal but stand there."""

import pytest

from pipeline.system.text import one_line, printable, shortened, without_password


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://ada:secret@host/runs", "postgresql://host/runs"),
        ("mysql+pymysql://ada:secret@host:3306/runs?x=1", "mysql+pymysql://host:3306/runs?x=1"),
        ("see http://token@host/a and https://b:c@d .", "see http://host/a and https://d ."),
        ("redis://:secret@host:6379/0", "redis://host:6379/0"),
        ("http://ada:s@cr@t@host", "http://host"),
        ("http://ada:sec/ret@host/x", "http://host/x"),
        ("/here/https:/ada:secret@host/x.zip", "/here/https:/host/x.zip"),
        ("SOURCE='https://ada:secret@host': no", "SOURCE='https://host': no"),
    ],
)
def test_user_and_password_go(text: str, expected: str) -> None:
    assert without_password(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "https://www.kaggle.com/code/ada/x",
        "sqlite:////home/me@work/runs.db",
        "https://host/@ada",
        "mail ada@host, C:\\data\\x and a:b",
    ],
)
def test_what_has_none_stays(text: str) -> None:
    assert without_password(text) == text
