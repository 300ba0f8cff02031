"""What stands where credentials belong: read where it is certain, else what is wrong is said."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.kaggle.credentials import find_credentials, find_username
from tests.kaggle.credential_case import KEY, put, refusal

REFRESH = '{"refresh_token": "planted-refresh"}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        (" \r\n", "it is empty"),
        ("{", "it is no JSON; see line 1"),
        ("[" * 100_000, "it is far too large"),
        ("[" * 9_000, "it is no JSON"),
        ("[]", "it is no JSON object"),
        ('"planted"', "it is no JSON object"),
        (KEY.replace('"', "'"), "it has ' where JSON has double quotes"),
        (KEY.replace('"', "\u201d"), "it is no JSON"),
        ("planted-token", "it is no JSON"),
        ("{}", "it holds neither username nor key"),
        ("\ufeff{}", "it holds neither username nor key"),
        ('{"user": "ada", "token": "planted"}', "it holds neither username nor key"),
        ('{"username": "ada"}', "it holds no key"),
        ('{"key": "planted"}', "it holds no username"),
        ('{"key": ""}', "the key is empty"),
        ('{"username": " ", "key": "planted"}', "the username is empty"),
        ('{"username": "ada", "key": 12345}', "the key is no text in double quotes"),
        ('{"username": "ada", "key": null}', "the key is no text in double quotes"),
        ('{"username": ["ada"], "key": "planted"}', "the username is no text"),
        ('{"username": "ada", "key": "planted key"}', "the key holds characters that none has"),
        ('{"username": "ad\u00e4", "key": "planted"}', "the username holds characters"),
    ],
)
def test_a_kaggle_json_without_a_key(home: Path, text: str, said: str) -> None:
    put(home / ".kaggle" / "kaggle.json", text)
    told = refusal()
    assert f"~/.kaggle/kaggle.json can't be used: {said}" in told
    assert "https://www.kaggle.com/settings" in told
    assert find_username() is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("\ufeff \n\t", "it is empty"),
        ("planted token", "quotes, blanks or other"),
        ('"planted"', "quotes, blanks or other"),
        ("\u201cplanted\u201d", "quotes, blanks or other"),
        ("KAGGLE_API_TOKEN=planted", "quotes, blanks or other"),
        (KEY, "quotes, blanks or other"),
        ("planted\0", "quotes, blanks or other"),
        ("planted\nplanted", "it has more than one line"),
        ("planted" * 99_999, "it is far too large"),
    ],
)
@pytest.mark.parametrize("name", ["access_token", "access_token.txt"])
def test_a_token_that_is_none(home: Path, text: str, said: str, name: str) -> None:
    put(home / ".kaggle" / name, text)
    told = refusal()
    assert f"~/.kaggle/{name} can't be used: it" in told
    assert said in told


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "it is empty"),
        (" ", "it is empty"),
        ("'planted'", "quotes, blanks or other"),
        ("planted\nplanted", "it has more than one line"),
        ("/run/secrets/planted", "it names a file that is not there"),
        ("~/planted", "it names a file that is not there"),
        ("./planted", "it names a file that is not there"),
        ("C:\\planted", "it names a file that is not there"),
        ("planted.txt", "it names a file that is not there"),
        ("/dev/zero", "it is a pipe or a device, not a file"),
    ],
)
def test_a_variable_without_a_token(monkeypatch: pytest.MonkeyPatch, token: str, said: str) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    told = refusal()
    assert "$KAGGLE_API_TOKEN can't be used: it" in told
    assert said in told


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"KAGGLE_USERNAME": "ada"}, "$KAGGLE_USERNAME can't be used: it is set, and $KAGGLE_KEY"),
        ({"KAGGLE_KEY": "planted"}, "$KAGGLE_KEY can't be used: it is set, and $KAGGLE_USERNAME"),
        ({"KAGGLE_USERNAME": "ada", "KAGGLE_KEY": " "}, "$KAGGLE_USERNAME can't be used"),
        ({"KAGGLE_USERNAME": "ada", "KAGGLE_KEY": '"planted"'}, "$KAGGLE_KEY can't be used: the"),
        ({"KAGGLE_CONFIG_DIR": "/nowhere"}, "$KAGGLE_CONFIG_DIR can't be used: there is no such"),
    ],
)
def test_variables_of_the_older_kind(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert said in refusal()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("{", "it is no JSON"),
        ("[]", "it is no JSON object"),
        ("{}", "it holds no refresh_token"),
        ('{"refresh_token": 7}', "it holds no refresh_token"),
        (REFRESH.replace("}", ', "access_token_expiration": "soon"}'), "token is damaged"),
        (REFRESH.replace("}", ', "access_token_expiration": "2027-01-01"}'), "token is damaged"),
        (REFRESH.replace("}", ', "access_token_expiration": 7}'), "token is damaged"),
        (REFRESH.replace("}", ', "access_token": 7}'), "token is damaged"),
    ],
)
def test_a_damaged_login(home: Path, text: str, said: str) -> None:
    put(home / ".kaggle" / "credentials.json", text)
    told = refusal()
    assert "~/.kaggle/credentials.json can't be used" in told
    assert said in told


def make_folder(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_link_to_nothing(path: Path) -> None:
    path.symlink_to(path.parent / "gone")


def make_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def make_bytes(path: Path) -> None:
    path.write_bytes(b"\xff\x00\x81")


def make_half_of_utf16(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are those of POSIX")
@pytest.mark.parametrize("name", ["access_token", "kaggle.json", "credentials.json"])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_folder, "it is a folder, not a file"),
        (make_pipe, "it is a pipe or a device, not a file"),
        (make_endless, "it is a pipe or a device, not a file"),
        (make_link_to_nothing, "it is a link to no file"),
        (make_link_to_itself, "it can't be read"),
        (make_bytes, "it is not plain text"),
        (make_half_of_utf16, "it is not plain text"),
    ],
)
def test_a_file_that_is_none(
    home: Path, name: str, make: Callable[[Path], None], said: str
) -> None:
    (home / ".kaggle").mkdir()
    make(home / ".kaggle" / name)
    assert f"~/.kaggle/{name} can't be used: {said}" in refusal()


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """As root, be somebody whom modes of files stop."""
    user = os.geteuid()
    os.seteuid(user or 65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
@pytest.mark.parametrize("locked", [".kaggle", ".kaggle/kaggle.json"])
def test_what_may_not_be_read(home: Path, locked: str) -> None:
    put(home / ".kaggle" / "kaggle.json", KEY)
    for folder in (home, *home.parents):
        if str(folder).startswith(tempfile.gettempdir() + "/"):
            folder.chmod(0o755)
    (home / locked).chmod(0)
    with as_nobody():
        told = refusal()
    (home / locked).chmod(0o700)
    assert "can't be used: it can't be read (Permission denied)" in told
    assert "chown, chmod 600" in told


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become others")
def test_a_home_of_somebody_else_s_is_not_looked_into(home: Path) -> None:
    put(home / ".kaggle" / "kaggle.json", KEY)
    home.chmod(0o700)
    with as_nobody():
        assert find_credentials() is None


# ---- what can be read without doubt --------------------------------------------------------------
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-mark"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r\n\r\n"])
def test_marks_and_line_ends_of_other_systems(home: Path, encoding: str, end: str) -> None:
    def encoded(text: str) -> bytes:
        if encoding == "utf-16-be-mark":
            return ("\ufeff" + text + end).encode("utf-16-be")
        return (text + end).encode(encoding)

    key, token = home / ".kaggle" / "kaggle.json", home / ".kaggle" / "access_token"
    key.parent.mkdir()
    key.write_bytes(encoded(KEY))
    found = find_credentials()
    assert found is not None
    assert (found.style, found.username, found.secret) == ("key", "ada", "planted-key")
    token.write_bytes(encoded("planted-token"))
    found = find_credentials()
    assert found is not None
    assert (found.style, found.secret) == ("token", "planted-token")


def test_a_variable_may_hold_a_line_end_or_a_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", " planted-token\r\n")
    found = find_credentials()
    assert found is not None
    assert found.secret == "planted-token"
    put(home / "secret", "planted-other")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "~/secret")
    found = find_credentials()
    assert found is not None
    assert found.secret == "planted-other"
