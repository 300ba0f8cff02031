"""Two commands at once in one checkout: the second waits, says for whom, and ends as if alone."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.plan.plan import Plan, Source
from pipeline.recipes.file import find_recipe
from pipeline.system.locks import UNKNOWN
from tests.kaggle_api import TOKEN, Kaggle
from tests.kaggle_server import KaggleServer
from tests.make_case import TOOLS, Checkout, copy_checkout, copy_code
from tests.practice_case import environment
from tests.stress.snapshot import differences, left_behind, snapshot
from tests.stress.table import Table
from tests.submit_case import RUN, Case

AT_ONCE = 2
TRIES = 3  # to stop a command while it holds its lock
PATIENCE_SECONDS = 120
SILENCE_SECONDS = 90  # a second command that takes so long and says nothing has failed
GIVEN = ("SOURCE=practice", "RECIPE=smoke")
SENT = ("SOURCE=kaggle", f"RUN={RUN}")
BLEND = "RUNS=practice-smoke practice-smoke-seed1"


@dataclass(frozen=True)
class Pair:
    """Two commands; the first holds its lock when the second begins.

    Each is what one types after make.  without: artefacts that are not there yet.
    waits: whether the second has to.
    lock: the file that tells of the lock at which the first is stopped; any, unless the first
        takes several and the second needs but one of them.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    without: tuple[str, ...] = ()
    waits: bool = True
    lock: str = "*/**/.*.lock.json"

    def __str__(self) -> str:
        return f"{_typed(self.first)} | {_typed(self.second)}"


RUN_FOLDER = ("data/runs/practice-smoke",)
CSV = ("submissions/practice-smoke.csv", "submissions/practice-smoke.json")
TEST_DIGITS = ("data/runs/practice-smoke/test_probabilities.npy",)
ARRAYS = "data/processed/.practice.lock.json"
RUN_LOCK = "data/runs/.practice-smoke.lock.json"
CSV_LOCK = "submissions/.practice-smoke.csv.lock.json"
AGAIN = "FORCE=1"
# The same command twice.
TWICE = (
    Pair(("download",), ("download",), ("data/raw/practice",)),
    Pair(("preprocess",), ("preprocess",), ("data/processed/practice",)),
    Pair(("train",), ("train",), RUN_FOLDER),
    Pair(("train", "FOLDS=2"), ("train", "FOLDS=2")),
    Pair(("validate", AGAIN), ("validate", AGAIN)),
    Pair(("submission",), ("submission",), (*CSV, *TEST_DIGITS)),
    Pair(("report",), ("report",)),
    Pair(("blend", BLEND), ("blend", BLEND)),
    Pair(("compare", BLEND), ("compare", BLEND)),
    Pair(("reproduce", "RUN=practice-smoke"), ("reproduce", "RUN=practice-smoke")),
    Pair(("notebook",), ("notebook",)),
    Pair(("push",), ("push",)),
    Pair(("submit", *SENT), ("submit", *SENT)),
    Pair(("all",), ("all",), ("data/raw", "data/processed", *RUN_FOLDER, *CSV)),
)
# Commands that write the same things, or one that reads what the other writes.
BESIDE = (
    Pair(("download", AGAIN), ("preprocess", AGAIN)),
    Pair(("preprocess",), ("train",), ("data/processed/practice", *RUN_FOLDER), lock=ARRAYS),
    Pair(("preprocess", AGAIN), ("train", AGAIN), lock=ARRAYS),
    Pair(("preprocess", AGAIN), ("validate", AGAIN), lock=ARRAYS),
    Pair(("train",), ("validate",), RUN_FOLDER),
    Pair(("train",), ("all",), RUN_FOLDER),
    Pair(("train", AGAIN), ("validate", AGAIN)),
    Pair(("train", AGAIN), ("submission", AGAIN)),
    Pair(("train", AGAIN), ("report",)),
    Pair(("train", AGAIN), ("trace", "RUN=practice-smoke")),
    Pair(("train", AGAIN), ("blend", BLEND)),
    Pair(("train", AGAIN), ("compare", BLEND)),
    Pair(("train", "FOLDS=2"), ("train", "FOLDS=2", "SEED=1"), waits=False),
    Pair(("validate", AGAIN), ("submission", AGAIN)),
    Pair(("submission", AGAIN), ("submit",), lock=CSV_LOCK),
    Pair(("blend", BLEND), ("train", AGAIN), lock=RUN_LOCK),
    Pair(("train", AGAIN), ("runs",), waits=False),
)


@dataclass
class Outcome:
    """What came of a pair.

    said: the line in which the second told that it waits.
    taken_over: whether it went on when the first was killed; None if that was not tried.
    """

    pair: Pair
    said: str = ""
    taken_over: bool | None = None
    failures: list[str] = field(default_factory=list)

    @property
    def row(self) -> tuple[str, ...]:
        killed = {None: "", True: "went on", False: "did not go on"}
        second = "waited, and said for whom" if self.said else "read what was there"
        well = "no" if self.failures else "yes"
        return (
            f"`make {_typed(self.pair.first)}`",
            f"`make {_typed(self.pair.second)}`",
            *(second, well, killed[self.taken_over]),
        )


def together(
    folder: Path,
    *,
    seed: int,
    tell: Callable[[str], None],
    pairs: Sequence[Pair] = TWICE + BESIDE,
    built: Checkout | None = None,
) -> Table:
    """Run each pair; see ``Part``. Nothing in it is left to chance, so that the seed is not used.

    built: a checkout in which ``make all`` was run for the recipe smoke, if there is one.
    """
    ready = _prepare(folder / "ready", built)
    outcomes = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [
            pool.submit(_try, pair, ready, folder / str(number))
            for number, pair in enumerate(pairs)
        ]
        for job in jobs:
            outcomes.append(outcome := job.result())
            tell(f"{outcome.pair}: {'; '.join(outcome.failures) or 'well'}")
    waited = sum(bool(outcome.said) for outcome in outcomes)
    tried = [outcome.taken_over for outcome in outcomes if outcome.taken_over is not None]
    well = sum(not outcome.failures for outcome in outcomes)
    return Table(
        summary=(
            f"{len(outcomes)} pairs of commands, the second begun while the first held its lock: "
            f"{well} ended as one after the other. {waited} times the second waited and named the "
            f"process; {sum(tried)} of {len(tried)} times it went on when that was killed."
        ),
        columns=(
            *("first", "second", "what the second did", "ended as one after the other"),
            "the first killed with `kill -9`",
        ),
        rows=[outcome.row for outcome in outcomes],
        failures=[f"{outcome.pair}: {what}" for outcome in outcomes for what in outcome.failures],
    )


def _prepare(folder: Path, built: Checkout | None) -> Checkout:
    """A checkout with two finished runs, and a CSV that may be sent."""
    checkout = copy_code(folder) if built is None else copy_checkout(built, folder)
    for seed in ("SEED=", "SEED=1"):
        done = checkout.make("all", "SOURCE=practice", seed)
        assert done.code == 0, done.errors
    recipe = find_recipe("mlp")
    plan = Plan(checkout.workspace, Source("kaggle", "kaggle"), recipe, None, (), RUN)
    Case(plan, Kaggle()).put_rows(28_000)
    return checkout


def _try(pair: Pair, ready: Checkout, folder: Path) -> Outcome:
    outcome = Outcome(pair)
    with _place(pair, ready, folder / "after") as place:
        codes = [place.start(words).end()[0] for words in (pair.first, pair.second)]
        expected = snapshot(place.folder)
    for _ in range(TRIES):
        with _place(pair, ready, folder / "beside") as place:
            first, second = _meet(place, pair, outcome)
            first.go_on()
            found = [first.end()[0], second.end()[0]]
            if not outcome.said and pair.waits and not outcome.failures:
                continue
            if found != codes:
                outcome.failures.append(
                    f"they ended with {found}, one after the other with {codes}"
                )
            _judge(outcome, place, expected)
            break
    else:
        outcome.failures.append("the second did not say that it waits")
    if outcome.said and pair.first == pair.second:
        _kill(outcome, ready, folder / "killed", expected, codes)
    return outcome


def _kill(
    outcome: Outcome, ready: Checkout, folder: Path, expected: dict[str, str], codes: list[int]
) -> None:
    """Kill the first while the second waits for it; the second does all that there is to do."""
    with _place(outcome.pair, ready, folder) as place:
        first, second = _meet(place, outcome.pair, outcome)
        first.kill()
        first.end()
        code, errors = second.end()
        # A second submit says by an error that all is done.
        outcome.taken_over = code == codes[0]
        if not outcome.taken_over:
            outcome.failures.append(f"it did not take over: {errors.strip()}")
        _judge(outcome, place, expected)


def _judge(outcome: Outcome, place: "_Place", expected: dict[str, str]) -> None:
    outcome.failures += differences(expected, snapshot(place.folder))
    outcome.failures += [f"{path} was left over" for path in left_behind(place.folder)]
    if place.server is not None:
        sent = len(place.server.kaggle.submissions)
        pushed = sum(map(len, place.server.kaggle.notebooks.values()))
        if sent > 1 or pushed > 1:
            outcome.failures.append(f"{sent} submissions and {pushed} notebooks were sent")


def _meet(place: "_Place", pair: Pair, outcome: Outcome) -> tuple["_Command", "_Command"]:
    """Stop the first while it holds a lock, and start the second until it waits or ends."""
    first = place.start(pair.first)
    first.stop_when_it_holds(pair.lock)
    second = place.start(pair.second)
    in_silence = threading.Timer(SILENCE_SECONDS, first.go_on)
    in_silence.start()
    said = second.read_until_it_waits()
    in_silence.cancel()
    # It may have been stopped between taking the lock and writing who it is: then once more.
    if said and not said.startswith(UNKNOWN):
        outcome.said = said
        if f"process {first.holder}," not in said:
            outcome.failures.append(f"it named another process than {first.holder}: {said}")
    return first, second


@dataclass
class _Place:
    """A checkout of a pair's own, and the stand-in for Kaggle."""

    folder: Path
    server: KaggleServer | None = None
    started: list["_Command"] = field(default_factory=list)

    def start(self, words: tuple[str, ...]) -> "_Command":
        given = [word for word in GIVEN if not any(_names(other, word) for other in words)]
        if any(word.startswith("RUN=") for word in words):
            given = []
        own = {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp")}
        if self.server is not None:
            own |= {"KAGGLE_API_TOKEN": TOKEN, **self.server.environment}
        process = subprocess.Popen(
            ["make", "--no-print-directory", *TOOLS, *given, *words],
            cwd=self.folder,
            env=environment(**own),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(command := _Command(process, self.folder))
        return command


@contextmanager
def _place(pair: Pair, ready: Checkout, folder: Path) -> Iterator[_Place]:
    """Copy the checkout; in the end nothing that was started is left, nor the copy."""
    copy_checkout(ready, folder)
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    for name in pair.without:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    place = _Place(folder)
    try:
        if pair.first[0] in ("submit", "push"):
            with KaggleServer() as server:
                server.kaggle.polls = 0
                place.server = server
                yield place
        else:
            yield place
    finally:
        for command in place.started:
            command.stop_for_good()
        shutil.rmtree(folder)


@dataclass
class _Command:
    """A make under way.

    holder: the process below it that held a lock, 0 if none was seen.
    stopped: whether it still stands where it was stopped.
    """

    process: "subprocess.Popen[str]"
    folder: Path
    holder: int = 0
    stopped: bool = False

    def stop_when_it_holds(self, lock: str) -> None:
        """Stop the stage as soon as it says, in a file of this pattern, that it holds a lock."""
        while self.process.poll() is None and not self.holder:
            for path in self.folder.glob(lock):
                try:
                    self.holder = int(json.loads(path.read_text(encoding="utf-8"))["process"])
                    os.kill(self.holder, signal.SIGSTOP)
                except (OSError, ValueError):  # gone again, or half-written
                    self.holder = 0
                    continue
                self.stopped = True
                if _is_held(path.with_suffix("")):
                    break
                self.go_on()  # it has let go by now
                self.holder = 0
            time.sleep(0.002)

    def read_until_it_waits(self) -> str:
        """Return the line in which the command says for whom it waits; "" if it ends without."""
        assert self.process.stdout
        for line in self.process.stdout:
            if "; waiting for it to finish." in line:
                return line.strip()
        return ""

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit code, and what is on standard error."""
        _, errors = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, errors

    def stop_for_good(self) -> None:
        """End whatever is left of it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()

    def _signal(self, number: signal.Signals) -> None:
        """To the stage that was stopped, and is therefore still there."""
        if self.stopped:
            self.stopped = False
            os.kill(self.holder, number)


def _is_held(lock: Path) -> bool:
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:  # some versions of filelock remove it
        pass
    return False


def _names(word: str, other: str) -> bool:
    """Whether both set the same variable of make."""
    return "=" in word and word.partition("=")[0] == other.partition("=")[0]


def _typed(words: tuple[str, ...]) -> str:
    quoted = [word.replace("=", '="') + '"' if " " in word else word for word in words]
    return " ".join(quoted)
