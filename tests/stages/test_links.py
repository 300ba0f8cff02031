"""Folders and files of artefacts that are links, as disks are often arranged: all stages work."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.plan.plan import Plan
from pipeline.plan.workspace import Workspace
from pipeline.stages.download import download
from pipeline.stages.preprocess import preprocess
from pipeline.stages.submission import submission
from pipeline.stages.summary import summary
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system.errors import PipelineError
from tests.practice_case import assert_same_model, copy_practice, plan_of, temporaries

STAGES: tuple[Callable[..., object], ...]
STAGES = (download, preprocess, train, validate, submission, summary)
OUTER = ("data/raw", "data/processed", "data/runs", "submissions")
INNER = (
    *("data/raw/practice", "data/processed/practice", "data/processed/practice/folds"),
    *("data/runs/practice-smoke", "data/runs/practice-smoke/model.npz"),
    *("submissions/practice-smoke.csv", "submissions/practice-smoke.json"),
)


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Path]:
    """A folder on another disk, where this machine has one."""
    memory = Path("/dev/shm")
    writable = memory.is_dir() and os.access(memory, os.W_OK)
    with tempfile.TemporaryDirectory(dir=memory if writable else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture
def plan(practice_run: Plan, tmp_path: Path) -> Plan:
    workspace = copy_practice(practice_run.workspace, tmp_path)
    shutil.copytree(practice_run.workspace.submissions, workspace.submissions)
    return plan_of(workspace)


@pytest.mark.parametrize("places", [OUTER, INNER], ids=["outer", "inner"])
def test_all_stages_leave_links_as_links(
    practice_run: Plan, plan: Plan, tmp_path: Path, away: Path, places: tuple[str, ...]
) -> None:
    links = {tmp_path / place: away / place.replace("/", "-") for place in places}
    for link, target in reversed(links.items()):
        shutil.move(link, target)
        link.symlink_to(target)
    for stage in STAGES[:-1]:
        assert stage(plan).unchanged  # type: ignore[attr-defined]
    for stage in STAGES:
        stage(plan, force=True)
    folds = tmp_path / "data/processed/practice/folds"  # went with the folder that it was in
    for link, target in links.items():
        assert link.is_symlink() or link == folds
        assert target.exists()
    runs = (practice_run.workspace.run("practice-smoke"), plan.workspace.run("practice-smoke"))
    assert_same_model(*runs)
    csvs = [each.workspace.submission(plan.run).read_bytes() for each in (practice_run, plan)]
    assert csvs[0] == csvs[1]
    assert temporaries(tmp_path, away) == []


def test_two_folders_may_not_be_the_same(tmp_path: Path) -> None:
    plan = plan_of(Workspace(tmp_path / "data", tmp_path / "submissions"))
    download(plan)
    before = plan.workspace.raw("practice").manifest.read_bytes()
    (tmp_path / "data" / "processed").symlink_to("raw")
    with pytest.raises(PipelineError, match="is also another folder of this command's"):
        preprocess(plan)
    assert plan.workspace.raw("practice").manifest.read_bytes() == before
