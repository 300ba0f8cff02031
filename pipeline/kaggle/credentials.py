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
    return next(iter(all_credentials(environment)), None)


def all_credentials(environment: Mapping[str, str] | None = None) -> list[Credentials]:
    """Return all that there are; the package uses the first, and never comes to the others."""
    return list(_search(os.environ if environment is None else environment))


def find_username(environment: Mapping[str, str] | None = None) -> str | None:
    """Return the account's name where it stands beside the credentials; a token alone has none."""
    variables = os.environ if environment is None else environment
    found = find_credentials(variables)
    return _key(variables, "username")[0] if found and found.style == "key" else None


def key_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the one folder in which the package looks for kaggle.json."""
    variables = os.environ if environment is None else environment
    if configured := variables.get("KAGGLE_CONFIG_DIR"):
        return Path(configured)
    home = _home(variables)
    if (home / ".kaggle").is_dir():
        return home / ".kaggle"
    return Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "kaggle"


def _search(variables: Mapping[str, str]) -> Iterator[Credentials]:
    folder = _home(variables) / ".kaggle"
    in_notebook = "KAGGLE_KERNEL_RUN_TYPE" in variables and "KAGGLE_DATA_PROXY_URL" in variables
    if in_notebook and _read(Path(variables.get("KAGGLE_API_V1_TOKEN", ""))).strip():
        yield Credentials("token", "$KAGGLE_API_V1_TOKEN")
    if token := variables.get("KAGGLE_API_TOKEN"):
        # The token itself, or the path of a file with it; pathlib fails for a long token.
        if not os.path.exists(token) or _read(Path(token)).strip():  # noqa: PTH110
            yield Credentials("token", "$KAGGLE_API_TOKEN")
    else:
        for name in ("access_token", "access_token.txt"):
            if _read(folder / name).strip():
                yield Credentials("token", f"~/.kaggle/{name}")
    (username, of_name), (key, of_key) = (_key(variables, part) for part in ("username", "key"))
    if username and key:
        yield Credentials("key", " and ".join(dict.fromkeys((of_name, of_key))))
    if _read_object(folder / "credentials.json").get("refresh_token"):
        yield Credentials("login", "~/.kaggle/credentials.json")


def _key(variables: Mapping[str, str], part: str) -> tuple[str | None, str]:
    """The username or the key, and where it stands: a variable goes before the file."""
    variable = f"KAGGLE_{part.upper()}"
    if found := variables.get(variable):
        return found, f"${variable}"
    path, home = key_folder(variables) / "kaggle.json", _home(variables)
    found = _read_object(path).get(part)
    where = f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
    return found if isinstance(found, str) else None, where


def _home(variables: Mapping[str, str]) -> Path:
    try:
        return Path(variables.get("HOME") or variables.get("USERPROFILE") or Path.home())
    except RuntimeError:  # a user without a home, as in some containers
        return Path("~")


def _read_object(path: Path) -> dict[str, Any]:
    # Malformed JSON is silently ignored by the package, so it does not count here either.
    try:
        value = json.loads(_read(path).decode())
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError):
        return b""
