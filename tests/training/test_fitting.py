from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.nn import Training
from pipeline.recipes.file import RECIPE_FOLDER, RecipeFile
from pipeline.recipes.recipe import read_recipe
from pipeline.system.errors import PipelineError
from pipeline.training.checkpoint import save_checkpoint
from pipeline.training.fitting import COLUMNS, History, make_training, memory_of, resume
from tests.listeners import heard_by

HEADER = f"{','.join(COLUMNS)}\n"


def test_a_history_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    written = History([[1.0, 0.5, 0.25, 0.75, 0.1, 1000.0, 1.5], [2.0, *[0.125] * 6]])
    written.write(path)
    read = History.read(path)
    assert read == written
    assert read.column("hold_out_loss") == [0.25, 0.125]


@pytest.mark.parametrize(
    "text",
    ["", "epoch,loss\n1,2\n", HEADER, f"{HEADER}1,0.5\n", f"{HEADER}1,2,3,4,5,6,x\n"],
    ids=["empty", "columns", "no rows", "cut short", "no number"],
)
def test_a_damaged_history_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "history.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PipelineError, match=r"history\.csv is damaged") as failure:
        History.read(path)
    assert failure.value.remedy == f"Run: make train RUN={tmp_path.name} FORCE=1"


def test_a_missing_history_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="There is no"):
        History.read(tmp_path / "history.csv")


@pytest.mark.parametrize(
    "row", ["nan,1,1,1,1,1,1", "1,nan,1,1,1,1,1", "1,1,1,1,nan,1,1", "0.5,1,1,1,1,1,1"]
)
def test_a_history_without_numbers_is_damaged(tmp_path: Path, row: str) -> None:
    path = tmp_path / "history.csv"
    path.write_text(f"{HEADER}{row}\n", encoding="utf-8")
    with pytest.raises(PipelineError, match=r"history\.csv is damaged"):
        History.read(path)


def training() -> Training:
    return make_training(read_recipe(RecipeFile(RECIPE_FOLDER / "smoke.toml")), 40)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("best", np.array("text")),
        ("best", None),
        ("average", np.nan),
        ("counters", np.array([99, 0, 0])),
        ("counters", np.array([-1, 0, 0])),
        ("history", np.zeros(0)),
        ("history", np.zeros((1, 2))),
        ("history", np.full((1, len(COLUMNS)), np.nan)),
        ("best_loss", np.array(np.nan)),
    ],
)
def test_a_training_begins_anew_and_clean_after_a_damaged_checkpoint(
    tmp_path: Path, name: str, value: Any
) -> None:
    """Not with a part of what the checkpoint holds."""
    path, clean, told = tmp_path / "checkpoint.npz", training(), list[str]()
    state = {key: array + 0 for key, array in clean.state().items()}
    state["vector"] = state["vector"] + 1
    state |= {"history": np.ones((1, len(COLUMNS)))}
    if value is None:
        state[name] = state[name].astype(np.float64)
    elif isinstance(value, np.ndarray):
        state[name] = value
    else:
        state[name] = np.full_like(state[name], value)
    save_checkpoint(path, {"a": 1}, state)
    found = training()
    assert heard_by(told.append, resume, found, path, {"a": 1}).rows == []
    assert told == [f"{path} is damaged: training starts anew."]
    for key, array in clean.state().items():
        np.testing.assert_array_equal(found.state()[key], array, err_msg=key)


@pytest.mark.parametrize(
    ("recipe", "measured"), [("mlp", 189), ("quick", 330), ("strong", 384), ("pooled", 346)]
)
def test_the_memory_of_a_training_is_guessed_from_above(recipe: str, measured: int) -> None:
    """measured: MB that its processes have written at most, with two workers."""
    read = read_recipe(RecipeFile(RECIPE_FOLDER / f"{recipe}.toml"))
    guessed = memory_of(read, 42_000, workers=2)
    assert measured <= guessed / 1_000_000 <= 3 * measured
    assert memory_of(read, 42_000, workers=1) < guessed < memory_of(read, 42_000, workers=3)


def test_gradient_descent_keeps_all_digits_in_memory() -> None:
    file = RecipeFile(RECIPE_FOLDER / "smoke.toml")
    few, many = (
        [memory_of(recipe, rows, workers=1) for rows in (1_000, 101_000)]
        for recipe in (
            read_recipe(file, overrides=("training.batch_size=64",)),
            read_recipe(file, overrides=("training.batch_size=all",)),
        )
    )
    assert few[0] == few[1]
    assert many[1] - many[0] == 4 * 784 * 100_000
