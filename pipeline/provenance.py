"""What every record says of its making, and whether what a record stands for is still current."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.files import read_json
from pipeline.threads import available_cores

_PACKAGES = ("numpy", "scipy", "scikit-learn", "threadpoolctl")
_REPOSITORY = Path(__file__).resolve().parents[1]
_GIT_SECONDS = 10


def now() -> str:
    """Return the time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def environment() -> dict[str, Any]:
    """Return the code's commit, the versions and the machine, as a record keeps them.

    Where git tells no commit, DIGITS_COMMIT may, as it does in the image of a container.
    commit and dirty are None outside of a clone, or without git; dirty counts tracked files only.
    cores: those that this process may use.
    """
    commit = _git("rev-parse", "HEAD") if _is_clone() else None
    changes = None if commit is None else _git("status", "--porcelain", "--untracked-files=no")
    return {
        "commit": commit or os.environ.get("DIGITS_COMMIT") or None,
        "dirty": None if changes is None else bool(changes),
        "python": platform.python_version(),
        **{package: _version(package) for package in _PACKAGES},
        "cores": available_cores(),
        "platform": platform.platform(),
    }


def is_current(record: Path, inputs: Mapping[str, Any], outputs: Iterable[Path]) -> bool:
    """Whether ``record`` was made from ``inputs`` and all ``outputs`` are there.

    A damaged record is not current: its stage writes it anew.
    """
    try:
        recorded = read_json(record).get("inputs")
    except (FileNotFoundError, PipelineError):
        return False
    as_json = json.loads(json.dumps(inputs))
    return bool(recorded == as_json) and all(path.exists() for path in outputs)


def _is_clone() -> bool:
    """Whether git's top folder is ours, not that of a project in which we are installed."""
    top = _git("rev-parse", "--show-toplevel")
    return top is not None and Path(top).resolve() == _REPOSITORY


def _git(*arguments: str) -> str | None:
    # Inside a git hook, GIT_DIR and its like would point at the repository of the hook.
    variables = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(_REPOSITORY), *arguments],
            capture_output=True,
            check=True,
            env=variables,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_GIT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
