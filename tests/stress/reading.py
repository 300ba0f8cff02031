"""Bad input: every reader is given many thousand files that nobody should have written."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.practice_case import REPOSITORY, environment
from tests.stress.fuzzing import Tally
from tests.stress.readers import READERS
from tests.stress.table import Table

PROCESSES = 2
INPUTS = 1_100  # of each reader, in each of the two ways
# Readers that take little time are given more of them.
QUICK = 2_600
QUICK_READERS = (
    *("test.csv", "submission CSV", "sample_submission.csv", "history.csv"),
    *("zip, extracted", "zip, downloaded", "recipe of an ensemble", "model.npz"),
    *("Kaggle's answer", "kaggle.json", "access_token"),
)
LONGEST_SECONDS = 900
NO_ATHERIS = "not tried: atheris is not installed (make stress installs it where there is one)"


@dataclass(frozen=True)
class _Job:
    """One reader in one way.  way: "any" or "guided"."""

    reader: str
    way: str
    count: int


def reading(folder: Path, *, seed: int, tell: Callable[[str], None]) -> Table:
    """Try every reader; see the protocol ``Part``."""
    ways = ["any", *(["guided"] if importlib.util.find_spec("atheris") else [])]
    jobs = [
        _Job(name, way, QUICK if name in QUICK_READERS else INPUTS)
        for name in READERS
        for way in ways
    ]
    with ThreadPoolExecutor(PROCESSES) as pool:
        run = partial(_run, folder=folder, seed=seed, tell=tell)
        tallies = dict(zip(jobs, pool.map(run, jobs), strict=True))
    return _table(tallies, guided=len(ways) > 1)


def _run(job: _Job, *, folder: Path, seed: int, tell: Callable[[str], None]) -> Tally:
    """Run a job in a process of its own, which may die without harm."""
    place = folder / f"{list(READERS).index(job.reader)}-{job.way}"
    place.mkdir()
    result = folder / f"{place.name}.json"
    arguments = (job.reader, job.way, str(job.count), str(seed), str(place), str(result))
    command = [sys.executable, "-m", "tests.stress.guided", *arguments]
    log = folder / f"{place.name}.txt"
    how = ""
    with log.open("wb") as output:
        try:
            ended = subprocess.run(
                command,
                cwd=REPOSITORY,
                env=environment(PYTHONPATH=str(REPOSITORY), HOME=str(place)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=LONGEST_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            how = f"was not through after {LONGEST_SECONDS} s"
        else:
            how = f"ended with exit code {ended}" if ended else ""
    tally = Tally(**json.loads(result.read_bytes())) if result.exists() else Tally()
    if how or tally.tried < job.count:
        last = log.read_text(encoding="utf-8", errors="replace").strip().split("\n")[-1]
        tally.note(
            f"the process {how or 'ended early'} after {tally.tried} inputs: {last[:200]}", ""
        )
    tell(
        f"{job.reader} ({job.way}): {tally.tried:,} inputs, {tally.accepted:,} accepted, "
        f"{len(tally.defects)} defects"
    )
    return tally


def _table(tallies: dict[_Job, Tally], *, guided: bool) -> Table:
    rows, failures = [], []
    total, of_guided = Tally(), 0
    for name in READERS:
        ways = {job.way: tally for job, tally in tallies.items() if job.reader == name}
        both = Tally()
        for tally in ways.values():
            both.add(tally)
        total.add(both)
        of_guided += ways["guided"].tried if guided else 0
        counts = f"{ways['any'].tried:,} + " + (f"{ways['guided'].tried:,}" if guided else "0")
        rows.append(
            (
                name,
                counts,
                f"{both.accepted:,}",
                f"{both.refused:,}",
                f"{1000 * both.slowest_seconds:.0f}",
                f"{both.most_megabytes:.0f}",
                str(len(both.defects)),
            )
        )
        failures += [
            f"{name}: {kind} ({len(data) // 2:,} bytes{_shown(data)})"
            for kind, data in both.defects.items()
        ]
    how = f"{of_guided:,} of them guided by coverage" if guided else f"guided ones {NO_ATHERIS}"
    summary = (
        f"{total.tried:,} inputs for {len(READERS)} readers, {how}: {total.accepted:,} were "
        f"accepted, and what was read was compared with another way of reading; "
        f"{total.refused:,} were refused with a line; {len(failures)} did anything else."
    )
    columns = ("reader", "inputs", "accepted", "refused", "slowest, ms", "most memory, MB", "else")
    return Table(summary, columns, rows, failures)


def _shown(data: str) -> str:
    return f": {data}" if 0 < len(data) <= 400 else ""
