"""Where trials are kept: an SQLite file, or a database that several machines share."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from pipeline.system.errors import PipelineError

EXAMPLE = "Example: STORAGE=postgresql://user:password@host/digits"
# How long a statement waits for another process that writes to the same SQLite file.
LOCKED_SECONDS = 60
_HIDDEN = "***"


def _forms(secret: object) -> list[str]:
    """A secret as it is, and as it stands in an address."""
    text = str(secret or "")
    return [form for form in (text, quote(text, safe=""), quote_plus(text)) if form]


class Place:
    """An address of trials that can be shown: ``text`` holds no password.

    address: a database's, or None for the SQLite file at ``path``.
    Raises PipelineError if it is no address of a database; the message does not repeat it.
    """

    def __init__(self, address: str | None, path: Path) -> None:
        self._path = None if address else path
        self._secrets: list[str] = []
        self.text = str(path)
        if not address:
            self._url = "sqlite:///study"  # for show: see _connect
            return
        try:
            url = sqlalchemy.make_url(address)
        except (ArgumentError, ValueError):
            raise PipelineError("STORAGE is no address of a database", remedy=EXAMPLE) from None
        self._url = address
        self._secrets = [address, *_forms(url.password)]
        query: dict[str, Any] = {}
        for name, value in url.query.items():
            secret = "pass" in name.lower() or "token" in name.lower()
            self._secrets += _forms(value) if secret else []
            query[name] = _HIDDEN if secret else value
        self.text = url.set(query=query).render_as_string(hide_password=True)

    def open(self) -> RDBStorage:
        """Return the storage, made if it is not there yet.

        Raises PipelineError if it can't be reached, is damaged, or holds something else.
        """
        options: dict[str, Any] = {}
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            options["creator"] = self._connect
        elif self._url.startswith("sqlite"):
            options["connect_args"] = {"timeout": LOCKED_SECONDS}
        with self.guarded():
            self._refuse_other_tables(options)
            # optuna fills in braces.
            return RDBStorage(self._url.replace("{", "{{").replace("}", "}}"), options)

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn what a database raises into a PipelineError without the password."""
        try:
            yield
        except (SQLAlchemyError, StorageInternalError, sqlite3.Error) as error:
            raise self._explain(error) from None
        except ImportError as error:
            driver = getattr(error.__cause__, "name", None) or error.name
            raise PipelineError(
                f"STORAGE={self.text} needs the package {driver}, which is not installed",
                remedy="Install it into the interpreter that runs this, .venv/bin/python for make.",
            ) from None

    def _connect(self) -> sqlite3.Connection:
        # By its path, because an address would take ? and % in it apart.
        assert self._path is not None
        found = sqlite3.connect(self._path, timeout=LOCKED_SECONDS, check_same_thread=False)
        # With a log of its own, a write waits for no reader, and for the disk only now and then;
        # whoever is killed leaves it whole.
        found.execute("PRAGMA journal_mode=WAL")
        found.execute("PRAGMA synchronous=NORMAL")
        return found

    def _refuse_other_tables(self, options: dict[str, Any]) -> None:
        """Leave a database alone that belongs to another program."""
        engine = sqlalchemy.create_engine(self._url, **options)
        try:
            names = sqlalchemy.inspect(engine).get_table_names()
        finally:
            engine.dispose()
        if names and "studies" not in names:
            raise PipelineError(
                f"{self.text} holds the tables of another program ({', '.join(names[:3])})",
                remedy="Give a database of its own to the search.",
            )

    def _explain(self, error: BaseException) -> PipelineError:
        """The innermost reason in one line, without the password."""
        while error.__cause__ is not None:
            error = error.__cause__
        lines = str(error).splitlines() or [type(error).__name__]
        text = lines[0]
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        if "locked" in text:
            return PipelineError(
                f"{self.text}: other processes were writing to it for {LOCKED_SECONDS} seconds",
                remedy="The same command goes on from here.",
            )
        return PipelineError(f"{self.text}: {text[:200]}", remedy=self._remedy(text))

    def _remedy(self, text: str) -> str:
        if "not a database" in text or "malformed" in text:
            return "It is damaged, or no SQLite file: remove it, and the search begins anew."
        return "Look at the address, and whether the database can be reached from here."
