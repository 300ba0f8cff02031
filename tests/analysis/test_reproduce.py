"""A run made again has the same bits; where it has not, it is said how far and why perhaps."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import nn
from pipeline.analysis.reproduce import reproduce
from pipeline.analysis.reproduction import compare_models
from pipeline.cli import main
from pipeline.plan.members import plan_blend
from pipeline.plan.plan import Plan, recorded_plan
from pipeline.plan.workspace import Workspace
from pipeline.runs.run import read_run
from pipeline.stages.submission import submission
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system import files
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import Epoch, Reporter, TrainStart, listening
from pipeline.training import checkpoint
from tests.practice_case import copy_practice, plan_of
from tests.run_files import change_json

SMOKE = Path(__file__).parents[2] / "pipeline" / "recipes" / "smoke.toml"
RUN = "practice-smoke-seed1"


class Watcher(Reporter):
    """Notes the starts; stops in an epoch if asked to."""

    def __init__(self, *, stop_after: int = 0) -> None:
        self.starts: list[TrainStart] = []
        self._stop_after = stop_after

    def start(self, start: TrainStart) -> None:
        self.starts.append(start)

    def epoch(self, result: Epoch) -> None:
        if result.epoch == self._stop_after:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def made(practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A network with a CSV, one of a user's recipe with a refit, and a blend of the two."""
    folder = tmp_path_factory.mktemp("made")
    workspace = copy_practice(practice_workspace, folder)
    mine = folder / "mine.toml"
    mine.write_text(SMOKE.read_text("utf-8").replace("units = 32", "units = 24"), "utf-8")
    first = plan_of(workspace, seed=1)
    second = plan_of(workspace, recipe=str(mine), run="mine", overrides="split.refit=true")
    for plan in (first, second):
        train(plan)
    both = plan_blend(workspace, [first.run, second.run], run="both")
    train(both)
    for plan in (first, both):
        validate(plan)
        submission(plan)
    mine.unlink()  # what was trained is in the run's folder
    return workspace


@pytest.fixture
def workspace(made: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it, to write in."""
    shutil.copytree(made.submissions, tmp_path / "submissions")
    return copy_practice(made, tmp_path)


def change_weight(workspace: Workspace, run: str, by: float) -> None:
    """Change one weight of a run; its records then tell of the changed model."""
    folder = workspace.run(run)
    model = checkpoint.load_model(folder.model)
    model.network.vector[7] += np.float32(by)
    checkpoint.save_model(folder.model, model)
    change_json(folder.training, model_sha256=files.sha256(folder.model))


def change_record(workspace: Workspace, run: str, part: str, **changes: Any) -> None:
    path = workspace.run(run).training
    change_json(path, **{part: files.read_json(path)[part] | changes})


def contents(workspace: Workspace, run: str) -> dict[str, tuple[bytes, int]]:
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in workspace.run(run).folder.iterdir()
    }


def scratch_of(workspace: Workspace, run: str) -> Path:
    return workspace.scratch(run).data


# ---- the same bits -----------------------------------------------------------------------------
def test_a_network_is_made_again(workspace: Workspace) -> None:
    before = contents(workspace, RUN)
    found = reproduce(workspace, RUN)
    assert found.agrees
    (model,) = found.models
    assert (model.differing, model.largest) == (0, 0.0)
    assert model.values == len(checkpoint.load_model(workspace.run(RUN).model).network.vector)
    record = files.read_json(workspace.run(RUN).training)
    assert found.hold_out.accuracy_now == record["hold_out_accuracy"]
    assert found.labels
    assert (found.labels.rows, found.labels.differing) == (2000, 0)
    assert found.making == {}
    after = contents(workspace, RUN)
    after.pop("reproduction.json")
    assert after == before
    kept = files.read_json(workspace.run(RUN).reproduction)
    assert kept["agrees"] is True
    assert kept["inputs"] == {"model": record["model_sha256"]}
    assert not scratch_of(workspace, RUN).exists()
    assert (
        not workspace.scratch(RUN)
        .processed("practice")
        .folder.is_relative_to(scratch_of(workspace, RUN))
    )


def test_a_blend_is_made_again_from_each_of_its_networks(workspace: Workspace) -> None:
    watcher = Watcher()
    with listening(watcher):
        found = reproduce(workspace, "both")
    assert found.agrees
    assert [(model.run, model.file) for model in found.models] == [
        ("mine", "model"),
        ("mine", "refit"),
        (RUN, "model"),
    ]
    assert [start.run for start in watcher.starts] == ["mine", "mine", RUN]
    assert found.labels
    assert found.labels.differing == 0
    record = files.read_json(workspace.run("both").validation)
    assert found.hold_out.accuracy_now == record["accuracy"]["value"]


def test_what_a_link_leads_to_is_not_removed(workspace: Workspace, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "photo.jpg").touch()
    link = scratch_of(workspace, RUN)
    link.parent.mkdir()
    link.symlink_to(mine)
    with pytest.raises(PipelineError) as caught:
        reproduce(workspace, RUN)
    assert caught.value.message == f"{link} is a link, and what is there is removed at the end"
    assert [path.name for path in mine.iterdir()] == ["photo.jpg"]


def test_an_interrupted_reproduction_goes_on(workspace: Workspace) -> None:
    with pytest.raises(KeyboardInterrupt), listening(Watcher(stop_after=2)):
        reproduce(workspace, RUN)
    assert not workspace.run(RUN).reproduction.exists()
    watcher = Watcher()
    with listening(watcher):
        assert reproduce(workspace, RUN).agrees
    assert [start.epochs_done for start in watcher.starts] == [2]


def test_what_was_kept_is_not_taken_for_a_new_training(workspace: Workspace) -> None:
    kept = reproduce(workspace, RUN, keep=True).kept
    assert kept == scratch_of(workspace, RUN)
    assert workspace.scratch(RUN).run(RUN).model.exists()
    watcher = Watcher()
    with listening(watcher):
        reproduce(workspace, RUN)
    assert [start.epochs_done for start in watcher.starts] == [0]
    assert not kept.exists()


# ---- other bits --------------------------------------------------------------------------------
def test_other_bits_are_measured_and_what_may_explain_them_is_named(workspace: Workspace) -> None:
    change_weight(workspace, RUN, 0.25)
    change_record(workspace, RUN, "inputs", arithmetic=0)
    change_record(workspace, RUN, "environment", numpy="1.0", commit="0" * 40, dirty=False)
    found = reproduce(workspace, RUN)
    assert not found.agrees
    (model,) = found.models
    assert model.differing == 1
    assert model.largest == pytest.approx(0.25, rel=1e-5)
    assert found.hold_out.differing > 0
    assert found.labels is None  # the CSV is not of this model
    assert found.making["numpy"] == ("1.0", np.__version__)
    assert found.making["commit"][0] == "0000000"
    assert found.making["arithmetic"] == (0, nn.ARITHMETIC)
    assert set(found.making) == {"numpy", "commit", "arithmetic"}


def test_minus_zero_is_not_zero(workspace: Workspace) -> None:
    run = read_run(recorded_plan(workspace, RUN))
    model = checkpoint.load_model(run.folder.model)
    for place, value in ((workspace, 0.0), (workspace.scratch(RUN), -0.0)):
        model.network.vector[7] = value
        checkpoint.save_model(place.run(RUN).model, model)
    (agreement,) = compare_models(run, workspace, workspace.scratch(RUN))
    assert (agreement.differing, agreement.largest) == (1, 0.0)


@pytest.mark.parametrize("changed", [False, True])
def test_the_exit_code_says_whether_the_bits_agree(workspace: Workspace, changed: bool) -> None:
    if changed:
        change_weight(workspace, RUN, 1.0)
    arguments = ["reproduce", RUN, "--data", str(workspace.data)]
    result = CliRunner().invoke(main, [*arguments, "--submissions", str(workspace.submissions)])
    assert result.exit_code == int(changed), result.output
    assert f"{RUN}, trained again: {'NOT ' if changed else ''}the same bits" in result.stdout
    assert ("Code, versions and machine are those on record." in result.stdout) == changed


# ---- what can't be made again ------------------------------------------------------------------
def test_other_digits_are_refused_before_anything_is_trained(workspace: Workspace) -> None:
    path = workspace.processed("practice").train_images
    images = np.load(path)
    images[0, 0, 0] ^= 1
    path.unlink()  # it may be a link to that of other tests
    np.save(path, images)
    with pytest.raises(PipelineError, match=r"train_images\.npy does not hold the digits of"):
        reproduce(workspace, RUN)
    assert not scratch_of(workspace, RUN).exists()


def test_another_split_is_refused(workspace: Workspace) -> None:
    (path,) = workspace.processed("practice").folds.glob("hold-out-*.npy")
    np.save(path, np.load(path)[::-1].copy())
    with pytest.raises(PipelineError, match="does not hold out the rows that"):
        reproduce(workspace, RUN)


def test_a_recipe_changed_by_hand_is_refused(workspace: Workspace) -> None:
    recipe = workspace.run(RUN).recipe
    change_json(recipe, training=files.read_json(recipe)["training"] | {"epochs": 4})
    with pytest.raises(PipelineError, match="is not the recipe that"):
        reproduce(workspace, RUN)
    change_json(recipe, surprise=1)
    with pytest.raises(PipelineError, match="surprise: unknown key"):
        reproduce(workspace, RUN)


def test_there_must_be_such_a_run(workspace: Workspace) -> None:
    with pytest.raises(PipelineError, match="There is no run gone"):
        reproduce(workspace, "gone")


def test_the_plan_of_a_run_is_that_of_its_request(workspace: Workspace) -> None:
    plan: Plan = plan_of(workspace, seed=1)
    assert recorded_plan(workspace, plan.run) == plan
    assert recorded_plan(workspace, "both").blend == ("mine", RUN)
