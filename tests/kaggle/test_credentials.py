"""Each place in which the kaggle package looks, in its order; homes are temporary folders."""

import json
import subprocess
from pathlib import Path

import pytest

from pipeline.kaggle.credential_files import Credentials
from pipeline.kaggle.credentials import (
    all_credentials,
    find_credentials,
    find_username,
    key_folder,
)
from tests.kaggle.credential_case import KEY, put, refusal


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
    put(home / ".kaggle" / "access_token", "never-reached-by-the-package")
    assert "$KAGGLE_API_TOKEN can't be used: it is empty" in refusal()
    put(home / ".kaggle" / "kaggle.json", KEY)
    assert find_credentials() == Credentials("key", "~/.kaggle/kaggle.json")


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
    (home / ".kaggle").mkdir()  # as it is there, the package looks nowhere else
    assert "~/.config/kaggle/kaggle.json can't be used: they are looked for in" in refusal()
    put(tmp_path / "own" / "kaggle.json", KEY)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "own"))
    assert find_credentials() == Credentials("key", str(tmp_path / "own" / "kaggle.json"))


def test_a_login_of_the_kaggle_command(home: Path) -> None:
    put(home / ".kaggle" / "credentials.json", '{"refresh_token": "planted-refresh"}')
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


def test_no_secret_is_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "planted-token")
    put(home / ".kaggle" / "kaggle.json", KEY)
    assert "planted" not in repr(all_credentials())


@pytest.mark.parametrize(
    ("place", "target"),
    [
        (".kaggle/kaggle.json.txt", ".kaggle/kaggle.json"),
        (".kaggle/kaggle (1).json", ".kaggle/kaggle.json"),
        (".kaggle/access_token.txt.txt", ".kaggle/access_token"),
        ("Downloads/kaggle.json", ".config/kaggle/kaggle.json"),
        ("Downloads/kaggle (2).json", ".config/kaggle/kaggle.json"),
        ("kaggle.json", ".config/kaggle/kaggle.json"),
        (".config/kaggle/kaggle.json.txt", ".config/kaggle/kaggle.json"),
    ],
)
def test_a_file_out_of_place_is_named_with_a_command_that_mends_it(
    home: Path, place: str, target: str
) -> None:
    put(home / place, "planted-token" if "token" in place else KEY)
    told = refusal()
    assert f"~/{place} can't be used: they are looked for in ~/{target} alone" in told
    command = told.rpartition("Run: ")[2]
    subprocess.run(command, shell=True, check=True, timeout=30)
    found = find_credentials()
    assert found is not None
    assert found.where == f"~/{target}"


def test_other_files_beside_are_nothing(home: Path) -> None:
    for name in ("kaggle.json~", "kaggle.json.bak", "notes.txt", "kaggle.log"):
        put(home / ".kaggle" / name, "planted")
    put(home / ".kaggle" / "kaggle.json", '{"competition": "digit-recognizer"}')  # kaggle config
    put(home / "access_token", "of something else")
    assert find_credentials() is None


# ---- which of several ----------------------------------------------------------------------------
@pytest.mark.parametrize("empty", ["", "\n"])
def test_what_is_empty_gives_way_to_others_as_in_the_package(
    home: Path, monkeypatch: pytest.MonkeyPatch, empty: str
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", empty)
    put(home / ".kaggle" / "access_token", empty)
    put(home / ".kaggle" / "kaggle.json", KEY)
    assert all_credentials() == [Credentials("key", "~/.kaggle/kaggle.json")]


def test_what_is_wrong_is_not_passed_over_for_another_account(home: Path) -> None:
    put(home / ".kaggle" / "access_token", "planted token")
    put(home / ".kaggle" / "kaggle.json", KEY)
    assert "~/.kaggle/access_token" in refusal()


def test_what_is_wrong_behind_the_first_does_not_matter(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home / ".kaggle" / "kaggle.json", "{")
    put(home / ".kaggle" / "credentials.json", "{")
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    monkeypatch.setenv("KAGGLE_KEY", "planted-key")
    assert all_credentials() == [Credentials("key", "$KAGGLE_USERNAME and $KAGGLE_KEY")]
