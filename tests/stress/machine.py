"""The pipeline's commands on practice digits, from snapshots of what stands before each of them.

A trial runs one command under a condition and says what did not hold: the line that the user
sees, the exit code, the files, and that the same command then ends as if nothing had happened.
"""

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.kaggle.submission_csv import COMPETITION_ROWS, write_submission
from pipeline.runs.ledger import read_ledger
from pipeline.system import files
from tests.kaggle_api import TOKEN
from tests.kaggle_server import KaggleServer
from tests.practice_case import REPOSITORY, copy_quickly, environment, temporaries

SECONDS = 600
SENT = "kaggle-mlp"
RUN = "practice-smoke"
# The first stages in order, each from what the ones before it left behind.
CHAIN = ("download", "preprocess", "train", "validate", "submission", "summary")
# Run where everything is there; ``submit`` with a CSV of the competition's length.
OTHERS: dict[str, tuple[str, ...]] = {
    "all": ("all", "--force"),
    "report": ("report",),
    "compare": ("compare", RUN, f"{RUN}-seed1"),
    "blend": ("blend", RUN, f"{RUN}-seed1"),
    "look": ("look", "3", "--save", "digit.png"),
    "errors": ("errors", "--as", "3"),
    "predict": ("predict", "picture.png"),
    "notebook": ("notebook",),
    "reproduce": ("reproduce", RUN),
    "runs": ("runs",),
    "trace": ("trace", RUN),
    "check": ("check", f"submissions/{RUN}.csv", "--rows", "2000"),
    "submit": ("submit", "--run", SENT, "--source", "kaggle"),
}
COMMANDS: dict[str, tuple[str, ...]] = {name: (name,) for name in CHAIN} | OTHERS
WRITING = (
    *CHAIN,
    "all",
    "report",
    "compare",
    "blend",
    "look",
    "notebook",
    "reproduce",
    "submit",
)

_VOLATILE = {
    *(
        "seconds",
        "images_per_second",
        "finished_at",
        "downloaded_at",
        "sent_at",
        "asked_at",
        "written_at",
    ),
    *("environment", "hold_out_seconds", "ref", "message"),
    "history.csv",  # whose checksum is that of times, too
}
_VOLATILE_COLUMNS = ("images_per_second", "seconds")
State = dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """How a process ended and what it said."""

    code: int
    out: str
    err: str


def state(folder: Path) -> State:
    """What each artefact below a folder says, times and speeds apart."""
    # Python's own rglob passes by what a link leads to.
    below = (
        Path(place) / name
        for place, _, names in os.walk(folder, followlinks=True)
        for name in names
    )
    return {
        str(path.relative_to(folder)): _digest(path)
        for path in sorted(below)
        if _is_artefact(path, folder)
    }


def _is_artefact(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    hidden = any(part.startswith(".") for part in parts)
    return not hidden and parts[0] not in ("pipeline", "home") and path.suffix != ".pyc"


def _digest(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".npz":
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = [(name, stored[name].tobytes()) for name in sorted(stored.files)]
        if path.name.endswith("checkpoint.npz"):
            return "a checkpoint"
        content = b"".join(name.encode() + values for name, values in arrays)
    elif path.suffix in (".json", ".jsonl"):
        lines = content.decode().splitlines() if path.suffix == ".jsonl" else [content.decode()]
        content = json.dumps([_without_times(json.loads(line)) for line in lines]).encode()
    elif path.name == "history.csv":
        rows = list(csv.DictReader(io.StringIO(content.decode())))
        kept = [[v for k, v in row.items() if k not in _VOLATILE_COLUMNS] for row in rows]
        return "".join(f"{values}\n" for values in kept)
    elif path.suffix in (".html", ".md", ".toml", ".ipynb"):  # they tell times and speeds
        return "whole" if content.rstrip().endswith((b"</html>", b">", b"}", b"]", b'"')) else "cut"
    return hashlib.sha256(content).hexdigest()[:16]


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if key not in _VOLATILE}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


@dataclass
class Machine:
    """Snapshots, and what each command leaves behind when nothing disturbs it.

    run: how an undisturbed command is run, as a process of its own or a fork of a warm one.
    """

    folder: Path
    run: Callable[..., Outcome]
    before: dict[str, Path] = field(default_factory=dict)
    after: dict[str, State] = field(default_factory=dict)

    @classmethod
    def build(cls, folder: Path, run: Callable[..., Outcome]) -> "Machine":
        """Run every stage once, and keep what stood before each."""
        machine = cls(folder, run)
        work = folder / "build" / "work"
        work.mkdir(parents=True)
        (folder / "home").mkdir(exist_ok=True)
        for name in CHAIN:
            machine._keep(name, work)
            machine._do(work, name)
        machine._do(work, "train", "--seed", "1")
        for name in ("validate", "submission", "summary"):
            machine._do(work, name, "--seed", "1")
        machine._do(work, "look", "3", "--save", "picture.png")
        _put_competition_csv(work)
        machine._keep("done", work)
        return machine

    def _keep(self, name: str, work: Path) -> None:
        self.before[name] = self.folder / f"before-{name}"
        shutil.copytree(work, self.before[name], copy_function=copy_quickly)

    def _do(self, work: Path, *arguments: str) -> None:
        done = self.run(work, arguments)
        assert done.code == 0, done.err

    def start(self, command: str, folder: Path, *, linked: bool = True) -> Path:
        """Make a folder in which the command is what comes next.

        linked: large files may be those of the snapshot, because nothing changes them in place.
        """
        folder.parent.mkdir(parents=True, exist_ok=True)
        copy = copy_quickly if linked else shutil.copy2
        snapshot = self.before.get(command, self.before["done"])
        shutil.copytree(snapshot, folder, copy_function=copy, dirs_exist_ok=True)
        return folder

    def expected(self, command: str) -> State:
        """What is there after the undisturbed command."""
        if command not in self.after:
            folder = self.start(command, self.folder / "after" / command)
            with kaggle_for(command) as variables:
                done = self.run(folder, COMMANDS[command], None, **variables)
            assert done.code == 0, done.err
            self.after[command] = state(folder)
        return self.after[command]

    def faults_after_a_failure(self, command: str, folder: Path) -> list[str]:
        """Files that are neither as before nor as they should be afterwards, and litter."""
        before = state(self.before.get(command, self.before["done"]))
        after, found = self.expected(command), state(folder)
        faults = [
            f"{name} is neither the old file nor the new one"
            for name, digest in found.items()
            if digest not in (before.get(name), after.get(name), "a checkpoint")
            # A second training is made there, and goes on there; its files are gone in the end.
            and not (name.startswith("data/reproductions/") and name not in after)
            and not _is_in_the_making(folder / name, digest, after.get(name, ""))
        ]
        return faults + [f"{name} is gone" for name in before if name not in found]

    def faults_at_the_end(self, command: str, folder: Path) -> list[str]:
        """What differs from the undisturbed command."""
        expected, found = self.expected(command), state(folder)
        names = expected.keys() | found.keys()
        return [
            f"{name} differs from an undisturbed run"
            for name in sorted(names)
            if expected.get(name) != found.get(name)
        ]


def _is_in_the_making(path: Path, digest: str, finished: str) -> bool:
    """Whether a file is between the old one and the new one, as it is to be at some time.

    The history of a training that was interrupted has whole lines, but not all; the ledger tells
    that a submission is being sent, or was not.
    """
    if path.name == "ledger.jsonl":
        return {line.status for line in read_ledger(path)} <= {"SENDING", "PENDING", "ERROR"}
    going_on = path.with_name("checkpoint.npz").exists()
    return going_on and path.name == "history.csv" and finished.startswith(digest)


def kaggle_for(command: str) -> "Kaggle":
    return Kaggle(command == "submit")


class Kaggle:
    """A stand-in for Kaggle of one's own where a command needs it; gives its variables."""

    def __init__(self, needed: bool) -> None:
        self.server = KaggleServer() if needed else None

    def __enter__(self) -> dict[str, str]:
        if self.server is None:
            return {}
        self.server.__enter__()
        return {"KAGGLE_API_TOKEN": TOKEN, **self.server.environment}

    def __exit__(self, *_: object) -> None:
        if self.server is not None:
            self.server.__exit__()


def variables_of(folder: Path) -> dict[str, str]:
    """The environment of a command in a trial's folder."""
    return {
        "PYTHONPATH": f"{folder}:{REPOSITORY}",
        "HOME": str(folder.parents[1] / "home"),
        "DIGITS_KAGGLE_INPUT": "/nonexistent",
        "DIGITS_SOURCE": "practice",
        "DIGITS_RECIPE": "smoke",
        "COLUMNS": "100",
    }


def run(
    folder: Path,
    arguments: tuple[str, ...],
    condition: Mapping[str, Any] | None = None,
    **variables: str,
) -> Outcome:
    """Run a command as a process to its end."""
    start = ["-m", "tests.stress.child", json.dumps(condition)] if condition else ["-m", "pipeline"]
    done = subprocess.run(
        [sys.executable, *start, *arguments],
        cwd=folder,
        env=environment(**(variables_of(folder) | variables)),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=SECONDS,
    )
    return Outcome(
        done.returncode, *(part.decode(errors="replace") for part in (done.stdout, done.stderr))
    )


def faults_of_an_error(outcome: Outcome, *texts: str) -> list[str]:
    """What is wrong with how a command failed: it must be one or two clear lines."""
    lines = [line for line in outcome.err.splitlines() if line.strip()]
    faults = []
    if outcome.code != 1:
        faults.append(f"exit code {outcome.code} instead of 1")
    if not lines or not lines[0].startswith("Error: ") or len(lines) > 2:
        faults.append(f"it said {outcome.err[-600:]!r}")
    if "Traceback" in outcome.err or "nexpected" in outcome.err:
        faults.append("a traceback, or its stand-in")
    faults += [f"it did not say {text!r}" for text in texts if text not in outcome.err]
    return faults


def litter(folder: Path) -> list[str]:
    """Temporary files that a command which was not killed left behind."""
    return [f"left {path.relative_to(folder)}" for path in temporaries(folder)]


def _put_competition_csv(work: Path) -> None:
    csv_file = work / "submissions" / f"{SENT}.csv"
    write_submission(csv_file, [number % 10 for number in range(COMPETITION_ROWS)])
    record = {
        "stage": "submission",
        "inputs": {"model": "e" * 64},
        "run": SENT,
        "csv_sha256": files.sha256(csv_file),
        "rows": COMPETITION_ROWS,
        "recipe": "mlp",
        "seed": 7,
        "source": "kaggle",
        "kind": "competition",
        "test_csv": {"sha256": "0", "bytes": 51_118_296, "rows": COMPETITION_ROWS},
        "commit": None,
        "dirty": None,
        "hold_out": {"accuracy": 0.9861, "low": 0.984, "high": 0.988, "rows": 4200},
    }
    files.write_json(work / "submissions" / f"{SENT}.json", record)
