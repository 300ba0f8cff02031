"""Whether Kaggle credentials are at hand, and where, without importing the kaggle package.

Importing that package already logs in, and without credentials it ends the process; so the look
comes first. The places and their order are the package's own; what stands there is handed to it.
"""

import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from pipeline.kaggle import SETTINGS
from pipeline.kaggle import credential_files as files
from pipeline.kaggle.credential_files import Credentials, CredentialsError

HOW_TO_GET_THEM = (
    f"Make a token at {SETTINGS} (section API), then either\n"
    "  export KAGGLE_API_TOKEN=<token>      or save it as ~/.kaggle/access_token\n"
    "or, with the older kind, save kaggle.json as ~/.kaggle/kaggle.json (chmod 600)."
)

# What KAGGLE_API_TOKEN looks like where it is meant as the path of a file.
_PATH = re.compile(r"~|\.{0,2}[/\\]|[A-Za-z]:[/\\]|.*(\.txt|\.json|access_token)$")
TOKEN_FILES = ("access_token", "access_token.txt")
# What browsers call a second download, and what editors make of a name.
_STRAY_KEYS = (
    *("kaggle.json", "kaggle.json.txt", "kaggle.json.json", "Kaggle.json", "kaggle copy.json"),
    *("kaggle (1).json", "kaggle (2).json", "kaggle (3).json", "kaggle(1).json", "kaggle-1.json"),
)
_STRAY_TOKENS = (*TOKEN_FILES, "access_token.txt.txt", "access_token.json", "access-token")


def find_credentials(environment: Mapping[str, str] | None = None) -> Credentials | None:
    """Return the credentials that are used, or None. Raises CredentialsError as below."""
    return next(iter(all_credentials(environment)), None)


def all_credentials(environment: Mapping[str, str] | None = None) -> list[Credentials]:
    """Return all that there are; the first are used, and the others never come to it.

    Raises CredentialsError if the first that are there can't be used; an empty file or variable
    counts as there only where nothing else is.
    """
    usable: list[Credentials] = []
    empty: list[CredentialsError] = []
    for look in _places(os.environ if environment is None else environment):
        try:
            if found := look():
                usable.append(found)
        except CredentialsError as error:
            if not (usable or error.gives_way):
                raise
            empty.append(error)
    if empty and not usable:
        raise empty[0]
    return usable


def find_username(environment: Mapping[str, str] | None = None) -> str | None:
    """Return the account's name where it stands beside the credentials; a token alone has none."""
    try:
        found = find_credentials(environment)
    except CredentialsError:
        return None
    return found.username if found and found.style == "key" else None


def key_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the one folder in which kaggle.json counts."""
    variables = os.environ if environment is None else environment
    home = _home(variables)
    if configured := variables.get("KAGGLE_CONFIG_DIR"):
        return _expanded(configured, home)
    if os.path.isdir(home / ".kaggle"):  # noqa: PTH112  (pathlib raises in a home of others)
        return home / ".kaggle"
    return Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "kaggle"


def _places(variables: Mapping[str, str]) -> Iterator[Callable[[], Credentials | None]]:
    """Yield what looks into each place; it may raise CredentialsError."""
    folder = _home(variables) / ".kaggle"
    yield partial(_notebook_token, variables)
    yield partial(_given_token, variables)
    if not variables.get("KAGGLE_API_TOKEN", "").strip():
        for name in TOKEN_FILES:
            yield partial(files.read_token, folder / name, f"~/.kaggle/{name}")
    yield partial(_key, variables)
    yield partial(files.read_login, folder / "credentials.json", "~/.kaggle/credentials.json")
    yield partial(_out_of_place, variables)


def _notebook_token(variables: Mapping[str, str]) -> Credentials | None:
    """The token that Kaggle gives its own notebooks, in a file."""
    inside = "KAGGLE_KERNEL_RUN_TYPE" in variables and "KAGGLE_DATA_PROXY_URL" in variables
    path = variables.get("KAGGLE_API_V1_TOKEN")
    return files.read_token(Path(path), "$KAGGLE_API_V1_TOKEN") if inside and path else None


def _given_token(variables: Mapping[str, str]) -> Credentials | None:
    """The token in a variable, or in the file that it names."""
    where = "$KAGGLE_API_TOKEN"
    if (told := variables.get("KAGGLE_API_TOKEN")) is None:
        return None
    told = told.strip()
    path = _expanded(told, _home(variables))
    if told and os.path.lexists(path):
        return files.read_token(path, where)
    if _PATH.match(told):
        raise CredentialsError(where, "it names a file that is not there", files.ANEW)
    return files.to_token(told, where)


def _key(variables: Mapping[str, str]) -> Credentials | None:
    """The older kind: a username and a key; a variable goes before the file."""
    folder = key_folder(variables)
    path, in_file = folder / "kaggle.json", _shown(folder / "kaggle.json", variables)
    given = {
        name: variables.get(f"KAGGLE_{name.upper()}", "").strip() for name in ("username", "key")
    }
    held = {} if all(given.values()) else files.read_key(path, in_file)
    parts, places = {}, {}
    for name, value in given.items():
        if value or name in held:
            places[name] = f"$KAGGLE_{name.upper()}" if value else in_file
            parts[name] = files.to_word(value or held[name], name, places[name])
    if len(parts) == 2:
        where = " and ".join(dict.fromkeys(places.values()))
        return Credentials("key", where, parts["key"], parts["username"])
    for name, other in (("username", "key"), ("key", "username")):
        if name in parts:
            what, remedy = f"it holds no {other}", files.NEW_FILE
            if given[name]:
                what = f"it is set, and $KAGGLE_{other.upper()} is not"
                remedy = "Set both of them, or neither."
            raise CredentialsError(places[name], what, remedy, gives_way=bool(given[name]))
    return None


def _out_of_place(variables: Mapping[str, str]) -> None:
    """Raise CredentialsError for a file that looks like credentials, where it does not count."""
    home, folder = _home(variables), key_folder(variables)
    if variables.get("KAGGLE_CONFIG_DIR") and not os.path.isdir(folder):  # noqa: PTH112
        remedy = "Let it name the folder of kaggle.json, or unset it."
        raise CredentialsError(
            "$KAGGLE_CONFIG_DIR", "there is no such folder", remedy, gives_way=True
        )
    own = home / ".kaggle"
    counting = {folder / "kaggle.json", *(own / name for name in TOKEN_FILES)}
    kaggles = (folder, own, home / ".config" / "kaggle")
    keys = [
        at / name for at in (*kaggles, home / "Downloads", home, Path()) for name in _STRAY_KEYS
    ]
    tokens = [at / name for at in kaggles for name in _STRAY_TOKENS]
    for path in (*keys, *tokens):
        if path not in counting and os.path.isfile(path):  # noqa: PTH113
            place = folder / "kaggle.json" if path in keys else own / "access_token"
            what = f"they are looked for in {_shown(place, variables)} alone"
            words = ["mkdir", "-p", str(place.parent)], ["mv", "-i", str(path), str(place)]
            remedy = f"Run: {' && '.join(map(shlex.join, words))}"
            raise CredentialsError(_shown(path, variables), what, remedy, gives_way=True)


def _home(variables: Mapping[str, str]) -> Path:
    try:
        return Path(variables.get("HOME") or variables.get("USERPROFILE") or Path.home())
    except RuntimeError:  # a user without a home, as in some containers
        return Path("~")


def _expanded(text: str, home: Path) -> Path:
    """A path from a variable, in which a shell may have left the ~ of a home."""
    return home / text[2:] if text.startswith("~/") else Path(text)


def _shown(path: Path, variables: Mapping[str, str]) -> str:
    home = _home(variables)
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
