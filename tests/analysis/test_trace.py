"""From a run, a CSV, a number or a score, every link is followed, and a broken one is named."""

import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.analysis.trace import Trace, trace
from pipeline.cli import main
from pipeline.cli.show.console import make_console
from pipeline.cli.show.trace import show_trace
from pipeline.plan.members import plan_blend
from pipeline.plan.workspace import Workspace
from pipeline.runs.ledger import read_ledger, write_line
from pipeline.stages.submission import submission
from pipeline.stages.summary import summary
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system import files
from pipeline.system.errors import PipelineError
from tests.practice_case import copy_practice, plan_of
from tests.run_files import change_json, write_submitted

SMOKE = Path(__file__).parents[2] / "pipeline" / "recipes" / "smoke.toml"
RUN = "mine"


@pytest.fixture(scope="module")
def made(practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A run of a user's recipe, taken for one that was scored at Kaggle, and a blend with it."""
    folder = tmp_path_factory.mktemp("made")
    workspace = copy_practice(practice_workspace, folder)
    shutil.copy(SMOKE, folder / "mine.toml")
    plan = plan_of(
        workspace, recipe=str(folder / "mine.toml"), run=RUN, overrides="training.epochs=2"
    )
    for stage in (train, validate, submission, summary):
        stage(plan)
    other = plan_of(workspace, overrides="training.epochs=1")
    train(other)
    train(plan_blend(workspace, [RUN, other.run], run="both"))
    csv = workspace.submission(RUN)
    record = files.read_json(workspace.submission_record(RUN))
    write_submitted(
        workspace,
        record["csv_sha256"],
        "first",
        run=RUN,
        file=csv.name,
        ref=4711,
        public_score=0.97125,
        model_sha256=record["inputs"]["model"],
    )
    return workspace


@pytest.fixture
def workspace(made: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it, to write in; its recipe's file stays where it was."""
    shutil.copytree(made.submissions, tmp_path / "submissions")
    return copy_practice(made, tmp_path)


def holds(found: Trace) -> dict[str, bool | None]:
    return {link.name: link.holds for link in found.links}


def text(found: Trace, name: str) -> str:
    (wanted,) = [link.text for link in found.links if link.name == name]
    return wanted


def change_array(path: Path) -> None:
    array = np.load(path)
    array.flat[0] += 1
    path.unlink()  # it may be a link to that of other tests
    np.save(path, array)


def append(path: Path, addition: bytes) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content + addition)


def change_part(path: Path, part: str, **changes: Any) -> None:
    change_json(path, **{part: files.read_json(path)[part] | changes})


# ---- what one may ask for ------------------------------------------------------------------------
@pytest.mark.parametrize("what", [RUN, "4711", "0.97125", "0.971", "csv", "copy"])
def test_all_lead_to_the_same_way(workspace: Workspace, tmp_path: Path, what: str) -> None:
    paths = {"csv": workspace.submission(RUN), "copy": tmp_path / "download.csv"}
    shutil.copy(paths["csv"], paths["copy"])
    found = trace(workspace, str(paths.get(what, what)))
    assert found.run == RUN
    assert text(found, "score") == "0.97125 at Kaggle, submission 4711, sent 2026-01-03"
    named = holds(found)
    # Of these a test can't know: whether the clone is clean, and whether there is one.
    assert named.pop("commit") in (True, False, None)
    assert named.pop("made again") is None
    assert set(named.values()) == {True}
    assert set(named) == {
        *("score", "CSV", "run", "model", "recipe", "raw digits", "arrays", "split"),
        *("arithmetic", "versions", "machine"),
    }


@pytest.mark.parametrize("what", ["nothing", "4712", "0.5", "0.97126", "other.csv", "../x"])
def test_what_is_not_there(workspace: Workspace, what: str) -> None:
    with pytest.raises(PipelineError) as caught:
        trace(workspace, what)
    assert what in caught.value.message
    assert "make runs" in caught.value.remedy


def test_a_score_of_several_submissions_is_not_guessed(workspace: Workspace) -> None:
    write_submitted(workspace, "other", "second", ref=8, run="gone", public_score=0.97125)
    with pytest.raises(PipelineError, match=r"4711 \(mine\), 8 \(gone\)"):
        trace(workspace, "0.97125")
    found = trace(workspace, "8")
    assert found.run == "gone"
    assert holds(found) == {"score": True, "CSV": False, "run": False}


def test_without_a_submission_the_answer_key_gives_the_score(workspace: Workspace) -> None:
    workspace.ledger.unlink()
    record = files.read_json(workspace.run(RUN).score)
    expected = f"{record['accuracy']['value']:.5f} by the source's own answer key"
    assert text(trace(workspace, RUN), "score") == expected
    workspace.run(RUN).score.unlink()
    assert holds(trace(workspace, RUN))["score"] is None


def test_a_submission_of_which_nobody_knows_is_neither_a_score_nor_a_broken_link(
    workspace: Workspace,
) -> None:
    line = read_ledger(workspace.ledger)[0]
    sending = {"status": "SENDING", "ref": None, "public_score": None, "message": "second"}
    write_line(workspace.ledger, line.changed(**sending))
    assert text(trace(workspace, RUN), "score").startswith("0.97125 at Kaggle"), "the first one's"
    workspace.ledger.unlink()
    write_line(workspace.ledger, line.changed(**sending))
    found = trace(workspace, RUN)
    assert text(found, "score") == (
        "none: whether the submission of 2026-01-03 00:00 UTC has arrived is not known; "
        "make submit RUN=mine looks"
    )
    assert holds(found)["score"] is None
    write_line(workspace.ledger, line.changed(**sending | {"status": "ERROR", "error": "refused"}))
    found = trace(workspace, RUN)
    assert text(found, "score") == "none: the submission was not made (refused)"
    assert holds(found)["score"] is False


# ---- broken links --------------------------------------------------------------------------------
BROKEN: dict[str, Callable[[Workspace], Any]] = {
    "CSV": lambda place: append(place.submission(RUN), b"\n"),
    "run": lambda place: change_part(place.submission_record(RUN), "inputs", model="0"),
    "model": lambda place: append(place.run(RUN).model, b"x"),
    "raw digits": lambda place: append(place.raw("practice").test, b"\n"),
    "arrays": lambda place: change_array(place.processed("practice").test_images),
    "split": lambda place: change_array(next(place.processed("practice").folds.glob("*.npy"))),
    "arithmetic": lambda place: change_part(place.run(RUN).training, "inputs", arithmetic=0),
    "versions": lambda place: change_part(place.run(RUN).training, "environment", rich="0.1"),
    "machine": lambda place: change_part(place.run(RUN).training, "environment", cores=99),
    "recipe": lambda place: change_part(
        place.run(RUN).training,
        "inputs",
        recipe={**files.read_json(place.run(RUN).training)["inputs"]["recipe"], "seed": 9},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_was_changed_is_named_and_nothing_else(workspace: Workspace, name: str) -> None:
    before = holds(trace(workspace, RUN))
    BROKEN[name](workspace)
    after = holds(trace(workspace, RUN))
    assert {key for key in after if after[key] != before[key]} == {name}
    assert after[name] is False


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"commit": "0" * 40, "dirty": False}, (False, "0000000 is not in this clone")),
        ({"commit": "0" * 40, "dirty": True}, (False, "0000000-dirty: files differed from it")),
        (
            {"commit": None, "no_commit": None},
            (None, "none is on record: the code was in no clone, or git did not tell"),
        ),
        (
            {"commit": None, "no_commit": "git was not there"},
            (None, "none is on record: git was not there"),
        ),
    ],
)
def test_a_commit_that_does_not_lead_back(
    workspace: Workspace, changes: dict[str, Any], expected: tuple[bool | None, str]
) -> None:
    change_part(workspace.run(RUN).training, "environment", **changes)
    (link,) = [link for link in trace(workspace, RUN).links if link.name == "commit"]
    assert (link.holds, link.text) == expected


def test_a_commit_where_git_is_not_there(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_part(workspace.run(RUN).training, "environment", commit="0" * 40, dirty=False)
    monkeypatch.setattr("pipeline.system.provenance.why_no_clone", lambda: "git was not there")
    (link,) = [link for link in trace(workspace, RUN).links if link.name == "commit"]
    expected = "0000000; whether it is here is not known: git was not there"
    assert (link.holds, link.text) == (None, expected)


def test_a_member_that_was_trained_again(workspace: Workspace) -> None:
    links = [link for link in trace(workspace, "both").links if link.name == "member"]
    assert [link.holds for link in links] == [True, True]
    change_json(workspace.run(RUN).training, model_sha256="0")
    links = [link for link in trace(workspace, "both").links if link.name == "member"]
    assert (links[0].holds, links[0].text) == (False, f"{RUN} was trained again since")


def test_records_of_earlier_versions_say_less(workspace: Workspace) -> None:
    path = workspace.run(RUN).training
    record = files.read_json(path)
    del record["recipe_file"], record["overrides"], record["split"]["sha256"]
    few = ("commit", "dirty", "python", "numpy", "cores", "platform")
    record["environment"] = {name: record["environment"][name] for name in few}
    files.write_json(path, record)
    found = holds(trace(workspace, RUN))
    assert "split" not in found
    assert found["recipe"] and found["versions"] and found["machine"]


@pytest.mark.parametrize("agrees", [True, False])
def test_what_came_of_a_reproduction(workspace: Workspace, agrees: bool) -> None:
    folder = workspace.run(RUN)
    record = {
        "inputs": {"model": files.read_json(folder.training)["model_sha256"]},
        "agrees": agrees,
        "hold_out": {"predictions": 3, "rows": 600},
        "finished_at": "2026-05-06T00:00:00+00:00",
    }
    files.write_json(folder.reproduction, record)
    found = trace(workspace, RUN)
    assert holds(found)["made again"] is agrees
    assert "on 2026-05-06" in text(found, "made again")
    assert ("3 of 600 held-out digits" in text(found, "made again")) is not agrees
    files.write_json(folder.reproduction, {**record, "inputs": {"model": "an earlier one"}})
    assert holds(trace(workspace, RUN))["made again"] is None


# ---- what is shown -------------------------------------------------------------------------------
def test_the_commands_make_the_same_run(made: Workspace) -> None:
    commands = trace(made, RUN).commands
    folders = f"DATA={made.data} SUBMISSIONS={made.submissions}"
    recipe = made.data.parent / "mine.toml"
    assert commands[-2:] == (
        f"make all SOURCE=practice RECIPE={recipe} SET=training.epochs=2 RUN=mine {folders}",
        f"make reproduce RUN=mine {folders}",
    )
    blended = trace(made, "both").commands
    names = sorted([RUN, plan_of(made, overrides="training.epochs=1").run])
    assert blended[-2] == f"make blend RUNS='{' '.join(names)}' RUN=both {folders}"


def test_marks_and_a_terminal_without_them(workspace: Workspace) -> None:
    append(workspace.submission(RUN), b"\n")
    arguments = ["trace", RUN, "--data", str(workspace.data)]
    result = CliRunner().invoke(main, [*arguments, "--submissions", str(workspace.submissions)])
    assert result.exit_code == 0, result.output
    assert "  ✓ model " in result.stdout
    assert "  ✗ CSV " in result.stdout
    assert "  · made again" in result.stdout

    class Plain(StringIO):
        encoding = "ascii"

    stream = Plain()
    show_trace(make_console(stream), trace(workspace, RUN))
    assert "  !! CSV " in stream.getvalue()
    assert stream.getvalue().isascii()
