"""Each place in which the kaggle package looks, in its order; homes are temporary folders."""

import json
from pathlib import Path

import pytest

from pipeline.kaggle.credentials import (
    Credentials,
    all_credentials,
    find_credentials,
    find_username,
    key_folder,
)

KEY = json.dumps({"username": "ada", "key": "planted-key"})


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_an_empty_home_has_none(home: Path) -> None:
    assert find_credentials() is None
    assert all_credentials() == []


def test_a_token_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "planted-token")
    assert find_credentials() == Credentials("token", "$KAGGLE_API_TOKEN")


def test_a_token_too_long_for_a_file_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "x" * 3000)
    assert find_credentials() == Credentials("token", "$KAGGLE_API_TOKEN")


@pytest.mark.parametrize("name", ["access_token", "access_token.txt"])
def test_a_token_in_a_file(home: Path, name: str) -> None:
    put(home / ".kaggle" / name, "planted-token\n")
    assert find_credentials() == Credentials("token", f"~/.kaggle/{name}")


def test_a_variable_may_name_the_file_of_the_token(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(home / "secret", "planted-token")
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(path))
    assert find_credentials() == Credentials("token", "$KAGGLE_API_TOKEN")
    path.write_text("\n")
    put(home / ".kaggle" / "access_token", "never reached by the package")
    assert find_credentials() is None


def test_a_notebook_token_counts_in_a_notebook_only(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_V1_TOKEN", str(put(home / "token", "planted-token")))
    assert find_credentials() is None
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    monkeypatch.setenv("KAGGLE_DATA_PROXY_URL", "http://proxy")
    assert find_credentials() == Credentials("token", "$KAGGLE_API_V1_TOKEN")


def test_username_and_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    assert find_credentials() is None
    monkeypatch.setenv("KAGGLE_KEY", "planted-key")
    assert find_credentials() == Credentials("key", "$KAGGLE_USERNAME and $KAGGLE_KEY")


def test_kaggle_json_in_the_home(home: Path) -> None:
    put(home / ".kaggle" / "kaggle.json", KEY)
    assert find_credentials() == Credentials("key", "~/.kaggle/kaggle.json")


def test_a_username_beside_a_file_with_the_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / ".kaggle" / "kaggle.json", json.dumps({"key": "planted-key"}))
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    assert find_credentials() == Credentials("key", "$KAGGLE_USERNAME and ~/.kaggle/kaggle.json")


def test_kaggle_json_elsewhere(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / ".config" / "kaggle" / "kaggle.json", KEY)
    assert find_credentials() == Credentials("key", "~/.config/kaggle/kaggle.json")
    put(tmp_path / "xdg" / "kaggle" / "kaggle.json", KEY)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert key_folder() == tmp_path / "xdg" / "kaggle"
    (home / ".kaggle").mkdir()
    assert find_credentials() is None  # ~/.kaggle is there, so the package looks nowhere else
    put(tmp_path / "own" / "kaggle.json", KEY)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "own"))
    assert find_credentials() == Credentials("key", str(tmp_path / "own" / "kaggle.json"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"username": "ada"}', '{"key": ""}', "\ufeff{}"])
def test_a_kaggle_json_without_a_key_is_none(home: Path, text: str) -> None:
    put(home / ".kaggle" / "kaggle.json", text)
    assert find_credentials() is None


def test_a_login_of_the_kaggle_command(home: Path) -> None:
    path = put(home / ".kaggle" / "credentials.json", "{}")
    assert find_credentials() is None
    path.write_text('{"refresh_token": "planted-token"}')
    assert find_credentials() == Credentials("login", "~/.kaggle/credentials.json")


def test_a_token_goes_before_a_key_which_then_is_unused(home: Path) -> None:
    put(home / ".kaggle" / "access_token", "planted-token")
    put(home / ".kaggle" / "kaggle.json", KEY)
    assert find_credentials() == Credentials("token", "~/.kaggle/access_token")
    assert all_credentials()[1:] == [Credentials("key", "~/.kaggle/kaggle.json")]


def test_the_account_is_known_where_its_name_stands(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_username() is None
    put(home / ".kaggle" / "kaggle.json", KEY)
    assert find_username() == "ada"
    monkeypatch.setenv("KAGGLE_USERNAME", "grace")
    assert find_username() == "grace"
    monkeypatch.setenv("KAGGLE_API_TOKEN", "planted-token")  # which may be somebody else's
    assert find_username() is None


def test_unreadable_files_are_none(home: Path) -> None:
    (home / ".kaggle" / "access_token").mkdir(parents=True)
    (home / ".kaggle" / "kaggle.json").write_bytes(b"\xff\xfe\x00")
    assert find_credentials() is None


def test_no_secret_is_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "planted-token")
    put(home / ".kaggle" / "kaggle.json", KEY)
    assert "planted" not in repr(all_credentials())


@pytest.mark.parametrize("text", ["[" * 100_000, '{"username": [1], "key": [1]}', '{"key": {}}'])
def test_a_key_file_that_is_none(home: Path, text: str) -> None:
    put(home / ".kaggle" / "kaggle.json", text)
    assert find_credentials() is None
    assert find_username() is None
