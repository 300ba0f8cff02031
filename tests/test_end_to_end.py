"""From nothing to a checked submission with one command, the same with one job or four."""

import shutil
from pathlib import Path

import pytest

from pipeline import files
from pipeline.stages.check import check
from pipeline.stages.submission import submission
from pipeline.stages.summary import summary
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.workspace import Workspace
from tests.make_case import copy_code
from tests.practice_case import assert_same_model, copy_practice, plan_of, temporaries

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")

DATA, SUBMISSIONS = "dätä $1 #2;3:4's", "süb missions"


def test_one_command_from_nothing(practice_workspace: Workspace, tmp_path: Path) -> None:
    checkout = copy_code(tmp_path / "code")
    given = (f"DATA={DATA.replace('$', '$$')}", f"SUBMISSIONS={SUBMISSIONS}")
    # In the plainest locale, where names are bytes to most programs.
    outcome = checkout.make("-j4", "all", *given, LC_ALL="C", LANG="C")
    assert (outcome.code, outcome.errors) == (0, "")
    assert outcome.stages == ["download", "preprocess", "train", "validate", "submission"]

    made = Workspace(checkout.folder / DATA, checkout.folder / SUBMISSIONS)
    run = made.run("practice-smoke")
    csv = made.submission("practice-smoke")
    assert outcome.output.endswith(run.summary.read_text(encoding="utf-8"))
    for text in ("PRACTICE DIGITS", "95 % interval", f"{SUBMISSIONS}/{csv.name} (2,000 rows)"):
        assert text in outcome.output
    assert "make all SOURCE=kaggle" in outcome.output
    assert check(csv).rows == 2000
    assert files.read_json(run.validation)["accuracy"]["value"] > 0.8
    assert files.read_json(run.score)["accuracy"]["value"] > 0.8
    assert temporaries(made.data, made.submissions) == []
    assert {path.name for path in checkout.folder.iterdir() if path.is_dir()} == {
        DATA,
        SUBMISSIONS,
        "pipeline",
    }

    again = checkout.make("-j4", "all", *given)
    assert (again.code, again.errors, again.stages) == (0, "", [])

    # Stage by stage, without make: the same files.
    workspace = copy_practice(practice_workspace, tmp_path / "one by one")
    plan = plan_of(workspace)
    for stage in (train, validate, submission, summary):
        assert not stage(plan).unchanged
    assert_same_model(workspace.run(plan.run), run)
    assert workspace.submission(plan.run).read_bytes() == csv.read_bytes()
    for name in ("train.csv", "test.csv", "answer_key.csv"):
        expected = files.sha256(workspace.raw("practice").folder / name)
        assert files.sha256(made.raw("practice").folder / name) == expected


def test_every_stage_finds_its_work_done(practice_workspace: Workspace, tmp_path: Path) -> None:
    workspace = copy_practice(practice_workspace, tmp_path)
    plan = plan_of(workspace, overrides="training.epochs=1")
    stages = (train, validate, submission, summary)
    for stage in stages:
        stage(plan)
    for stage in stages:
        assert stage(plan).unchanged
