"""Whether Kaggle credentials are at hand, and where, without importing the kaggle package.

Importing that package already logs in, and without credentials it ends the process; so the look
comes first. The order is the package's own. Presence is checked, never validity, and no secret
is kept: only where it was seen.
"""

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

HOW_TO_GET_THEM = (
    "Make a token at https://www.kaggle.com/settings (section API), then either\n"
    "  export KAGGLE_API_TOKEN=<token>      or save it as ~/.kaggle/access_token\n"
    "or, with the older kind, save kaggle.json as ~/.kaggle/kaggle.json (chmod 600)."
)


@dataclass(frozen=True)
class Credentials:
    """Where credentials were found; not the credentials.

    where: a variable or file, as one would write it ("$KAGGLE_API_TOKEN", "~/.kaggle/kaggle.json").
    """

    style: Literal["token", "key", "login"]
    where: str

    @property
    def is_open_to_others(self) -> bool:
        """Whether it is a file that other users of this machine may read."""
        try:
            mode = Path(self.where).expanduser().stat().st_mode
        except (OSError, ValueError, RuntimeError):
            return False
        return os.name == "posix" and bool(mode & (stat.S_IRGRP | stat.S_IROTH))


def find_credentials(environment: Mapping[str, str] | None = None) -> Credentials | None:
    """Return where the kaggle package would take its credentials from, or None."""
    return next(_all_credentials(environment), None)


def find_unused_credentials(environment: Mapping[str, str] | None = None) -> list[Credentials]:
    """Return what lies beside the credentials that are used: the package never comes to it."""
    return list(_all_credentials(environment))[1:]


def find_username(environment: Mapping[str, str] | None = None) -> str | None:
    """Return the account's name where it stands beside the credentials; a token alone has none."""
    variables = os.environ if environment is None else environment
    credentials = find_credentials(variables)
    if credentials is None or credentials.style != "key":
        return None
    file = _read_json_object(key_folder(variables) / "kaggle.json")
    return str(variables.get("KAGGLE_USERNAME") or file["username"])


def key_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the one folder in which the package looks for kaggle.json."""
    variables = os.environ if environment is None else environment
    if configured := variables.get("KAGGLE_CONFIG_DIR"):
        return Path(configured)
    home = _home(variables)
    if (home / ".kaggle").is_dir():
        return home / ".kaggle"
    return Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "kaggle"


def _all_credentials(environment: Mapping[str, str] | None) -> Iterator[Credentials]:
    variables = os.environ if environment is None else environment
    home = _home(variables)
    if place := _token_place(variables, home):
        yield Credentials("token", place)
    if place := _key_place(variables, home):
        yield Credentials("key", place)
    login = home / ".kaggle" / "credentials.json"
    if _read_json_object(login).get("refresh_token"):
        yield Credentials("login", _short(login, home))


def _token_place(variables: Mapping[str, str], home: Path) -> str | None:
    in_notebook = "KAGGLE_KERNEL_RUN_TYPE" in variables and "KAGGLE_DATA_PROXY_URL" in variables
    if in_notebook and _has_text(variables.get("KAGGLE_API_V1_TOKEN")):
        return "$KAGGLE_API_V1_TOKEN"
    if token := variables.get("KAGGLE_API_TOKEN"):
        # The value may be the token or the path of a file with it; that file ends the search.
        return "$KAGGLE_API_TOKEN" if _has_text(token) or not _exists(token) else None
    for name in ("access_token", "access_token.txt"):
        if _has_text(home / ".kaggle" / name):
            return _short(home / ".kaggle" / name, home)
    return None


def _key_place(variables: Mapping[str, str], home: Path) -> str | None:
    """Username and key may come from different places; a variable goes before the file."""
    path = key_folder(variables) / "kaggle.json"
    # Malformed JSON is silently ignored by the package, so it does not count here either.
    file = _read_json_object(path)
    places = []
    for name in ("username", "key"):
        if variables.get(f"KAGGLE_{name.upper()}"):
            places.append(f"$KAGGLE_{name.upper()}")
        elif isinstance(file.get(name), str) and file[name]:
            places.append(_short(path, home))
        else:
            return None
    return " and ".join(dict.fromkeys(places))


def _home(variables: Mapping[str, str]) -> Path:
    if home := variables.get("HOME") or variables.get("USERPROFILE"):
        return Path(home)
    try:
        return Path.home()
    except RuntimeError:  # a user without a home, as in some containers
        return Path("~")


def _short(path: Path, home: Path) -> str:
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # a token too long for a file name, or with a NUL in it
        return False


def _has_text(path: Path | str | None) -> bool:
    if not path:
        return False
    try:
        return bool(Path(path).read_bytes().strip())
    except (OSError, ValueError):
        return False


def _read_json_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
