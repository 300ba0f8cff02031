"""Whether Kaggle credentials are at hand, and where, without importing the kaggle package.

Importing that package already logs in, and without credentials it ends the process; so the look
comes first. The order is the package's own. Presence is checked and a secret is never read into
a value that outlives the look.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HOW_TO_GET_THEM = (
    "Make a token at https://www.kaggle.com/settings (section API), then either\n"
    "  export KAGGLE_API_TOKEN=<token>      or save it as ~/.kaggle/access_token\n"
    "or, with the older kind, save kaggle.json as ~/.kaggle/kaggle.json (chmod 600)."
)


@dataclass(frozen=True)
class Credentials:
    """Where credentials were found; not the credentials."""

    style: Literal["token", "key"]
    where: str


def find_credentials(environment: Mapping[str, str] | None = None) -> Credentials | None:
    """Return where the kaggle package would take its credentials from, or None."""
    variables = os.environ if environment is None else environment
    home = _home(variables)
    for variable in ("KAGGLE_API_TOKEN", "KAGGLE_API_V1_TOKEN"):
        if variables.get(variable, "").strip():
            return Credentials("token", f"${variable}")
    for name in ("access_token", "access_token.txt"):
        if home and _has_text(home / ".kaggle" / name):
            return Credentials("token", str(home / ".kaggle" / name))
    if variables.get("KAGGLE_USERNAME") and variables.get("KAGGLE_KEY"):
        return Credentials("key", "$KAGGLE_USERNAME and $KAGGLE_KEY")
    for folder in _key_folders(variables, home):
        if _holds_key(folder / "kaggle.json"):
            return Credentials("key", str(folder / "kaggle.json"))
    if home and _has_text(home / ".kaggle" / "credentials.json"):
        return Credentials("token", str(home / ".kaggle" / "credentials.json"))
    return None


def _home(variables: Mapping[str, str]) -> Path | None:
    if home := variables.get("HOME") or variables.get("USERPROFILE"):
        return Path(home)
    try:
        return Path.home()
    except RuntimeError:
        return None


def _key_folders(variables: Mapping[str, str], home: Path | None) -> list[Path]:
    """The one folder in which the package looks for kaggle.json."""
    if configured := variables.get("KAGGLE_CONFIG_DIR"):
        return [Path(configured)]
    if home and (home / ".kaggle").is_dir():
        return [home / ".kaggle"]
    if configured := variables.get("XDG_CONFIG_HOME"):
        return [Path(configured) / "kaggle"]
    return [home / ".config" / "kaggle"] if home else []


def _has_text(path: Path) -> bool:
    try:
        return bool(path.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return False


def _holds_key(path: Path) -> bool:
    # Malformed JSON is silently ignored by the package, so it does not count here either.
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and bool(value.get("username")) and bool(value.get("key"))
