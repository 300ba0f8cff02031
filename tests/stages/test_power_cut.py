"""After a power cut there is what a record tells of; and where there is not, nothing goes on."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.analysis.report import report
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import Workspace
from pipeline.stages.download import download
from pipeline.stages.preprocess import preprocess
from pipeline.stages.submission import submission
from pipeline.stages.summary import summary
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system.errors import PipelineError
from tests.disk import Disk
from tests.practice_case import blank_half, copy_practice, plan_of

STAGES: tuple[Callable[..., object], ...]
STAGES = (download, preprocess, train, validate, submission, summary)


def test_data_are_on_the_disk_before_their_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every file that any stage writes, forced ones included."""
    disk = Disk(monkeypatch)
    plan = plan_of(Workspace(tmp_path / "data", tmp_path / "submissions"))
    for force in (False, True):
        for stage in STAGES:
            stage(plan, force=force)
            disk.assert_names_are_there()
    run = plan.workspace.run(plan.run)
    for data, record in (
        (run.model, run.training),
        (run.hold_out, run.validation),
        (run.test_probabilities, run.test_record),
        (plan.workspace.submission(plan.run), plan.workspace.submission_record(plan.run)),
    ):
        assert disk.named.index(data) < disk.named.index(record)
    for digits in (plan.workspace.raw("practice"), plan.workspace.processed("practice")):
        assert disk.named.count(digits.folder) == 2


@pytest.fixture
def plan(practice_run: Plan, tmp_path: Path) -> Plan:
    """A finished run, to be broken."""
    workspace = copy_practice(practice_run.workspace, tmp_path)
    shutil.copytree(practice_run.workspace.submissions, workspace.submissions)
    return plan_of(workspace)


@pytest.mark.parametrize(
    ("blank", "stage", "says"),
    [
        (
            "processed/practice/train_images.npy",
            train,
            " is not what preprocess wrote",
        ),
        (
            "processed/practice/train_labels.npy",
            train,
            " is not what preprocess wrote",
        ),
        ("processed/practice/test_images.npy", submission, " is not what preprocess wrote"),
        ("runs/practice-smoke/model.npz", validate, " is not the model that training wrote"),
        ("runs/practice-smoke/hold_out.npz", report, " is damaged: it is no .npz file"),
    ],
)
def test_a_half_blank_array_is_never_gone_on_with(
    plan: Plan, blank: str, stage: Callable[..., object], says: str
) -> None:
    path = plan.workspace.data / blank
    blank_half(path)
    shutil.rmtree(plan.workspace.submissions)
    if stage is submission:  # which would be found in the run's folder
        plan.workspace.run(plan.run).test_probabilities.unlink()
    with pytest.raises(PipelineError) as caught:
        stage(plan, force=True)
    assert str(caught.value).startswith(f"{path}{says}")


def test_half_blank_probabilities_are_predicted_again(plan: Plan) -> None:
    csv = plan.workspace.submission(plan.run)
    expected = csv.read_bytes()
    csv.unlink()
    blank_half(plan.workspace.run(plan.run).test_probabilities)
    submission(plan)
    assert csv.read_bytes() == expected
