"""A disk that fills, and signals that come, at one instant after another of each command."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.practice_case import environment
from tests.stress.machine import (
    COMMANDS,
    SECONDS,
    Machine,
    Outcome,
    faults_of_an_error,
    kaggle_for,
    litter,
    variables_of,
)
from tests.stress.trial import Tried
from tests.stress.warm import Warm

# What the system says of each, and what the pipeline adds.
SAYS = {
    "ENOSPC": ("No space left", "Free some space"),
    "EDQUOT": ("quota exceeded", "Free some space"),
    "EIO": ("Input/output error", "The disk may be failing"),
    "EROFS": ("Read-only file system", "Give yourself the permission"),
}
ENDED = {
    signal.SIGINT: {0, 130, -signal.SIGINT},  # the last, while Python itself begins or ends
    signal.SIGTERM: {0, -signal.SIGTERM},
    signal.SIGHUP: {0, -signal.SIGHUP},
}


def refused_changes(
    machine: Machine, warm: Warm, command: str, error: str, folder: Path, *, every: int = 1
) -> Iterator[Tried]:
    """From the first, the second, the third ... change of a file or folder on, all are refused."""
    at, seen = 1, folder / "seen"
    while True:
        work = machine.start(command, folder / str(at) / "work")
        fail = {"at": at, "errno_name": error, "under": str(work), "seen": str(seen)}
        with kaggle_for(command) as kaggle:
            outcome = warm.run(work, COMMANDS[command], {"fail": fail}, **kaggle)
            if int(seen.read_text(encoding="ascii")) < at:
                break  # the command makes no so many changes
            faults = faults_of_an_error(outcome, *SAYS[error]) if outcome.code else []
            faults += machine.faults_after_a_failure(command, work)
            faults += litter(work) if error == "ENOSPC" else []  # else removing fails as well
            faults += _once_more(machine, warm, command, work, kaggle)
            # A picture lies among the user's own files, where nothing is cleared up later.
            faults += litter(work) if command != "look" or error == "ENOSPC" else []
        yield Tried(f"{SAYS[error][0]}, at every write", command, f"at {at}", faults, outcome.err)
        shutil.rmtree(work.parent)
        at += every


def signals(
    machine: Machine, warm: Warm, command: str, folder: Path, *, tries: int, seed: int
) -> Iterator[Tried]:
    """A signal at a random instant: Ctrl-C, also twice, a request to end, a closed terminal."""
    chance = random.Random(f"{seed} {command}")
    began = time.monotonic()
    work = machine.start(command, folder / "undisturbed" / "work")
    with kaggle_for(command) as kaggle:
        warm.run(work, COMMANDS[command], None, **kaggle)
    seconds = time.monotonic() - began
    for number in range(tries):
        kind = list(ENDED)[number % len(ENDED)]
        work = machine.start(command, folder / str(number) / "work")
        with kaggle_for(command) as kaggle:
            process = warm.start(work, COMMANDS[command], None, **kaggle)
            time.sleep(chance.uniform(0, seconds))
            send = os.killpg if chance.random() < 0.5 else os.kill
            for _ in range(2 if kind == signal.SIGINT and chance.random() < 0.5 else 1):
                with contextlib.suppress(ProcessLookupError):
                    send(process, kind)
                time.sleep(0.005)
            outcome = warm.end()
            faults = _faults_of_a_signal(outcome, kind) + _left_over(process)
            faults += machine.faults_after_a_failure(command, work)
            faults += _once_more(machine, warm, command, work, kaggle) + litter(work)
        yield Tried(f"{kind.name} at any instant", command, f"try {number}", faults, outcome.err)
        shutil.rmtree(work.parent)


def _faults_of_a_signal(outcome: Outcome, kind: signal.Signals) -> list[str]:
    said = outcome.err.strip()
    if outcome.code not in ENDED[kind]:
        return [f"exit code {outcome.code} after {kind.name}, and it said {said[-600:]!r}"]
    allowed = {""}
    if outcome.code:  # silent at most while Python itself begins
        word = "Interrupted" if kind == signal.SIGINT else "Terminated"
        allowed = {f"{word}. The same command goes on from here."}
        allowed |= {""} if outcome.code < 0 else set()
    return [] if said in allowed else [f"it said {said[-600:]!r}"]


def _left_over(process: int) -> list[str]:
    """Workers that are still there some seconds after the command ended."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            os.killpg(process, 0)
        except ProcessLookupError:
            return []
        time.sleep(0.05)
    return ["it left a worker process"]


def _once_more(
    machine: Machine, warm: Warm, command: str, work: Path, kaggle: dict[str, str]
) -> list[str]:
    """The same command, with nothing in its way, must end as if nothing had been."""
    again = warm.run(work, COMMANDS[command], None, **kaggle)
    if again.code and not (command == "submit" and "sent before" in again.err):
        return [f"the same command then said {again.err[-600:]!r}"]
    return machine.faults_at_the_end(command, work)


# $1: the folder with artefacts, $2: where they come from, $3: free kilobytes, $4: where to put what
# stands after the failure.  The rest is the command.
_ON_A_SMALL_DISK = """
set -e
mount -t tmpfs -o size=200m tmpfs "$1"
cp -a "$2/." "$1"
used=$(df -k --output=used "$1" | tail -1)
size=$((used + $3))
mount -o remount,size=$((size ? size : 4))k "$1"  # 0 means without a limit
place=$1; after=$4; shift 4
cd "$place"
code=0; "$@" >&3 || code=$?
cp -a . "$after"
mount -o remount,size=200m "$place"
"$@" >&3 2>"$after/.again" || echo "exit code $?" >>"$after/.again"
find . -mindepth 1 -name '.*' -prune -o -type f -print | tar -cf "$after/.end.tar" -T -
exit $code
"""


def can_mount() -> bool:
    """Whether this process may make a disk of its own, which ends with it."""
    if not sys.platform.startswith("linux") or os.geteuid() or not shutil.which("unshare"):
        return False
    test = 'mount -t tmpfs -o size=100k tmpfs "$1"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", test, "sh", "/mnt"], check=False, capture_output=True
    )
    return done.returncode == 0


def small_disk(machine: Machine, command: str, kilobytes: int, folder: Path) -> Tried:
    """The command on a disk with so much free space, where it also keeps temporary files."""
    source = machine.start(command, folder / "source" / "work", linked=False)
    disk, after = folder / "disk" / "work", folder / "after" / "work"
    for path in (disk, after, folder / "end"):
        path.mkdir(parents=True)
    variables = variables_of(disk) | {"TMPDIR": str(disk), "HOME": str(machine.folder / "home")}
    with kaggle_for(command) as kaggle:
        done = subprocess.run(
            [
                *("unshare", "--mount", "sh", "-c", f"exec 3>/dev/null\n{_ON_A_SMALL_DISK}", "sh"),
                *(str(disk), str(source), str(kilobytes), str(after)),
                *(sys.executable, "-m", "pipeline", *COMMANDS[command]),
            ],
            env=environment(**(variables | kaggle)),
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
        )
    outcome = Outcome(done.returncode, "", done.stderr.decode(errors="replace"))
    faults = faults_of_an_error(outcome, "No space left", "Free some") if outcome.code else []
    if not outcome.code and outcome.err.strip():
        faults = [f"it said {outcome.err[-600:]!r}"]
    again = (after / ".again").read_text(encoding="utf-8", errors="replace")
    if again and not (command == "submit" and "sent before" in again):
        faults.append(f"the same command then said {again[-600:]!r}")
    faults += machine.faults_after_a_failure(command, after) + litter(after)
    subprocess.run(["tar", "-xf", after / ".end.tar", "-C", folder / "end"], check=True)
    faults += machine.faults_at_the_end(command, folder / "end")
    shutil.rmtree(folder)
    row = "a disk that is full (tmpfs)"
    return Tried(row, command, f"{kilobytes} KB free", faults, outcome.err)
