"""What every record says of its making: time, commit, versions, machine."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.system.cores import available_cores, blas_library
from pipeline.system.text import one_line, shortened

# All that pyproject.toml asks for, extras apart: the package need not be installed to be run.
PACKAGES = (
    "click",
    "filelock",
    "jinja2",
    "kaggle",
    "matplotlib",
    "mlxtend",
    "nbformat",
    "numpy",
    "pandas",
    "pillow",
    "pydantic",
    "requests",
    "rich",
    "scikit-learn",
    "scipy",
    "six",
    "tenacity",
    "threadpoolctl",
)
MACHINE = ("blas", "cpu", "cores", "platform")
_NO_REASON = ("commit", "dirty", "no_commit", "memory_bytes")  # for a difference of bits
_NO_CLONE = "the code was in no clone"
_REPOSITORY = Path(__file__).resolve().parents[2]
_GIT_SECONDS = 10


def now() -> str:
    """Return the time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def environment() -> dict[str, Any]:
    """Return the code's commit, the versions and the machine, as a record keeps them.

    Where git tells no commit, DIGITS_COMMIT may, as it does in the image of a container.
    commit and dirty are None outside of a clone, or without git; dirty counts tracked files only.
    no_commit: why there is no commit, in a few words; None if there is one.
    cores: those that this process may use.  memory_bytes: of the machine, None where it tells none.
    blas: the library behind NumPy's matrix products, None if it is not known.
    Each package has its version under its own name, None if it is not installed.
    """
    reason = why_no_clone()
    commit = None if reason else _git("rev-parse", "HEAD")
    changes = None if commit is None else _git("status", "--porcelain", "--untracked-files=no")
    known = commit or os.environ.get("DIGITS_COMMIT") or None
    return {
        "commit": known,
        "dirty": None if changes is None else bool(changes),
        "no_commit": None if known else reason or "the clone has no commit yet",
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
        "blas": blas_library(),
        "cpu": _cpu(),
        "cores": available_cores(),
        "memory_bytes": _memory_bytes(),
        "platform": platform.platform(),
    }


def file_record(path: Path, checksum: str | None) -> dict[str, Any]:
    """Return what a record says of a file of the user's, such as a recipe.

    path: from the clone's top, if it is in there.  sha256: of what was read of it; None of nothing.
    in_git: whether git keeps it; None outside of a clone.
    """
    inside = path.resolve().is_relative_to(_REPOSITORY)
    in_git = None
    if why_no_clone() is None:
        in_git = inside and _git("ls-files", "--error-unmatch", "--", str(path)) is not None
    return {
        "path": str(path.resolve().relative_to(_REPOSITORY) if inside else path),
        "sha256": checksum,
        "in_git": in_git,
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return (then, now) of each value by which two environments differ and bits may.

    What only one of them tells is passed over: older records say less.
    """
    return {
        name: (then[name], now[name])
        for name in then
        if name in now and name not in _NO_REASON and then[name] != now[name]
    }


def as_text(value: Any) -> str:
    """Return a value of an environment as people read it."""
    if isinstance(value, dict):
        return " ".join(str(part) for part in value.values())
    return "none" if value is None else str(value)


def has_commit(commit: str) -> bool:
    """Whether the clone in which this code lies knows a commit."""
    return why_no_clone() is None and _git("cat-file", "-e", f"{commit}^{{commit}}") is not None


def why_no_clone() -> str | None:
    """Return why git tells nothing of this code, as it was when it was asked; None if it does.

    git's top folder must be ours, not that of a project in which we are installed.
    """
    if not (_REPOSITORY / ".git").exists():
        return _NO_CLONE
    try:
        done = _run_git("rev-parse", "--show-toplevel")
    except FileNotFoundError:
        return "git was not there: not installed, or not on PATH"
    except (OSError, subprocess.SubprocessError) as error:
        return f"git did not answer ({type(error).__name__})"
    if "dubious ownership" in done.stderr:
        return "git refused the clone, because its folder belongs to another user"
    if done.returncode:
        return f"git failed ({shortened(one_line(done.stderr), 200)})"
    return None if Path(done.stdout.strip()).resolve() == _REPOSITORY else _NO_CLONE


def _git(*arguments: str) -> str | None:
    """What git says; None if it fails, whatever the reason."""
    try:
        done = _run_git(*arguments)
    except (OSError, subprocess.SubprocessError):
        return None
    return None if done.returncode else done.stdout.strip()


def _run_git(*arguments: str) -> "subprocess.CompletedProcess[str]":
    # Inside a git hook, GIT_DIR and its like would point at the repository of the hook.
    variables = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return subprocess.run(
        ["git", "-C", str(_REPOSITORY), *arguments],
        capture_output=True,
        check=False,
        env=variables | {"LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=_GIT_SECONDS,
    )


@cache  # a tenth of a second for all of them, which a process asks for at each training
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    """The processor's name, or at least its kind."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
