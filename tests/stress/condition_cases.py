"""What may be wrong with a machine, each with the commands that meet it there."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.stress.machine import CHAIN, COMMANDS, RUN, WRITING
from tests.stress.trial import Case, close, reopen

READING = tuple(name for name in COMMANDS if name not in WRITING)
YEAR = 365 * 86_400
PERMISSION = ("Permission denied", "Give yourself the permission")
# As narrow as locales get: Python is not let out of it into UTF-8.
ASCII = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
PLACES = ("a space", "ümläut 数字 🎉", "quo'te \"s", "$HOME `x` ;", "-dash", "new\nline")


def all_cases() -> list[Case]:
    """Every case, in the order of the table."""
    parts = (limits, permissions, places, homes, clocks, locales, masks, streams)
    return [case for part in parts for case in part()]


def limits() -> Iterator[Case]:
    """What ulimit allows: memory, open files, processes, the size of files."""
    for command in ("preprocess", "train", "report", "submit"):
        yield Case(
            "too little memory (`ulimit -v`)",
            command,
            "400 MB",
            'ulimit -v 400000; exec "$@"',
            variables={"OPENBLAS_NUM_THREADS": "1"},
            expect="either",
        )
    for command in ("download", "train", "report", "notebook", "submit"):
        for most in (5, 10, 16):
            yield Case(
                "few open files (`ulimit -n`)",
                command,
                str(most),
                f'ulimit -n {most}; exec "$@"',
                expect="either",
                says=("Too many open files", "ulimit -n"),
            )
    for command in ("preprocess", "train"):
        yield Case(
            "no more processes (`ulimit -u`)",
            command,
            shell='ulimit -u 1; exec "$@"',
            variables={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            expect="fails",
            says=("start no more processes",),
            user="stranger",  # of whom no other process counts
        )
    for command in WRITING:
        yield Case(
            "files may not grow (`ulimit -f`)",
            command,
            shell='ulimit -f 0; exec "$@"',
            variables={"MPLCONFIGDIR": "/nonexistent"} if command == "compare" else {},
            expect="fails",
            says=("File too large", "ulimit -f"),
        )


def permissions() -> Iterator[Case]:
    """Folders and files that may not be written or read; whoever runs it is not root."""
    everything = ("data", "submissions", ".")
    for command in WRITING:
        yield Case(
            "everything is read-only",
            command,
            prepare=close(*everything),
            mend=reopen(*everything),
            expect="fails",
            says=PERMISSION,
            user="bound",
        )
    for command in READING:
        yield Case(
            "everything is read-only",
            command,
            prepare=close(*everything),
            mend=reopen(*everything),
            user="bound",
        )
    closed = {
        "download": "data/raw",
        "preprocess": "data/processed",
        "train": "data/runs",
        "validate": f"data/runs/{RUN}",
        "submission": "submissions",
        "summary": f"data/runs/{RUN}",
        "report": f"data/runs/{RUN}",
        "compare": "data",
        "submit": "submissions",
    }
    for command, name in closed.items():
        yield Case(
            "one folder is read-only",
            command,
            name,
            prepare=close(name),
            mend=reopen(name),
            expect="fails" if command != "download" else "either",
            says=PERMISSION,
            user="bound",
        )
    unreadable = {
        "preprocess": "data/raw/practice/train.csv",
        "train": "data/processed/practice/train_images.npy",
        "validate": f"data/runs/{RUN}/model.npz",
        "submission": f"data/runs/{RUN}/model.npz",
        "report": f"data/runs/{RUN}/hold_out.npz",
        "errors": f"data/runs/{RUN}/hold_out.npz",
        "look": f"data/runs/{RUN}/model.npz",
        "predict": "picture.png",
        "check": f"submissions/{RUN}.csv",
        "trace": f"data/runs/{RUN}/training.json",
        "runs": f"data/runs/{RUN}/training.json",
        "submit": "submissions/kaggle-mlp.csv",
    }
    for command, name in unreadable.items():
        yield Case(
            "a file cannot be read",
            command,
            name,
            prepare=close(name, mode=0o444),
            mend=reopen(name),
            expect="fails",
            says=(name, "Permission denied"),
            user="bound",
        )


def places() -> Iterator[Case]:
    """Names and places of folders."""
    for place in PLACES:
        for command in ("download", "train", "report", "trace", "submit"):
            yield Case("a path with other letters", command, repr(place), place=place)
    for command in ("download", "train", "notebook", "runs", "trace"):
        yield Case(
            "a name that is too long",
            command,
            arguments=("--data", "x" * 300),
            expect="either" if command in ("runs", "trace") else "fails",
        )
        yield Case(
            "a file where the folder should be",
            command,
            arguments=("--data", "taken"),
            prepare=lambda folder: (folder / "taken").touch(),
            expect="either" if command in ("runs", "trace") else "fails",
        )
        yield Case(
            "a link that leads nowhere",
            command,
            arguments=("--data", "dangling"),
            prepare=lambda folder: (folder / "dangling").symlink_to("/nonexistent/x"),
            expect="either" if command in ("runs", "trace") else "fails",
        )
    for command in CHAIN:
        yield Case("data/ is a link to another disk", command, prepare=_to_another_disk)


def _to_another_disk(folder: Path) -> None:
    away = Path("/dev/shm")
    if not (away.is_dir() and os.access(away, os.W_OK)):
        away = folder.parent
    target = Path(tempfile.mkdtemp(dir=away, prefix="digits-"))
    if (folder / "data").exists():
        shutil.copytree(folder / "data", target, dirs_exist_ok=True)
        shutil.rmtree(folder / "data")
    (folder / "data").symlink_to(target)


def homes() -> Iterator[Case]:
    """No home, or none that can be written."""
    for command in ("download", "train", "report", "compare", "submit", "summary", "notebook"):
        row = "no home, or none that can be written"
        yield Case(row, command, "HOME=/nonexistent", variables={"HOME": "/nonexistent"})
        yield Case(row, command, "HOME=/proc", variables={"HOME": "/proc"})
        yield Case(
            row, command, "no HOME, an unknown user", variables={"HOME": None}, user="stranger"
        )


def clocks() -> Iterator[Case]:
    """Another time of day."""
    for command in (*CHAIN, "report", "notebook", "submit"):
        for label, years in (("1971", -55), ("next century", 80)):
            yield Case("a clock set wrong", command, label, child={"clock": years * YEAR})
    for command in CHAIN[1:]:
        for label, seconds in (("1970", 1), ("2100", 4_102_444_800)):
            yield Case("files from the past and the future", command, label, prepare=_date(seconds))


def _date(seconds: int) -> Callable[[Path], None]:
    def date(folder: Path) -> None:
        for path in folder.rglob("*"):
            os.utime(path, (seconds, seconds))

    return date


def locales() -> Iterator[Case]:
    """Terminals that know few letters, and numbers with commas."""
    for command in COMMANDS:
        yield Case("a locale of ASCII alone", command, variables=ASCII)
    for command in ("train", "summary", "report", "trace", "runs"):
        yield Case("a locale of ASCII alone", command, "ümläut", variables=ASCII, place="ümläut 数")
        yield Case(
            "a terminal of ASCII alone", command, variables={"PYTHONIOENCODING": "ascii"}, place="ü"
        )
        yield Case("a locale with commas", command, child={"comma": True})
        for locale in ("de_DE.UTF-8", "tr_TR.UTF-8"):
            yield Case("a locale with commas", command, locale, variables={"LC_ALL": locale})


def masks() -> Iterator[Case]:
    """What the umask asks for."""
    for command in (*CHAIN, "report", "notebook", "look", "submit"):
        for mask in (0o077, 0o000, 0o027):
            yield Case(
                "another umask",
                command,
                f"{mask:03o}",
                f'umask {mask:03o}; touch .begin; exec "$@"',
                check=_modes(mask),
            )


def _modes(mask: int) -> Callable[[Path], list[str]]:
    def check(folder: Path) -> list[str]:
        began = (folder / ".begin").stat().st_ctime_ns
        written = [
            path
            for path in folder.rglob("*")
            if path.is_file() and not path.name.startswith(".") and path.stat().st_mtime_ns > began
        ]
        wrong = [path for path in written if path.stat().st_mode & 0o777 & mask]
        faults = [f"{path.name} has mode {path.stat().st_mode & 0o777:03o}" for path in wrong]
        return faults if written else ["it wrote nothing"]

    return check


def streams() -> Iterator[Case]:
    """Standard input, output and error that are closed, full, or read by nobody."""
    commands = (*CHAIN, "report", "errors", "runs", "trace", "look", "submit")
    for command in commands:
        for label in (">&-", "2>&-", "<&-", "<&- >&- 2>&-"):
            yield Case("closed streams", command, f"`{label}`", f'exec "$@" {label}')
        yield Case(
            "a full disk behind the output",
            command,
            shell='exec "$@" >/dev/full',
            expect="fails",
            says=("No space left",),
        )
        yield Case(
            "a reader that has seen enough (`| head -1`)",
            command,
            shell='{ "$@"; echo $? >.code; } | head -1; exit $(cat .code)',
            expect="is silent",
        )
