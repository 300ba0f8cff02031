"""No password of an address is shown, and no address without one is changed."""

import pytest

from pipeline.system.text import without_password


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
