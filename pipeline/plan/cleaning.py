"""Removing what the pipeline made: ``python -m pipeline.plan.cleaning clean``, for make.

Its mark is the record that it leaves in each folder that it makes, or beside each file. What has
no such record may be anybody's, whatever its name: it stays, and a line says so. Symbolic links
stay as well, and what another command is writing. This needs nothing but the standard library.
"""

import fcntl
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline.plan.workspace import Workspace
from pipeline.system.installation import read_note

# In the checkout: caches of tools; what tracking services and the tests keep.
CACHES = (
    *(".pytest_cache", ".mypy_cache", ".ruff_cache"),
    *("build/stress", "digit_recognizer_pipeline.egg-info"),
)
CODE = ("pipeline", "tests", "benchmarks", "docs")
SERVICES = ("mlflow.db", "mlruns", "mlartifacts", "wandb", ".hypothesis")
ENVIRONMENTS = (("DIGITS_VENV", ".venv"), ("DIGITS_BENCH_VENV", ".venv-bench"))
# Temporary files and folders of a writer that was killed, locks, and who holds them.
LEFTOVER = re.compile(r"\..+\.[a-z0-9_]{8}\.(tmp|old)|\.download-[a-z0-9_]{8}|\..+\.lock(\.json)?")
Mark = Callable[[Path], bool]


def main() -> None:
    """Remove what the command names, after asking where it can't be had again."""
    (command,) = sys.argv[1:]
    commands = {"clean": _clean, "clean-runs": _clean_runs, "distclean": _clean_all}
    try:
        data, submissions = (
            Path(os.environ.get(f"DIGITS_{name.upper()}") or name).expanduser()
            for name in ("data", "submissions")
        )
        commands[command](Workspace(data, submissions))
    except RuntimeError as error:  # a home that there is not
        sys.exit(f"Error: {error}")
    except OSError as error:
        sys.exit(f"Error: {error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit(130)


def _clean(workspace: Workspace) -> None:
    compiled = [path for part in CODE for path in Path(part).rglob("__pycache__")]
    for cache in [*map(Path, CACHES), *compiled]:
        shutil.rmtree(cache, ignore_errors=True)
    _empty(workspace.processed("").folder, _has("manifest.json", "raw", "arrays"))
    _empty(workspace.comparison("").parent, _is_page)
    for run in _made(workspace.run("").folder, _is_run):
        _remove(workspace.run(run.name).report)


def _clean_runs(workspace: Workspace) -> None:
    folders = _folders_of_runs(workspace)
    found = [f"{folder}/{path.name}" for folder, mark in folders for path in _made(folder, mark)]
    if not found:
        print(f"There are no runs or searches of this pipeline's in {workspace.data}.")
    else:
        _ask(f"Remove {_few(found)}?")
    for folder, mark in folders:
        _empty(folder, mark)


def _folders_of_runs(workspace: Workspace) -> list[tuple[Path, Mark]]:
    return [
        (workspace.run("").folder, _is_run),
        (workspace.tuning("").folder, _is_search),
        (workspace.scratch("").data, _is_reproduction),
    ]


def _clean_all(workspace: Workspace) -> None:
    environments = [Path(os.environ.get(name) or default) for name, default in ENVIRONMENTS]
    _ask(
        f"Remove {', '.join(map(str, environments))}, all data and runs in {workspace.data} and "
        f"ALL SUBMISSIONS in {workspace.submissions}, ledger included, {', '.join(SERVICES)}?"
    )
    _clean(workspace)
    for folder, mark in _folders_of_runs(workspace):
        _empty(folder, mark)
    _empty(workspace.raw("").folder, _has("manifest.json", "kind", "files"))
    _empty(workspace.decision("").parent, _is_decision)
    _empty(workspace.notebook("").folder, _has("kernel-metadata.json", "id", "code_file"))
    _empty(workspace.submissions, _is_submission(workspace))
    for name in SERVICES:
        _remove(Path(name))
    _remove_if_empty(workspace.data)
    for environment in environments:  # last, because this may be running in one
        _remove_environment(environment)


def _remove_environment(folder: Path) -> None:
    """Remove a virtual environment: one that was made here, or by make's earlier versions."""
    default = folder in {Path(name) for _, name in ENVIRONMENTS}
    if read_note(folder).get("made") or (default and (folder / "pyvenv.cfg").exists()):
        _remove(folder)
    elif folder.exists():
        _stays(folder, "is no environment of this pipeline")
    if not folder.exists():
        _remove(Path(f"{folder}.lock"))


# ---- whose it is ---------------------------------------------------------------------------------
def _has(record: str, *keys: str) -> Mark:
    return lambda path: _holds(path / record, *keys)


def _holds(record: Path, *keys: str) -> bool:
    """Whether the file is a record with these keys."""
    try:
        value: Any = json.loads(record.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(value, dict) and set(keys) <= value.keys()


def _is_run(path: Path) -> bool:
    request = path / "request.json"
    return _holds(request, "source", "recipe") or _holds(request, "source", "blend")


def _is_search(path: Path) -> bool:
    return _holds(path / "tuning.json", "study", "storage") or (path / "study.sqlite3").is_file()


def _is_reproduction(path: Path) -> bool:
    return any(_is_run(run) for run in path.glob("runs/*"))


def _is_page(path: Path) -> bool:
    # A page has no record; the lock under which it was written stays beside it.
    return path.suffix == ".html" and path.with_name(f".{path.name}.lock").exists()


def _is_decision(path: Path) -> bool:
    return _holds(path, "recipes", "contenders")


def _is_submission(workspace: Workspace) -> Mark:
    records = [
        record
        for record in workspace.all_submission_records()
        if _holds(record, "csv_sha256", "inputs")
    ]
    made = {path for record in records for path in (record, record.with_suffix(".csv"))}
    return lambda path: path in made or path == workspace.ledger


# ---- removing ------------------------------------------------------------------------------------
def _made(folder: Path, mark: Mark) -> Iterator[Path]:
    """What the pipeline made in a folder and nobody is writing."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.is_symlink() and mark(path):
            yield path


def _empty(folder: Path, mark: Mark) -> None:
    """Remove from a folder what has the mark, and the folder itself if nothing stays in it."""
    if not folder.is_dir():
        return
    made = [path for path in _made(folder, mark) if not _is_locked(path)]
    others = [path for path in folder.iterdir() if path not in made]
    leftovers = [path for path in others if LEFTOVER.fullmatch(path.name)]
    stay = sorted(path.name for path in others if not path.name.startswith("."))
    busy = any(_holds_lock(path) for path in leftovers if path.suffix == ".lock")
    if stay:  # somebody else's may be among the rest as well
        ours = tuple(f".{path.name}." for path in made)
        leftovers = [path for path in leftovers if path.name.startswith(ours)]
        why = "another command is at work there" if busy else "this pipeline did not make it"
        print(f"{folder}: {_few(stay)} left alone, because {why}.")
    for path in [*made, *(leftovers if not busy else ())]:
        _remove(path)
    if made or leftovers:
        _remove_if_empty(folder)


def _is_locked(path: Path) -> bool:
    return _holds_lock(path.with_name(f".{path.name}.lock"))


def _holds_lock(lock: Path) -> bool:
    """Whether another process holds it."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
        folder.rmdir()


def _remove(path: Path) -> None:
    if path.is_symlink():
        _stays(path, "is a symbolic link")
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _stays(path: Path, why: str) -> None:
    print(f"{path} {why}: left alone.")


def _few(names: Iterable[str]) -> str:
    """Return the names, as far as they fit a line."""
    found = list(names)
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def _ask(question: str) -> None:
    """End the process with nothing removed, unless the person at the terminal agrees."""
    if os.environ.get("DIGITS_FORCE", "") not in ("", "0"):
        return
    if not sys.stdin.isatty():
        sys.exit(f"{question} Nothing was removed: nobody is at the terminal; FORCE=1 means yes.")
    if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        sys.exit("Nothing was removed.")


if __name__ == "__main__":
    main()
