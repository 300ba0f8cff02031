"""An ensemble goes through all stages, and no member is trained more than once."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from docs.make_results import collect
from pipeline.digits import dataset
from pipeline.kaggle.submission_csv import read_submission
from pipeline.plan.members import members_of, plan_blend
from pipeline.plan.plan import Plan
from pipeline.plan.requests import record_request
from pipeline.plan.workspace import RunFolder, Workspace
from pipeline.runs.listing import list_runs
from pipeline.stages.submission import submission
from pipeline.stages.summary import summary
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system import files
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import Epoch, Reporter, TrainStart
from pipeline.training import checkpoint, prediction
from tests.listeners import heard_by
from tests.practice_case import arrays_of, copy_practice, plan_of

# The second member is a recipe of the user's, beside the ensemble.
TEXT = """
description = "Two members"
[ensemble]
members = [
  { recipe = "smoke" },
  { recipe = "mine.toml", seed = 1, set = ["training.label_smoothing=0.1"] },
]
"""
SMOKE = Path(__file__).parents[2] / "pipeline" / "recipes" / "smoke.toml"


class Watcher(Reporter):
    """Notes the runs that are trained; stops in the middle of one if asked to."""

    def __init__(self, *, stop: tuple[int, int] | None = None) -> None:
        self.starts: list[TrainStart] = []
        self.turns: list[tuple[int, int]] = []
        self._stop = stop

    def turn(self, number: int, of: int) -> None:
        self.turns.append((number, of))

    def start(self, start: TrainStart) -> None:
        self.starts.append(start)

    def epoch(self, result: Epoch) -> None:
        if (len(self.starts), result.epoch) == self._stop:
            raise KeyboardInterrupt

    @property
    def runs(self) -> list[str]:
        return [start.run for start in self.starts]


def write_recipes(folder: Path) -> str:
    """The ensemble's recipe, and that of its own member; returns what to give as RECIPE."""
    text = SMOKE.read_text(encoding="utf-8")
    (folder / "mine.toml").write_text(text.replace("units = 32", "units = 24"), encoding="utf-8")
    (folder / "two.toml").write_text(TEXT, encoding="utf-8")
    return str(folder / "two.toml")


@pytest.fixture(scope="module")
def made(practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """The ensemble, through all stages, and its folds. A test that writes copies it."""
    folder = tmp_path_factory.mktemp("made")
    workspace = copy_practice(practice_workspace, folder)
    plan = plan_of(workspace, recipe=write_recipes(folder))
    for each in (plan, plan_of(workspace, folds=3)):
        for stage in (train, validate, submission, summary):
            assert not stage(each).unchanged
    return plan


@pytest.fixture
def plan(made: Plan, tmp_path: Path) -> Plan:
    """A copy of it, to write in. Its recipe is where it was, for the runs are named after it."""
    shutil.copytree(made.workspace.submissions, tmp_path / "submissions")
    return plan_of(copy_practice(made.workspace, tmp_path), recipe=str(made.recipe))


def folder_of(plan: Plan) -> RunFolder:
    return plan.workspace.run(plan.run)


def folds_of(plan: Plan) -> Plan:
    return plan_of(plan.workspace, folds=3)


# ---- what an ensemble leaves ---------------------------------------------------------------------
def test_members_are_runs_of_their_own(made: Plan) -> None:
    first, second = members_of(made)
    assert first.run == "practice-smoke"
    for member in (first, second):
        assert folder_of(member).model.exists()
        assert folder_of(member).request.exists()
    assert {path.name for path in folder_of(made).folder.iterdir()} == {
        "request.json",
        "recipe.json",
        "training.json",
        "hold_out.npz",
        "validation.json",
        "test_probabilities.npy",
        "test_probabilities.json",
        "summary.txt",
        "score.json",
    }


def test_the_record_tells_of_the_members(made: Plan) -> None:
    record = files.read_json(folder_of(made).training)
    members = [files.read_json(folder_of(member).training) for member in members_of(made)]
    assert (record["kind"], record["networks"], record["seed"]) == ("ensemble", 2, 0)
    assert [member["run"] for member in record["members"]] == [
        member.run for member in members_of(made)
    ]
    assert [member["models"]["model"] for member in record["members"]] == [
        member["model_sha256"] for member in members
    ]
    assert record["seconds"] == pytest.approx(sum(member["seconds"] for member in members))
    assert record["parameters"] == sum(member["parameters"] for member in members)
    assert record["split"]["hold_out_rows"] == 600
    assert record["split"]["training_rows"] == 2400


def test_validation_is_of_the_mean_on_the_shared_hold_out(made: Plan) -> None:
    parts = [arrays_of(folder_of(member).hold_out) for member in members_of(made)]
    whole = arrays_of(folder_of(made).hold_out)
    np.testing.assert_array_equal(whole["rows"], parts[0]["rows"])
    expected = (parts[0]["probabilities"].astype(float) + parts[1]["probabilities"]) / 2
    np.testing.assert_allclose(whole["probabilities"], expected, atol=1e-7)
    assert whole["networks"].tolist() == [2] * 600
    result = validate(made)
    assert (result.networks, result.networks_per_row) == (2, (2, 2))
    right = int((expected.argmax(axis=1) == whole["labels"]).sum())
    assert result.metrics.accuracy.correct == right
    for member, other in zip(result.members, parts[::-1], strict=True):
        alone = int((other["probabilities"].argmax(axis=1) == whole["labels"]).sum())
        assert member.gain_correct == right - alone
        assert member.gain == pytest.approx((right - alone) / 600)


def test_test_digits_are_read_by_the_mean(made: Plan) -> None:
    images = dataset.load_test_images(made.workspace.processed("practice"))
    parts = [
        prediction.predict(checkpoint.load_model(folder_of(member).model), images).astype(float)
        for member in members_of(made)
    ]
    found = np.load(folder_of(made).test_probabilities)
    np.testing.assert_allclose(found, sum(parts) / 2, atol=1e-7)
    labels = read_submission(made.workspace.submission(made.run), test_rows=2000)
    assert labels == found.argmax(axis=1).tolist()
    for member, expected in zip(members_of(made), parts, strict=True):
        np.testing.assert_array_equal(np.load(folder_of(member).test_probabilities), expected)


def test_folds_hold_every_row_out_once(made: Plan) -> None:
    folds = folds_of(made)
    parts = [arrays_of(folder_of(member).hold_out) for member in members_of(folds)]
    rows = np.concatenate([part["rows"] for part in parts])
    assert np.sort(rows).tolist() == list(range(3000))
    whole = arrays_of(folder_of(folds).hold_out)
    assert whole["rows"].tolist() == list(range(3000))
    assert set(whole["networks"]) == {1}
    for part in parts:
        np.testing.assert_array_equal(whole["probabilities"][part["rows"]], part["probabilities"])
    result = validate(folds)
    assert (result.networks, result.networks_per_row) == (3, (1, 1))
    assert [member.gain for member in result.members] == [None] * 3
    assert files.read_json(folder_of(folds).training)["split"]["training_rows"] == 2000


# ---- what is due, and what is not ----------------------------------------------------------------
def test_the_second_time_nothing_is_done(plan: Plan) -> None:
    for each in (plan, folds_of(plan)):
        watcher = Watcher()
        assert heard_by(watcher, train, each).unchanged
        assert watcher.runs == []
        summary(each)  # it names the folders, which are others in a copy
        for stage in (validate, submission, summary):
            assert stage(each).unchanged


def test_members_that_are_there_are_taken_as_they_are(plan: Plan) -> None:
    model = folder_of(members_of(plan)[0]).model
    os.utime(model, (1, 1))
    folder_of(plan).training.unlink()
    watcher = Watcher()
    assert not heard_by(watcher, train, plan).unchanged
    assert watcher.runs == []
    assert model.stat().st_mtime == 1


def test_a_changed_member_is_trained_alone(plan: Plan, tmp_path: Path) -> None:
    recipe = tmp_path / "recipes"
    recipe.mkdir()
    mine = plan_of(plan.workspace, recipe=write_recipes(recipe))
    watcher = Watcher()
    heard_by(watcher, train, mine)
    own = members_of(mine)[1].run
    assert watcher.runs == [own]  # practice-smoke is that of the other ensemble
    for stage in (validate, submission):
        stage(mine)
    before = files.read_json(folder_of(mine).training)["model_sha256"]
    text = (recipe / "mine.toml").read_text(encoding="utf-8")
    (recipe / "mine.toml").write_text(text.replace("units = 24", "units = 20"), encoding="utf-8")
    watcher = Watcher()
    assert not heard_by(watcher, train, mine).unchanged
    assert watcher.runs == [own]
    assert files.read_json(folder_of(mine).training)["model_sha256"] != before
    for stage in (validate, submission):
        assert not stage(mine).unchanged
    assert train(mine).unchanged


def test_an_interrupted_ensemble_goes_on_in_mid_member(plan: Plan) -> None:
    seeds = plan_of(plan.workspace, recipe=str(plan.recipe), seed=2)
    with pytest.raises(KeyboardInterrupt):
        heard_by(Watcher(stop=(2, 2)), train, seeds)
    with pytest.raises(PipelineError, match="There is no finished run"):
        validate(seeds)
    watcher = Watcher()
    heard_by(watcher, train, seeds)
    assert watcher.runs == [members_of(seeds)[1].run]
    assert watcher.turns == [(1, 2), (2, 2)]
    assert watcher.starts[0].epochs_done == 2


def test_a_member_trained_anew_is_noticed(plan: Plan) -> None:
    member = members_of(plan)[0]
    train(plan_of(plan.workspace, run=member.run, overrides="training.epochs=1"))
    for stage in (validate, submission, summary):
        with pytest.raises(PipelineError, match=f"{member.run}, a member of .*, was trained again"):
            stage(plan)
    assert not train(plan).unchanged
    assert validate(plan).unchanged  # it ends with the same bits as before


# ---- blends --------------------------------------------------------------------------------------
def test_a_blend_of_an_ensemble_and_a_run(plan: Plan) -> None:
    train(plan_of(plan.workspace, seed=5))
    names = [folds_of(plan).run, "practice-smoke-seed5"]
    blend = plan_blend(plan.workspace, names)
    watcher = Watcher()
    result = heard_by(watcher, train, blend)
    assert (watcher.runs, result.networks) == ([], 4)
    measured = validate(blend)
    assert (measured.networks, measured.networks_per_row) == (4, (1, 2))
    assert measured.metrics.accuracy.rows == 3000
    assert [member.gain_rows for member in measured.members] == [600, 600]
    submission(blend)
    expected = [
        np.load(plan.workspace.run(name).test_probabilities).astype(float) for name in names
    ]
    found = np.load(folder_of(blend).test_probabilities)
    np.testing.assert_allclose(found, sum(expected) / 2, atol=1e-7)
    assert summary(blend).answer_key is not None
    by_name = plan_of(plan.workspace, run=blend.run, source=None, recipe=None)
    for stage in (train, validate, submission, summary):
        assert stage(by_name).unchanged


def test_a_blend_of_an_unfinished_run_is_one_line(plan: Plan) -> None:
    record_request(plan_of(plan.workspace, run="begun"))
    blend = plan_blend(plan.workspace, ["begun", "practice-smoke"])
    with pytest.raises(PipelineError, match="There is no finished run begun"):
        train(blend)
    assert not folder_of(blend).folder.exists()


# ---- the lists -----------------------------------------------------------------------------------
def test_runs_and_results_show_ensembles(plan: Plan) -> None:
    rows = {row.run: row for row in list_runs(plan.workspace)}
    folds = folds_of(plan)
    accuracy = validate(folds).metrics.accuracy.value
    assert rows[folds.run].hold_out_accuracy == accuracy
    assert rows[folds.run].score is not None
    assert (rows[folds.run].recipe, rows[folds.run].seed) == ("smoke, 3 folds", 0)
    another = plan_of(plan.workspace, folds=3, seed=1)
    train(another)
    # Before it is validated, an ensemble has no accuracy and counts nowhere.
    assert {row.recipe: row.hold_out.count for row in collect(plan.workspace)} == {
        "smoke": 1,
        "smoke, 3 folds": 1,
    }
    validate(another)
    single, ensemble = collect(plan.workspace)
    assert (single.recipe, single.networks, single.hold_out_rows) == ("smoke", 1, 600)
    assert (ensemble.networks, ensemble.hold_out.count, ensemble.hold_out_rows) == (3, 2, 3000)
    second = validate(another).metrics.accuracy.value
    assert ensemble.hold_out.mean == pytest.approx((accuracy + second) / 2)
