"""The environment of make, installed whole: ``python -m pipeline.system.installation VENV EXTRA``.

A note inside says what was installed, and is written last: where it is missing, or the note of an
installation that began and did not end, the environment is made again from nothing. Only one
that was made here is ever removed. An empty VENV is the interpreter at hand. This needs nothing
but the standard library, because nothing else is installed by then.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

NOTE = ".installed"
OLDEST = (3, 11)
PROJECT = "digit_recognizer_pipeline"
# Settings of pip's that put packages elsewhere than into the environment, or nowhere.
ELSEWHERE = {
    *("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON"),
    *("PIP_DRY_RUN", "PIP_DOWNLOAD", "PIP_NO_DEPS", "PIP_NO_DEPENDENCIES"),
}
Note = dict[str, Any]


def main() -> None:
    """Install what is missing, one command at a time; say in a line what prevents it."""
    name, *extras = sys.argv[1:]
    folder = Path(name)
    try:
        if not name.strip():
            _pip(sys.executable, extras, "the interpreter at hand", os.environ)
        elif not is_whole(folder, extras):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with _alone(folder) as lock:
                if not is_whole(folder, extras):
                    _make_whole(folder, extras, lock)
        elif (inside := read_note(folder)["python"]) != (mine := _version_of_this()):
            print(f"{folder} is of Python {inside}; remove it for one of Python {mine}.")
    except OSError as error:
        what = f"{error.filename or folder}: {error.strerror}"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            what += "; name a folder that you may write to: VENV=/elsewhere/venv"
        sys.exit(f"Error: {what}")
    except KeyboardInterrupt:
        sys.exit(130)


def is_whole(folder: Path, extras: Sequence[str]) -> bool:
    """Whether the last installation ended, of all that is asked for, for this checkout."""
    note = read_note(folder)
    has = note.get("extras")
    return has is not None and set(extras) <= set(has) and note.items() >= _expected(folder).items()


def read_note(folder: Path) -> Note:
    """Return what was installed, empty if it is unknown.

    Of an installation that was cut short before it changed anything, it is what was there before;
    otherwise the note has a key "packages".  "made": whether the folder was made here.
    """
    try:
        note = json.loads((folder / NOTE).read_bytes())
    except (OSError, ValueError):
        note = {}
    if not isinstance(note, dict):
        return {}
    if "packages" in note and note["packages"] == _packages(folder):
        return dict(note["before"])
    return note


def _write_note(folder: Path, note: Note) -> None:
    temporary = folder / f"{NOTE}.tmp"
    with temporary.open("w", encoding="utf-8") as stream:
        json.dump(note, stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(folder / NOTE)


def _expected(folder: Path) -> Note:
    """The note of an environment that is up to date, as far as it does not depend on extras."""
    wanted = hashlib.sha256()
    for path in ("pyproject.toml", *_constraints()):
        wanted.update(Path(path).read_bytes())
    return {
        "venv": str(folder.resolve()),  # its commands name it in their first lines
        "python": _version_inside(folder),
        "checkout": str(Path.cwd()),
        "wanted": wanted.hexdigest(),
    }


def _constraints() -> list[str]:
    name = os.environ.get("DIGITS_CONSTRAINTS", "constraints.txt")
    return [name] if name.strip() else []


def _is_inside(folder: Path) -> bool:
    return folder.is_dir() and folder.samefile(sys.prefix)


def _version_of_this() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _version_inside(folder: Path) -> str | None:
    """Return the version of the environment's interpreter; None if there is none that runs."""
    if _is_inside(folder):
        return _version_of_this()
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        command = [str(folder / "bin" / "python"), "-E", "-S", "-c", ask]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _packages(folder: Path) -> list[str]:
    found = {path.name for path in folder.glob("lib/python*/site-packages/*")}
    return sorted(found - {"__pycache__"})


# ---- making --------------------------------------------------------------------------------------
def _make_whole(folder: Path, extras: Sequence[str], lock: int) -> None:
    note = read_note(folder)
    why = _broken(folder, note)
    if why:
        is_new = not folder.exists() or not any(folder.iterdir())
        if not (is_new or note.get("made")):
            sys.exit(
                f"Error: {folder}: {why}; as it was not made by this command, it stays as it is. "
                "Remove it yourself, or name another folder: VENV=/elsewhere/venv"
            )
        _make(folder, "" if is_new else f"again, because {why}, ", lock)
        note = {"made": True}
    expected = _expected(folder)
    before = note.get("extras", []) if note.items() >= expected.items() else []
    print(f"Installing {' '.join(extras) or 'the packages'} into {folder} ...", flush=True)
    made = note.get("made", False)
    _write_note(folder, {"made": made, "before": note, "packages": _packages(folder)})
    kept = {name: value for name, value in os.environ.items() if name.upper() not in ELSEWHERE}
    _pip(str(folder / "bin" / "python"), extras, str(folder), kept, "--no-user", lock=lock)
    if not any(name.startswith(f"{PROJECT}-") for name in _packages(folder)):
        sys.exit(
            f"Error: pip did not install into {folder}: one of its settings, which "
            "`pip config list` shows, sends packages elsewhere; take it out."
        )
    os.sync()  # or after a power cut the note may be there, and the packages empty files
    _write_note(folder, {"made": made, **expected, "extras": sorted({*before, *extras})})


def _broken(folder: Path, note: Note) -> str:
    """Return why the environment can't be installed into; empty if it can."""
    version, here = _version_inside(folder), str(folder.resolve())
    if "packages" in note:
        why = "its installation was cut short"
    elif not (folder / "pyvenv.cfg").exists():
        why = "it holds no virtual environment"
    elif version is None or note.get("python", version) != version:
        why = "its interpreter is gone"
    elif tuple(map(int, version.split("."))) < OLDEST:
        why = f"its Python {version} is too old"
    elif note.get("venv", here) != here:
        why = "it was moved"
    else:
        why = "" if _has_pip(folder) else "it has no pip that works"
    return why


def _has_pip(folder: Path) -> bool:
    """Whether the environment has pip, or can be given it, as one that uv made."""
    python = folder / "bin" / "python"
    for command in (["pip", "--version"], ["ensurepip", "--default-pip"], ["pip", "--version"]):
        works = subprocess.run([python, "-m", *command], capture_output=True, check=False)
        if command[0] == "pip" and works.returncode == 0:
            return True
    return False


def _make(folder: Path, again: str, lock: int) -> None:
    # Never the interpreter that is about to be removed.
    python = os.environ.get("DIGITS_PYTHON") or sys.executable
    if _is_inside(folder):
        python = getattr(sys, "_base_executable", sys.executable)
    print(f"Making {folder} {again}with {python} ...", flush=True)
    folder.mkdir(exist_ok=True)
    # The note comes before all else and goes after all else: the folder is known as made here.
    _write_note(folder, {"made": True, "before": {"made": True}, "packages": ["?"]})
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != NOTE:
            path.unlink()
    # To its own name, because venv takes no symbolic link.
    command = [python, "-m", "venv", str(folder.resolve())]
    made = subprocess.run(command, check=False, pass_fds=[lock])
    if made.returncode:
        sys.exit(
            f"Error: {python} cannot create a virtual environment; install its venv module "
            "(Debian: apt install python3-venv), or use the interpreter at hand: make VENV="
        )


def _pip(
    python: str,
    extras: Sequence[str],
    where: str,
    environment: Mapping[str, str],
    *options: str,
    lock: int | None = None,
) -> None:
    """Install the checkout, without writing to it: it may be somebody else's."""
    constraints = _constraints()
    with tempfile.TemporaryDirectory() as apart:
        settings = Path(apart) / "setup.cfg"
        settings.write_text(f"[egg_info]\negg_base = {apart}\n", encoding="utf-8")
        done = subprocess.run(
            [
                *(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("--no-compile", *options),
                *(f"--constraint={name}" for name in constraints),
                *(() if constraints else ("--upgrade", "--upgrade-strategy=eager")),
                *("--editable", f".[{','.join(extras)}]" if extras else "."),
            ],
            env={**environment, "DIST_EXTRA_CONFIG": str(settings)},
            pass_fds=[] if lock is None else [lock],
            check=False,
        )
    if done.returncode:
        sys.exit(
            f"Error: pip could not install into {where}, for the reason above (`pip config list` "
            "shows its settings); the same command tries again."
        )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Hold the lock beside the folder; it is passed on to what is started meanwhile.

    The lock is the processes' own, and ends with the last of them however they die.
    """
    lock = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another make installs into {folder}; waiting for it to finish.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


if __name__ == "__main__":
    main()
