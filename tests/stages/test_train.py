"""Training writes a whole run, does nothing twice, and says what is wrong in one line."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline import nn
from pipeline.digits import dataset, folds
from pipeline.nn import batches
from pipeline.plan.plan import Plan
from pipeline.plan.requests import request_of
from pipeline.plan.workspace import RunFolder, Workspace
from pipeline.recipes.file import RECIPE_FOLDER
from pipeline.stages.train import TrainResult, train
from pipeline.system import files
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import Epoch, Reporter, TrainStart
from pipeline.training import checkpoint
from pipeline.training.prediction import predict
from tests.listeners import Lines, heard_by
from tests.practice_case import arrays_of, assert_same_model, copy_practice, plan_of, split_place
from tests.sampling import sampled

EPOCHS = 3
MUON = "optimizer={kind='muon',learning_rate=0.01}"


class Watcher(Reporter):
    """Notes what it is told; stops the training after an epoch if asked to."""

    def __init__(self, *, stop_after: int = 0) -> None:
        self.starts: list[TrainStart] = []
        self.epochs: list[Epoch] = []
        self.steps: list[list[float]] = [[]]  # before each evaluation
        self._stop_after = stop_after

    def start(self, start: TrainStart) -> None:
        self.starts.append(start)

    def step(self, epochs: float) -> None:
        self.steps[-1].append(epochs)

    def epoch(self, result: Epoch) -> None:
        self.epochs.append(result)
        self.steps.append([])
        if result.epoch == self._stop_after:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def trained(practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with the run practice-smoke. A test that writes copies it."""
    workspace = copy_practice(practice_workspace, tmp_path_factory.mktemp("trained"))
    train(plan_of(workspace))
    return workspace


@pytest.fixture
def workspace(trained: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it, to write in."""
    return copy_practice(trained, tmp_path)


@pytest.fixture
def plan(workspace: Workspace) -> Plan:
    return plan_of(workspace)


def run_of(plan: Plan) -> RunFolder:
    return plan.workspace.run(plan.run)


def interrupt(plan: Plan, *, after: int) -> None:
    """Train anew and stop after an epoch."""
    shutil.rmtree(run_of(plan).folder, ignore_errors=True)
    with pytest.raises(KeyboardInterrupt):
        heard_by(Watcher(stop_after=after), train, plan)
    assert run_of(plan).checkpoint.exists()


# ---- what a run leaves -------------------------------------------------------------------------
def test_a_run_is_whole(trained: Workspace) -> None:
    run = trained.run("practice-smoke")
    names = {path.name for path in run.folder.iterdir()}
    assert names == {"request.json", "recipe.json", "history.csv", "model.npz", "training.json"}


def test_the_record_says_from_what_and_how(trained: Workspace) -> None:
    plan = plan_of(trained)
    run, processed = run_of(plan), trained.processed("practice")
    record = files.read_json(run.training)
    manifest = files.read_json(processed.manifest)
    assert record["stage"] == "train"
    assert record["run"] == "practice-smoke"
    assert (record["recipe_name"], record["seed"]) == ("smoke", 0)
    assert record["inputs"]["data"] == {
        name: manifest["arrays"][name]["sha256"] for name in ("train_images", "train_labels")
    }
    assert record["inputs"]["arithmetic"] == nn.ARITHMETIC
    assert "description" not in record["inputs"]["recipe"]
    assert record["data"] == files.read_json(trained.raw("practice").manifest)
    assert record["model_sha256"] == files.sha256(run.model)
    assert record["parameters"] == checkpoint.load_model(run.model).network.parameter_count
    split = folds.hold_out(*split_place(processed), size=0.2, seed=0).path
    assert record["split"] == {
        "kind": "hold_out",
        "size": 0.2,
        "seed": 0,
        "training_rows": 2400,
        "hold_out_rows": 600,
        "file": split.name,
        "sha256": files.sha256(split),
    }
    assert record["recipe_file"]["sha256"] == files.sha256(RECIPE_FOLDER / "smoke.toml")
    assert record["overrides"] == []
    assert record["epochs"] == EPOCHS
    assert record["environment"]["numpy"] == np.__version__
    assert record["finished_at"].endswith("+00:00")
    assert files.read_json(run.recipe)["training"]["epochs"] == EPOCHS


def test_it_learns(trained: Workspace) -> None:
    assert measured_accuracy(plan_of(trained)) > 0.8


def measured_accuracy(plan: Plan) -> float:
    """Of the model that was kept, which must be the accuracy on record."""
    processed, run = plan.workspace.processed(plan.source.name), run_of(plan)
    digits = dataset.load_labelled(processed)
    rows = folds.hold_out(*split_place(processed), size=0.2, seed=0).hold_out_rows
    probabilities = predict(checkpoint.load_model(run.model), digits.images[rows])
    accuracy = float((probabilities.argmax(axis=1) == digits.labels[rows]).mean())
    assert accuracy == files.read_json(run.training)["hold_out_accuracy"]
    return accuracy


def test_the_history_has_a_row_for_each_evaluation(trained: Workspace) -> None:
    run = trained.run("practice-smoke")
    with run.history.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    record = files.read_json(run.training)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["hold_out_accuracy"]) == pytest.approx(record["hold_out_accuracy"])
    assert float(rows[-1]["training_loss"]) < float(rows[0]["training_loss"])
    assert sum(float(row["seconds"]) for row in rows) == pytest.approx(record["seconds"], abs=0.01)


def test_a_watcher_is_told_of_the_start_and_of_each_epoch(workspace: Workspace) -> None:
    watcher = Watcher()
    result = heard_by(watcher, train, plan_of(workspace, seed=1))
    (start,) = watcher.starts
    assert (start.run, start.recipe, start.epochs, start.epochs_done) == (
        "practice-smoke-seed1",
        "smoke",
        EPOCHS,
        0,
    )
    assert (start.training_rows, start.hold_out_rows) == (2400, 600)
    assert [epoch.epoch for epoch in watcher.epochs] == [1, 2, 3]
    assert [steps[-1] for steps in watcher.steps[:-1]] == [1, 2, 3]
    assert all(len(steps) == 38 for steps in watcher.steps[:-1])  # 2400 rows in batches of 64
    assert (start.networks, start.may_stop_early) == (1, False)
    assert result.hold_out_accuracy == watcher.epochs[-1].hold_out_accuracy
    assert not result.unchanged


def test_early_stopping_keeps_the_best_evaluation(workspace: Workspace) -> None:
    # So large a rate that the loss goes up soon.
    overrides = "training.patience=2 training.epochs=30 training.average_decay=0 "
    plan = plan_of(workspace, overrides=f"{overrides} optimizer.learning_rate=0.3")
    watcher = Watcher()
    result = heard_by(watcher, train, plan)
    best = min(watcher.epochs, key=lambda epoch: epoch.hold_out_loss)
    assert len(watcher.epochs) < 30
    assert (result.epochs, result.hold_out_accuracy) == (best.epoch, best.hold_out_accuracy)
    assert measured_accuracy(plan) == best.hold_out_accuracy


# ---- what is due, and what is not --------------------------------------------------------------
def test_the_second_time_nothing_is_done(plan: Plan) -> None:
    run = run_of(plan)
    before = {path: path.read_bytes() for path in run.folder.iterdir()}
    watcher = Watcher()
    result = heard_by(watcher, train, plan)
    assert result.unchanged
    assert watcher.starts == []
    assert before == {path: path.read_bytes() for path in run.folder.iterdir()}


def test_the_result_is_the_same_when_nothing_is_done(plan: Plan) -> None:
    record = files.read_json(run_of(plan).training)
    result = train(plan)
    assert result == TrainResult(
        unchanged=True,
        run="practice-smoke",
        folder=run_of(plan).folder,
        epochs=EPOCHS,
        hold_out_accuracy=record["hold_out_accuracy"],
        hold_out_rows=600,
        seconds=record["seconds"],
        images_per_second=record["images_per_second"],
    )


def test_forced_it_trains_again_to_the_same_bits(
    plan: Plan, trained: Workspace, workspace: Workspace
) -> None:
    watcher = Watcher()
    assert not heard_by(watcher, train, plan, force=True).unchanged
    assert len(watcher.epochs) == EPOCHS
    assert_same_model(trained.run("practice-smoke"), run_of(plan))


def test_forced_it_does_not_go_on_from_a_checkpoint(plan: Plan) -> None:
    interrupt(plan, after=2)
    watcher = Watcher()
    heard_by(watcher, train, plan, force=True)
    assert watcher.starts[0].epochs_done == 0


@pytest.mark.parametrize(
    "given",
    [
        {"seed": 5},
        {"overrides": "training.label_smoothing=0.1"},
        {"overrides": "split.seed=1"},
        {"recipe": "edited"},
    ],
    ids=str,
)
def test_another_value_is_another_training(
    workspace: Workspace, tmp_path: Path, given: dict[str, object]
) -> None:
    if given.get("recipe"):
        given = {"recipe": str(edited(tmp_path, "epochs = 3", "epochs = 2"))}
    other = plan_of(workspace, run="practice-smoke", **given)
    run = run_of(other)
    before = arrays_of(run.model)["array.vector"]
    assert not train(other).unchanged
    assert not np.array_equal(arrays_of(run.model)["array.vector"], before)
    assert train(other).unchanged
    assert run_of(other).request.read_text(encoding="utf-8") == f"{request_of(other)}\n"


def test_a_comment_or_description_is_no_other_training(
    plan: Plan, workspace: Workspace, tmp_path: Path
) -> None:
    path = edited(tmp_path, 'description = "', 'description = "Now ')
    path.write_text(f"# A comment\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    assert train(plan_of(workspace, run=plan.run, recipe=str(path))).unchanged


def edited(folder: Path, old: str, new: str) -> Path:
    text = (RECIPE_FOLDER / "smoke.toml").read_text(encoding="utf-8")
    assert old in text
    path = folder / "mine.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_other_arithmetic_of_the_network_is_another_training(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn, "ARITHMETIC", 1_000)
    assert not train(plan).unchanged


@pytest.mark.parametrize("gone", ["model", "training"])
def test_what_is_gone_is_made_again(plan: Plan, trained: Workspace, gone: str) -> None:
    getattr(run_of(plan), gone).unlink()
    assert not train(plan).unchanged
    assert_same_model(trained.run("practice-smoke"), run_of(plan))


def test_a_damaged_record_is_made_again(plan: Plan) -> None:
    run_of(plan).training.write_text("{", encoding="utf-8")
    assert not train(plan).unchanged


# ---- interrupted -------------------------------------------------------------------------------
@pytest.mark.parametrize("after", [1, 2, 3])
def test_an_interrupted_training_goes_on_to_the_same_bits(
    plan: Plan, trained: Workspace, after: int
) -> None:
    interrupt(plan, after=after)
    watcher = Watcher()
    heard_by(watcher, train, plan)
    assert watcher.starts[0].epochs_done == after
    assert [epoch.epoch for epoch in watcher.epochs] == list(range(after + 1, EPOCHS + 1))
    assert_same_model(trained.run("practice-smoke"), run_of(plan))
    assert not run_of(plan).checkpoint.exists()
    assert run_of(plan).history.read_text(encoding="utf-8").count("\n") == 1 + EPOCHS


def test_muon_learns_and_goes_on_to_the_same_bits(workspace: Workspace) -> None:
    """Its state, of the matrices as well, is in the checkpoint."""
    whole, broken = (plan_of(workspace, run=run, overrides=MUON) for run in ("whole", "broken"))
    train(whole)
    assert measured_accuracy(whole) > 0.8
    interrupt(broken, after=2)
    train(broken)
    assert_same_model(run_of(whole), run_of(broken))


def test_a_checkpoint_of_another_recipe_is_not_gone_on_from(
    plan: Plan, workspace: Workspace
) -> None:
    interrupt(plan, after=1)
    watcher = Watcher()
    heard_by(watcher, train, plan_of(workspace, run=plan.run, seed=9))
    assert watcher.starts[0].epochs_done == 0
    fresh = plan_of(workspace, seed=9)
    train(fresh)
    assert_same_model(run_of(fresh), run_of(plan))


@pytest.mark.parametrize(
    "damage", sampled(["cut", "text", "other network", "no history"], [0, 2, 3])
)
def test_a_damaged_checkpoint_is_told_of_and_training_starts_anew(
    plan: Plan, trained: Workspace, damage: str
) -> None:
    interrupt(plan, after=2)
    path = run_of(plan).checkpoint
    inputs, state = checkpoint.load_checkpoint(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "text":
        path.write_text("no checkpoint", encoding="utf-8")
    elif damage == "other network":
        checkpoint.save_checkpoint(path, inputs, state | {"vector": state["vector"][:-1]})
    else:
        del state["history"]
        checkpoint.save_checkpoint(path, inputs, state)
    told: list[str] = []
    watcher = Watcher()
    heard_by(Lines(told.append, watcher), train, plan)
    assert told == [f"{path} is damaged: training starts anew."]
    assert watcher.starts[0].epochs_done == 0
    assert_same_model(trained.run("practice-smoke"), run_of(plan))


def test_a_named_run_that_was_interrupted_goes_on_by_its_name(workspace: Workspace) -> None:
    interrupt(plan_of(workspace, run="mine", seed=3), after=1)
    watcher = Watcher()
    heard_by(watcher, train, plan_of(workspace, run="mine", source=None, recipe=None))
    assert (watcher.starts[0].recipe, watcher.starts[0].epochs_done) == ("smoke", 1)


# ---- what is wrong -----------------------------------------------------------------------------
def test_without_arrays_the_stage_before_is_named(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "data", tmp_path / "submissions")
    with pytest.raises(PipelineError, match="There are no arrays of source practice") as caught:
        train(plan_of(workspace))
    assert caught.value.remedy == "Run: make preprocess"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("network.layers.10.units=7", "10 logits"),
        ("network.layers.5.group=24", "64 images cannot be cut into groups of 24"),
        ("network.layers=[{kind='relu'}]", "10 logits"),
        ("network.layers.2.kernel=15", "layer 3 (conv2d): a kernel of 15x15 does not fit"),
        (
            f"{MUON} network.layers=[{{kind='flatten'}},{{kind='dense',units=10}}]",
            "muon is for networks with three or more layers that have weights; this one has 1",
        ),
        ("network.layers.8.units=1000000000", "allocate"),
        ("training.epochs=0", "training.epochs: should be"),
        ("split.hold_out=3000", "Cannot hold out 3000 of 3,000 rows"),
        ("split.hold_out=5", "Cannot hold out 5 of 3,000 rows"),
    ],
)
def test_a_wrong_recipe_is_one_line_and_leaves_no_run(
    workspace: Workspace, overrides: str, message: str
) -> None:
    plan = plan_of(workspace, overrides=overrides)
    with pytest.raises(PipelineError) as caught:
        train(plan)
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert not run_of(plan).folder.exists()


def test_a_wrong_recipe_leaves_the_run_as_it_was(workspace: Workspace) -> None:
    run = workspace.run("practice-smoke")
    before = {path: path.read_bytes() for path in run.folder.iterdir()}
    with pytest.raises(PipelineError):
        train(plan_of(workspace, run="practice-smoke", overrides="network.layers.9.units=7"))
    assert before == {path: path.read_bytes() for path in run.folder.iterdir()}


@pytest.mark.parametrize(
    ("optimizer", "rates"),
    [
        ("kind='sgd',learning_rate=1e30", "optimizer.learning_rate"),
        (
            "kind='muon',learning_rate=0.1,matrix_rate=1e38",
            "optimizer.learning_rate or optimizer.matrix_rate",
        ),
    ],
)
def test_a_training_that_diverges_says_what_to_change(
    workspace: Workspace, optimizer: str, rates: str
) -> None:
    dense = "{kind='dense',units=9}, {kind='dense',units=9}, {kind='dense',units=10}"
    overrides = f"optimizer={{{optimizer}}} network.layers=[{{kind='flatten'}}, {dense}]"
    plan = plan_of(workspace, overrides=overrides)
    with pytest.raises(PipelineError, match=f"Training of {plan.run} diverged") as caught:
        train(plan)
    assert caught.value.remedy == f"Lower the recipe's {rates}."
    assert not run_of(plan).training.exists()
    # Going on from the last checkpoint would only diverge again.
    assert not run_of(plan).checkpoint.exists()


def test_rows_of_a_large_file_are_read_past_its_map_to_the_same_bits(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = batches._read_rows
    seen: list[int] = []

    def noted(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
        seen.append(len(rows))
        return read(images, rows)

    monkeypatch.setattr(batches, "MAPPED_BYTES", 100)
    monkeypatch.setattr(batches, "_read_rows", noted)
    again = plan_of(workspace, run="again")
    train(again)
    assert seen
    assert_same_model(run_of(plan_of(workspace)), run_of(again))
