"""A case as data: a command, what is wrong with the machine, and what must come of it."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.practice_case import REPOSITORY, environment
from tests.stress.machine import (
    COMMANDS,
    SECONDS,
    Machine,
    Outcome,
    faults_of_an_error,
    kaggle_for,
    litter,
    run,
    variables_of,
)

STRANGER = 4_242_424
ROOT = os.geteuid() == 0
# Root without what lets it pass by permissions.
BOUND = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if ROOT else []


def _nothing(folder: Path) -> None:
    """Leave the folder as it is."""


@dataclass(frozen=True)
class Case:
    """One try.

    condition: its row in the table.  label: what is special about this one.
    shell: how a shell starts the command, "$@": with limits, redirections, another umask.
    child: what tests.stress.child does to the process.  variables: added to the environment; None
    takes one away.  prepare, mend: change the trial's folder before, and before the second time.
    expect: "fails" with exit code 1 and a line or two; "works" without a word on standard error;
    "either", as where a limit is reached only in the middle of some commands; "is silent", whether
    it works, or ends with 1 because nobody listens.
    says: in the error.  place: the name of the trial's folder.
    user: "bound" by permissions, as everybody but root is; or a "stranger", whom the machine does
    not know by name.
    check: what else did not hold, before ``mend``.
    """

    condition: str
    command: str
    label: str = ""
    shell: str = 'exec "$@"'
    child: Mapping[str, Any] | None = None
    variables: Mapping[str, str | None] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    prepare: Callable[[Path], None] = _nothing
    mend: Callable[[Path], None] = _nothing
    expect: Literal["fails", "works", "either", "is silent"] = "works"
    says: tuple[str, ...] = ()
    user: Literal["bound", "stranger"] | None = None
    place: str = "folder"
    check: Callable[[Path], list[str]] = lambda _: []

    @property
    def name(self) -> str:
        return " ".join(["digits", self.command, *self.arguments, f"({self.label})"])


@dataclass(frozen=True)
class Tried:
    """What came of one try.  condition, label: as of a Case.  said: on standard error."""

    condition: str
    command: str
    label: str
    faults: Sequence[str]
    said: str


def attempt(
    machine: Machine, case: Case, folder: Path, again: Callable[..., Outcome] = run
) -> tuple[list[str], str]:
    """Try a case in a folder of its own; return what did not hold, and what the user saw.

    again: how the command is run once more, undisturbed.
    """
    work = machine.start(case.command, folder / case.place, linked=case.user is None)
    if case.user == "stranger":
        _give_away(work)
    with kaggle_for(case.command) as kaggle:
        case.prepare(work)
        outcome = _run(case, work, kaggle)
        faults = case.check(work) + _faults(case, outcome)
        case.mend(work)
        if case.arguments:
            return faults, outcome.err
        if outcome.code:
            faults += machine.faults_after_a_failure(case.command, work) + litter(work)
            then = again(work, COMMANDS[case.command], None, **kaggle)
            sent = case.command == "submit" and "sent before" in then.err
            if then.code and not sent:
                faults.append(f"the same command then said {then.err!r}")
        faults += machine.faults_at_the_end(case.command, work)
    shutil.rmtree(folder, ignore_errors=True)
    return faults, outcome.err


def _run(case: Case, work: Path, kaggle: Mapping[str, str]) -> Outcome:
    given = variables_of(work) | dict(kaggle) | dict(case.variables)
    variables = environment(**{k: v for k, v in given.items() if v is not None})
    for name, value in case.variables.items():
        if value is None:
            variables.pop(name, None)
    child = ["tests.stress.child", json.dumps(case.child)] if case.child else ["pipeline"]
    command = [sys.executable, "-m", *child, *COMMANDS[case.command], *case.arguments]
    done = subprocess.run(
        [*(BOUND if case.user == "bound" else []), "sh", "-c", case.shell, "sh", *command],
        cwd=work,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=SECONDS,
        user=STRANGER if case.user == "stranger" else None,
        group=STRANGER if case.user == "stranger" else None,
        extra_groups=[] if case.user == "stranger" else None,
    )
    out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    return Outcome(done.returncode, out, err)


def _faults(case: Case, outcome: Outcome) -> list[str]:
    if case.expect == "is silent" and outcome.code == 1 and not outcome.err:
        return []
    if case.expect == "fails" or (case.expect == "either" and outcome.code):
        return faults_of_an_error(outcome, *case.says)
    if outcome.code or outcome.err.strip():
        return [f"exit code {outcome.code}, and it said {outcome.err[-600:]!r}"]
    return []


def _give_away(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


def can_be_tried(case: Case) -> bool:
    """Whether this machine has what the case needs."""
    if case.user == "bound":
        return not ROOT or shutil.which("setpriv") is not None
    if case.user == "stranger":
        interpreter = Path(sys.executable).resolve()
        ours = (interpreter, *interpreter.parents, REPOSITORY, *REPOSITORY.parents)
        return ROOT and all(path.stat().st_mode & 0o001 for path in ours if path != REPOSITORY)
    return True


def close(*names: str, mode: int = 0o222) -> Callable[[Path], None]:
    """Take these permissions away, of files and folders and all below them.

    A folder that the command itself would make is there then, and closed.
    """

    def take(folder: Path) -> None:
        for name in names:
            if not (folder / name).exists():
                (folder / name).mkdir(parents=True)
        for path in _below(folder, names):
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~mode)

    return take


def reopen(*names: str) -> Callable[[Path], None]:
    """Give their owner all permissions back."""

    def give(folder: Path) -> None:
        for path in _below(folder, names):
            path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o600 | 0o100 * path.is_dir())

    return give


def _below(folder: Path, names: tuple[str, ...]) -> list[Path]:
    tops = [folder / name for name in names]
    return [path for top in tops for path in (top, *sorted(top.rglob("*"))) if path.exists()]
