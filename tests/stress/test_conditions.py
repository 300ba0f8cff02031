"""A short form of the part ``conditions``: the most telling tries, and what a table tells."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stress.condition_cases import ASCII, all_cases
from tests.stress.condition_sweeps import refused_changes, signals
from tests.stress.conditions import table_of
from tests.stress.machine import COMMANDS, Machine
from tests.stress.trial import Case, Tried, attempt, can_be_tried, close, reopen
from tests.stress.warm import Warm

TELLING = (
    Case("a limit", "train", "files", 'ulimit -n 8; exec "$@"', expect="fails", says=("ulimit",)),
    Case("a limit", "submission", "size", 'ulimit -f 0; exec "$@"', expect="fails"),
    Case("a reader", "summary", "head", 'exec "$@" >&- 2>&- <&-'),
    Case("the output", "validate", "full", 'exec "$@" >/dev/full', expect="fails"),
    Case("a locale", "trace", "ASCII", variables=ASCII, place="ümläut 数"),
    Case("a clock", "preprocess", "1971", child={"clock": -55 * 365 * 86_400}),
    Case(
        "permission",
        "validate",
        "a model that cannot be read",
        prepare=close("data/runs/practice-smoke/model.npz", mode=0o444),
        mend=reopen("data/runs/practice-smoke/model.npz"),
        expect="fails",
        says=("model.npz: Permission denied", "Give yourself"),
        user="bound",
    ),
    Case(
        "permission",
        "predict",
        "a picture that cannot be read",
        prepare=close("picture.png", mode=0o444),
        mend=reopen("picture.png"),
        expect="fails",
        says=("picture.png", "Permission denied"),
        user="bound",
    ),
)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with Warm(tmp_path_factory.mktemp("warm") / "process") as process:
        yield process


@pytest.fixture(scope="module")
def machine(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine.build(tmp_path_factory.mktemp("machine"), warm.run)


@pytest.mark.parametrize("case", TELLING, ids=lambda case: f"{case.command}-{case.label}")
def test_a_hostile_machine(case: Case, machine: Machine, warm: Warm, tmp_path: Path) -> None:
    if not can_be_tried(case):
        pytest.skip("this machine does not give what the case needs")
    faults, said = attempt(machine, case, tmp_path / "case", warm.run)
    assert faults == [], said


def test_a_disk_that_fills_at_some_writes(machine: Machine, warm: Warm, tmp_path: Path) -> None:
    tried = list(refused_changes(machine, warm, "validate", "ENOSPC", tmp_path, every=8))
    assert len(tried) > 2
    assert any("No space left" in one.said for one in tried)
    assert [one for one in tried if one.faults] == []


def test_signals_at_random_instants(machine: Machine, warm: Warm, tmp_path: Path) -> None:
    tried = list(signals(machine, warm, "train", tmp_path, tries=2, seed=1))
    assert [one for one in tried if one.faults] == []


def test_what_does_not_hold_is_told(machine: Machine, warm: Warm, tmp_path: Path) -> None:
    """A case that expects the wrong thing, and one that damages a file."""
    wrong = Case("a limit", "runs", expect="fails", says=("No space",))
    faults, _ = attempt(machine, wrong, tmp_path / "wrong", warm.run)
    assert "exit code 0 instead of 1" in faults
    folder = machine.start("done", tmp_path / "damaged" / "work")
    (folder / "submissions" / "practice-smoke.csv").unlink()
    (folder / "data" / "runs" / "practice-smoke" / "history.csv").write_bytes(b"epoch\n1\n")
    assert machine.faults_after_a_failure("runs", folder) == [
        "data/runs/practice-smoke/history.csv is neither the old file nor the new one",
        "submissions/practice-smoke.csv is gone",
    ]


def test_the_table_counts_what_held() -> None:
    tried = [
        Tried("a full disk", "train", "at 1", [], "Error: x: No space left\nFree some.\n"),
        Tried("a full disk", "train", "at 2", ["exit code 0"], ""),
        Tried("no home", "report", "", [], ""),
    ]
    table = table_of(tried)
    assert table.summary.startswith("2 of 3 tries under 2 conditions held")
    assert table.rows[0] == ("a full disk", "1", "2", "1", "`Error: x: No space left Free some.`")
    assert table.rows[1][-1] == "nothing: it works"
    assert table.failures == ["a full disk: train (at 2): exit code 0"]


def test_every_command_meets_something_hostile() -> None:
    assert {case.command for case in all_cases()} == set(COMMANDS)
