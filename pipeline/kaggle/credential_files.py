"""What stands in the files of Kaggle credentials, and what is wrong where none can be made of it.

The kaggle package passes over what it cannot read, takes anything for a token, and waits for ever
at a pipe. Here a file is read once and not without end, and what is odd about it is said.
"""

import base64
import codecs
import json
import os
import re
import stat
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pipeline.kaggle import SETTINGS
from pipeline.system.errors import PipelineError

MOST_BYTES = 1 << 16

ANEW = f"Copy it anew from {SETTINGS} (section API), as plain text in one line; or remove it."
NEW_FILE = f"Get a new one at {SETTINGS} (section API), or remove it."
LOG_IN = "Run: kaggle auth login; or remove it."
_ALLOW = "Make it a file that you may read (chown, chmod 600), or remove it."

# Windows' editor and shell write UTF-16, others put a mark before UTF-8.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# `kaggle config set` writes these into kaggle.json, also where no key is.
_CONFIGURATION = {"competition", "path", "proxy", "ssl_ca_cert"}
# Source: RFC 6750, section 2.1, which says what a bearer token is made of.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_WORD = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Credentials:
    """Credentials, and where they were found.

    where: a variable or file, as one would write it ("$KAGGLE_API_TOKEN", "~/.kaggle/kaggle.json").
    secret: the token, the key, or what a login is renewed with.  username: beside a key only.
    """

    style: Literal["token", "key", "login"]
    where: str
    secret: str = field(default="", repr=False, compare=False)
    username: str = field(default="", repr=False, compare=False)

    @property
    def is_open_to_others(self) -> bool:
        """Whether it is a file that other users of this machine may read."""
        try:
            mode = Path(self.where).expanduser().stat().st_mode
        except (OSError, ValueError, RuntimeError):
            return False
        return os.name == "posix" and bool(mode & (stat.S_IRGRP | stat.S_IROTH))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts with which somebody else could log in: never to be shown."""
        return self.secret, base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()


class CredentialsError(PipelineError):
    """Something stands where credentials belong, and none can be made of it.

    gives_way: whether others are used all the same, as with an empty file.
    """

    def __init__(self, where: str, what: str, remedy: str, *, gives_way: bool = False) -> None:
        super().__init__(f"The Kaggle credentials in {where} can't be used: {what}.", remedy=remedy)
        self.gives_way = gives_way


def read_token(path: Path, where: str) -> Credentials | None:
    """Return the token that is all of a file, None if there is no file."""
    text = _read(path, where, ANEW)
    return None if text is None else to_token(text, where)


def to_token(text: str, where: str) -> Credentials:
    """Return a token; blanks and line ends around it are none of it."""
    token = text.strip()
    if not token:
        raise CredentialsError(where, "it is empty", ANEW, gives_way=True)
    if not _TOKEN.fullmatch(token):
        what = "it has more than one line"
        if "\n" not in token:
            what = "it holds quotes, blanks or other characters that no token has"
        raise CredentialsError(where, what, ANEW)
    return Credentials("token", where, token)


def read_key(path: Path, where: str) -> dict[str, Any]:
    """Return what kaggle.json holds, {} if it is not there or is no more than a configuration."""
    held = _read_object(path, where, NEW_FILE)
    if held and held.keys() <= _CONFIGURATION:
        return {}
    if held is not None and not held.keys() & {"username", "key"}:
        what = "it holds neither username nor key"
        raise CredentialsError(where, what, NEW_FILE, gives_way=not held)
    return held or {}


def to_word(value: object, what: str, where: str) -> str:
    """Return a username or key.  what: which of them."""
    if not isinstance(value, str):
        raise CredentialsError(where, f"the {what} is no text in double quotes", NEW_FILE)
    word = value.strip()
    if not word:
        raise CredentialsError(where, f"the {what} is empty", NEW_FILE, gives_way=True)
    if not _WORD.fullmatch(word) or set(word) & {'"', "'", ":"}:
        raise CredentialsError(where, f"the {what} holds characters that none has", NEW_FILE)
    return word


def read_login(path: Path, where: str) -> Credentials | None:
    """Return what `kaggle auth login` left, None if it left nothing."""
    held = _read_object(path, where, LOG_IN)
    if held is None:
        return None
    token = held.get("refresh_token")
    if not isinstance(token, str) or not token.strip():
        raise CredentialsError(where, "it holds no refresh_token", LOG_IN, gives_way=not held)
    # The package reads the rest by itself, and falls over what it does not expect.
    try:
        if told := held.get("access_token_expiration"):
            end = datetime.fromisoformat(told)
            if end.tzinfo is None:
                raise ValueError
        if access := held.get("access_token"):
            to_token(access, where)
    except (AttributeError, TypeError, ValueError):
        raise CredentialsError(where, "what it says of its token is damaged", LOG_IN) from None
    return Credentials("login", where, token)


def _read_object(path: Path, where: str, remedy: str) -> dict[str, Any] | None:
    if (text := _read(path, where, remedy)) is None:
        return None
    if not text.strip():
        raise CredentialsError(where, "it is empty", remedy, gives_way=True)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = f"; see line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        what = f"it is no JSON{line}"
        if "'" in text and '"' not in text:
            what = "it has ' where JSON has double quotes"
        raise CredentialsError(where, what, remedy) from None
    if not isinstance(value, dict):
        raise CredentialsError(where, "it is no JSON object, {...}", remedy)
    return value


def _read(path: Path, where: str, remedy: str) -> str | None:
    """Return the text of a file, None if there is none. Nothing else is opened; pipes never end."""
    try:
        if not stat.S_ISREG(mode := path.stat().st_mode):
            what = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
            raise CredentialsError(where, f"it is {what}, not a file", _ALLOW)
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        if not path.is_symlink():
            return None
        raise CredentialsError(where, "it is a link to no file", _ALLOW) from None
    except ValueError:  # a name that no file has
        return None
    except OSError as error:
        if not os.path.lexists(path.parent):  # in a home of somebody else's
            return None
        why = error.strerror or "the system refuses it"
        raise CredentialsError(where, f"it can't be read ({why})", _ALLOW) from None
    if len(data) > MOST_BYTES:
        raise CredentialsError(where, "it is far too large", remedy)
    encoding = next((_MARKS[mark] for mark in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeError:
        raise CredentialsError(where, "it is not plain text", remedy) from None
