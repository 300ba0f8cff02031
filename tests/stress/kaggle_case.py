"""A command in a folder of its own that talks to the stand-in for Kaggle, and all it leaves."""

import contextlib
import copy
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from unittest.mock import patch

import numpy as np
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.kaggle.limits import Limits
from pipeline.kaggle.submission_csv import COMPETITION_ROWS, write_submission
from pipeline.plan.plan import make_plan
from pipeline.runs.ledger import read_ledger
from pipeline.runs.sending import UNKNOWN_FOR
from pipeline.stages.notebook import notebook
from pipeline.system import files
from tests.kaggle_api import SECRETS, TOKEN, Failure, Kaggle
from tests.kaggle_server import KaggleServer
from tests.practice_case import REPOSITORY, environment

RUN = "kaggle-mlp"
Command = Literal["download", "submit", "push"]
COMMANDS: dict[Command, list[str]] = {
    "download": ["download", "--source", "kaggle", "--force"],
    "submit": ["submit", "--run", RUN, "--timeout", "1.5"],
    "push": ["push", "--source", "practice", "--recipe", "smoke"],
}
PROXY_PASSWORD = "planted-proxy-password-0123456789"
HIDDEN = (*SECRETS, PROXY_PASSWORD)
# The command line as it is, only with less patience: else every stall would take minutes.
IMPATIENT = Limits(
    connect_seconds=2,
    read_seconds=2,
    answer_seconds=4,
    download_seconds=6,
    attempts=3,
    first_pause_seconds=0.01,
    longest_pause_seconds=2,
    first_poll_seconds=0.01,
    longest_poll_seconds=0.02,
)
STARTER = f"""
from pipeline.kaggle import client
from pipeline.kaggle.limits import Limits
client.LIMITS = {IMPATIENT}
from pipeline.cli import main
main(prog_name="digits")
"""
Done = subprocess.CompletedProcess[str]
Run = Callable[[list[str], Path, dict[str, str]], Done]
LONGEST_SECONDS = 60.0
LONGEST_LINE = 1_000


@dataclass(frozen=True)
class Case:
    """One thing that goes wrong, and all that is expected to come of it.

    fault: in words.  at: the request that fails.  times: how often.
    says: a regular expression; the message on standard error begins with it.
    requests: how many of each kind the server sees, of those that are named.
    ledger: the statuses of the submissions afterwards.
    stands: what the folder holds afterwards: as it was, or what a success writes.
    sent: how many submissions Kaggle has in the end, when the command was given again.
    kaggle: settings of the stand-in.  variables: of the environment.
    """

    fault: str
    command: Command
    at: str
    failure: Failure | None
    says: str
    times: int = 1_000
    exit_code: int = 1
    requests: Mapping[str, int] = field(default_factory=dict)
    ledger: tuple[str, ...] = ()
    sent: int = 1
    kaggle: Mapping[str, object] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """What came of a case: cells of the table, and what did not hold."""

    seen: str
    exit_code: int
    requests: str
    disk: str
    faults: list[str]


def prepare(folder: Path, competition_zip: Path) -> None:
    """Lay out what every case begins with: earlier raw data, a CSV to submit, a notebook."""
    plan = make_plan(
        source="practice",
        recipe="smoke",
        data=folder / "data",
        submissions=folder / "submissions",
        environment={},
    )
    notebook(plan)
    raw = plan.workspace.raw("kaggle")
    raw.folder.mkdir(parents=True)
    for path in (raw.train, raw.test):
        path.write_text("what stood here before\n")
    plan.workspace.submissions.mkdir()
    csv = plan.workspace.submission(RUN)
    write_submission(csv, [number % 10 for number in range(COMPETITION_ROWS)])
    record = {
        "stage": "submission",
        "inputs": {"model": "e" * 64},
        "run": RUN,
        "csv_sha256": files.sha256(csv),
        "rows": COMPETITION_ROWS,
        "recipe": "mlp",
        "seed": 7,
        "source": "kaggle",
        "kind": "competition",
        "test_csv": {"sha256": "0", "bytes": 51_118_296, "rows": COMPETITION_ROWS},
        "commit": "0123456789abcdef",
        "dirty": False,
        "hold_out": {"accuracy": 0.9861, "low": 0.984, "high": 0.988, "rows": 4200},
    }
    files.write_json(plan.workspace.submission_record(RUN), record)
    shutil.copyfile(competition_zip, folder / "competition.zip")


def competition_zip(folder: Path) -> Path:
    """As many rows as the competition has, of a few rows of noise over and over again."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 255, (64, 784)) * (rng.random((64, 784)) < 0.15)
    rows = [",".join(map(str, row)) + "\n" for row in pixels]
    header = ",".join(f"pixel{number}" for number in range(784)) + "\n"
    train = "".join(f"1,{rows[number % 64]}" for number in range(42_000))
    test = "".join(rows[number % 64] for number in range(COMPETITION_ROWS))
    ids = "".join(f"{image_id},0\n" for image_id in range(1, COMPETITION_ROWS + 1))
    path = folder / "competition.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("train.csv", f"label,{header}{train}")
        packed.writestr("test.csv", header + test)
        packed.writestr("sample_submission.csv", f"ImageId,Label\n{ids}")
    return path


def as_process(arguments: list[str], folder: Path, variables: dict[str, str]) -> Done:
    """Run a command of the pipeline as people do."""
    return subprocess.run(
        [sys.executable, "-c", STARTER, *arguments],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=3 * LONGEST_SECONDS,
    )


def in_this_process(arguments: list[str], folder: Path, variables: dict[str, str]) -> Done:
    """Run it without a start of Python and its packages, and with even less patience."""
    impatient = replace(IMPATIENT, read_seconds=2, answer_seconds=4, download_seconds=4)
    with (
        patch.dict(os.environ, variables, clear=True),
        patch("pipeline.kaggle.client.LIMITS", impatient),
        contextlib.chdir(folder),
    ):
        result = CliRunner().invoke(main, arguments, prog_name="digits")
    return Done(arguments, result.exit_code, result.stdout, result.stderr)


def run_case(case: Case, prepared: Path, run: Run) -> Outcome:
    """Run the case's command in a copy of what was prepared, and compare all there is with it."""
    with tempfile.TemporaryDirectory(prefix="case-") as name, KaggleServer() as server:
        folder = Path(name)
        for part in ("data", "submissions"):
            shutil.copytree(prepared / part, folder / part)
        (folder / "home").mkdir()
        (folder / "temporary").mkdir()
        kaggle = server.kaggle
        kaggle.competition_zip = prepared / "competition.zip"
        for setting, value in case.kaggle.items():
            setattr(kaggle, setting, copy.deepcopy(value))
        if case.failure is not None:
            kaggle.fail(case.at, case.failure, case.times)
        before = snapshot(folder)
        begun = time.monotonic()
        done = _run(case.command, folder, server, case.variables, run)
        seconds = time.monotonic() - begun
        faults = list(_faults(case, done, kaggle))
        if seconds > LONGEST_SECONDS:
            faults.append(f"took {seconds:.0f} s")
        disk = _compare_disk(case, folder, before, faults)
        counts = Counter(seen.method for seen in kaggle.seen)
        if case.command == "submit":
            _submit_again(case, folder, server, faults, run)
    first = (done.stderr.strip() or done.stdout.strip().splitlines()[-1]).splitlines()[0]
    told = ", ".join(f"{count} {method}" for method, count in counts.items())
    return Outcome(first, done.returncode, told, disk, faults)


def _run(
    command: Command, folder: Path, server: KaggleServer, variables: Mapping[str, str], run: Run
) -> Done:
    """Run a command with the stand-in for a proxy, a token, and nothing of this environment."""
    proxy = f"http://someone:{PROXY_PASSWORD}@127.0.0.1:{server.server_port}"
    given = server.environment | {
        "http_proxy": proxy,
        "KAGGLE_API_TOKEN": TOKEN,
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "temporary"),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": "error",
        "DIGITS_KAGGLE_INPUT": str(folder / "no-kaggle-input"),
    }
    kept = {
        name: value
        for name, value in environment().items()
        if not name.lower().endswith("_proxy") and not name.startswith("KAGGLE_")
    }
    return run(COMMANDS[command], folder, {**kept, **given, **variables})


def snapshot(folder: Path) -> dict[str, str]:
    """The checksum of every file, apart from locks, which are empty and stay."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }


def _faults(case: Case, done: Done, kaggle: Kaggle) -> Iterator[str]:
    if done.returncode != case.exit_code:
        yield f"exit code {done.returncode} instead of {case.exit_code}: {done.stderr[-300:]}"
    said = done.stderr if case.exit_code else done.stdout
    if not re.search(case.says, said, re.DOTALL):
        yield f"says {said[-400:]!r}, not {case.says!r}"
    if case.exit_code and not 1 <= len(done.stderr.splitlines()) <= 2:
        yield f"{len(done.stderr.splitlines())} lines of error"
    yield from unsafe(done.stdout + done.stderr)
    for seen in kaggle.seen:
        if seen.host != "localhost" and (seen.authorization or TOKEN in str(seen.body)):
            yield f"credentials went to {seen.host} ({seen.method})"
    for method, count in ({"CreateSubmission": -1, "SaveKernel": -1} | dict(case.requests)).items():
        found = kaggle.count(method)
        if found != count and (count >= 0 or found > 1):
            yield f"{found} {method} instead of {max(count, 1)}"


def unsafe(shown: str) -> Iterator[str]:
    """What is wrong with a text that a person sees, whatever it is about."""
    if "Traceback" in shown:
        yield "a traceback"
    if not shown.replace("\n", "").isprintable():
        yield "characters that a terminal may obey"
    if any(len(line) > LONGEST_LINE for line in shown.splitlines()):
        yield f"a line of more than {LONGEST_LINE} characters"
    if leaked := [secret for secret in HIDDEN if secret in shown]:
        yield f"shows {leaked}"


def _compare_disk(case: Case, folder: Path, before: dict[str, str], faults: list[str]) -> str:
    after = snapshot(folder)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    expected: set[str] = set()
    if case.command == "submit":
        ledger = folder / "submissions" / "ledger.jsonl"
        statuses = tuple(line.status for line in read_ledger(ledger))
        if statuses != case.ledger:
            faults.append(f"ledger: {statuses} instead of {case.ledger}")
        expected = {"submissions/ledger.jsonl"} if case.ledger else set()
    elif case.command == "push":
        # Whose notebook it is, Kaggle has told before it refused.
        expected = {name for name in changed if name.endswith("/kernel-metadata.json")}
        if case.exit_code == 0:
            expected |= {name for name in changed if name.endswith("/push.json")}
    elif case.exit_code == 0:
        files_ = ("train.csv", "test.csv", "sample_submission.csv", "manifest.json")
        expected = {f"data/raw/kaggle/{name}" for name in files_}
    if changed != expected:
        faults.append(f"files changed: {sorted(changed ^ expected)}")
    if case.command == "submit":
        return f"ledger: {', '.join(case.ledger) or 'none'}"
    return "as it was" if case.exit_code else "all of it new"


def _submit_again(
    case: Case, folder: Path, server: KaggleServer, faults: list[str], run: Run
) -> None:
    """The trouble is over: the same command ends well, and Kaggle has one submission.

    It comes half an hour later, when what Kaggle's list does not show has never arrived.
    """
    server.kaggle.clock_ahead_seconds = UNKNOWN_FOR.total_seconds() + 1
    server.kaggle.failures.clear()
    server.kaggle.polls, server.kaggle.unlisted = 1, 0
    server.kaggle.allowed, server.kaggle.gives_ref, server.kaggle.error = 10, True, ""
    server.kaggle.public_score = "0.98714"
    done = _run("submit", folder, server, {}, run)
    refused = "was sent before" in done.stderr
    if done.returncode != 0 and not refused:
        faults.append(f"the same command again: {(done.stderr or done.stdout)[-300:]}")
    if (sent := len(server.kaggle.submissions)) != case.sent:
        faults.append(f"{sent} submissions at Kaggle instead of {case.sent}")
