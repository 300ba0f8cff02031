"""From nothing to a checked submission with one command, and the same stage by stage."""

import shutil
from pathlib import Path

import pytest

from pipeline.analysis.check import check
from pipeline.plan.workspace import Workspace
from pipeline.stages.submission import submission
from pipeline.stages.summary import summary
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system import files
from tests.make_case import Built
from tests.practice_case import assert_same_model, copy_practice, plan_of, temporaries

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")

RUN = "practice-smoke"


def test_one_command_goes_from_nothing_to_the_summary(built: Built) -> None:
    outcome = built.outcome
    assert (outcome.code, outcome.errors) == (0, "")
    assert outcome.stages == ["download", "preprocess", "train", "validate", "submission"]
    made = built.checkout.workspace
    assert outcome.output.endswith(made.run(RUN).summary.read_text(encoding="utf-8"))
    for text in ("PRACTICE DIGITS", "95 % interval", f"submissions/{RUN}.csv (2,000 rows)"):
        assert text in outcome.output
    assert "make all SOURCE=kaggle" in outcome.output


def test_what_it_made_is_whole(built: Built) -> None:
    made = built.checkout.workspace
    assert check(made.submission(RUN)).rows == 2000
    assert files.read_json(made.run(RUN).validation)["accuracy"]["value"] > 0.8
    assert files.read_json(made.run(RUN).score)["accuracy"]["value"] > 0.8
    assert temporaries(made.data, made.submissions) == []
    folders = {path.name for path in built.checkout.folder.iterdir() if path.is_dir()}
    assert folders == {"pipeline", "data", "submissions"}


def test_stage_by_stage_the_same_comes_out(
    built: Built, practice_workspace: Workspace, tmp_path: Path
) -> None:
    workspace, made = copy_practice(practice_workspace, tmp_path), built.checkout.workspace
    plan = plan_of(workspace)
    stages = (train, validate, submission, summary)
    for stage in stages:
        assert not stage(plan).unchanged
    assert_same_model(workspace.run(RUN), made.run(RUN))
    assert workspace.submission(RUN).read_bytes() == made.submission(RUN).read_bytes()
    for name in ("train.csv", "test.csv", "answer_key.csv"):
        expected = files.sha256(workspace.raw("practice").folder / name)
        assert files.sha256(made.raw("practice").folder / name) == expected
    for stage in stages:
        assert stage(plan).unchanged
