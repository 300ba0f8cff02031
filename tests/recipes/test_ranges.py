"""What a search may try is checked when the recipe is read, and is no part of the experiment."""

from pathlib import Path

import pytest

from pipeline.recipes.file import RECIPE_FOLDER, RecipeFile
from pipeline.recipes.ranges import Range
from pipeline.recipes.recipe import range_faults, read_recipe, with_settings
from pipeline.system.errors import PipelineError
from pipeline.training.network_run import identifying
from tests.training.search.tuning_case import HEAD, RANGES, write_recipe


def fault(folder: Path, line: str) -> str:
    with pytest.raises(PipelineError) as caught:
        read_recipe(RecipeFile(write_recipe(folder, f"[tune.ranges]\n{line}\n")))
    return caught.value.message


def test_keys_stand_with_quotes_or_without(tmp_path: Path) -> None:
    recipe = read_recipe(RecipeFile(write_recipe(tmp_path)))
    assert recipe.tune is not None
    assert recipe.tune.trials == 6
    assert list(recipe.tune.ranges) == [
        "optimizer.learning_rate",
        "optimizer.weight_decay",
        "training.batch_size",
        "network.layers.2.units",
    ]
    assert recipe.tune.ranges["network.layers.2.units"] == Range(low=8, high=32, step=8)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('"optimizer.rate" = { low = 0, high = 1 }', "optimizer.rate: the recipe has no such"),
        ("network.layers.9.units = { low = 1, high = 2 }", "layers.9.units: the recipe has no"),
        ("augmentation.scale = { low = 0.1, high = 0.2 }", "augmentation.scale: the recipe has no"),
        ("training.batch_size = { low = 0, high = 256 }", "0 is not allowed (training.batch_size"),
        ("optimizer.beta1 = { low = 0.5, high = 1.0 }", "1.0 is not allowed (optimizer.beta1"),
        ("training.epochs = { choices = [5, 0] }", "0 is not allowed (training.epochs"),
        ("training.epochs = { choices = [5, 'x'] }", "'x' is not allowed (training.epochs"),
        ("training.epochs = { low = 6, high = 9 }", "own value 5 is not in the range"),
        ("training.epochs = { low = 4, high = 8, step = 2 }", "own value 5 is not in the range"),
        ("training.epochs = { choices = [6, 7] }", "own value 5 is not among the choices"),
        ("training.epochs = { low = 1.5, high = 9 }", "should be whole numbers"),
        ("optimizer.kind = { low = 1, high = 2 }", "'adamw' is not a number: give choices"),
        ("seed = { low = 0, high = 9 }", "seed: is not for a search"),
        ("split.hold_out = { low = 0.1, high = 0.3 }", "split.hold_out: is not for a search"),
        ("training.epochs = { low = 9, high = 1 }", "low must be below high"),
        ("training.epochs = { low = 1 }", "give low and high, or choices"),
        ("training.epochs = { low = 1, high = 8, step = 2 }", "a whole number of steps"),
        ("training.epochs = { low = 1, high = 8, step = 0 }", "a whole number of steps"),
        ("optimizer.l2 = { low = 0.0, high = 1, log = true }", "log needs a low above 0"),
        ("training.epochs = { choices = [5] }", "at least 2 items"),
        ("training.epochs = { choices = [5, 5] }", "the same choice is given twice"),
        ("training.epochs = { choices = [5, 6], low = 1 }", "choices stand alone"),
        ("training.epochs = { low = 1, high = 9, steps = 2 }", "steps: unknown key"),
        ("training.epochs = { low = '1', high = 9 }", "low: "),
        ("training.epochs = 5", "training.epochs: should be a table"),
        ("optimizer.beta1 = { low = nan, high = 1 }", "low: "),
    ],
)
def test_wrong_ranges(tmp_path: Path, line: str, text: str) -> None:
    message = fault(tmp_path, line)
    assert text in message
    assert message.startswith(f"{tmp_path / 'small.toml'}: tune.ranges")
    assert "\n" not in message


def test_smoothing_changes_what_the_loss_means(tmp_path: Path) -> None:
    line = "training.label_smoothing = { low = 0.0, high = 0.2 }"
    assert 'needs objective = "accuracy"' in fault(tmp_path, line)
    tune = f'[tune]\nobjective = "accuracy"\n[tune.ranges]\n{line}\n'
    assert read_recipe(RecipeFile(write_recipe(tmp_path, tune))).tune is not None


def test_ranges_make_no_other_experiment(tmp_path: Path) -> None:
    with_ranges = read_recipe(RecipeFile(write_recipe(tmp_path)))
    without = read_recipe(RecipeFile(write_recipe(tmp_path, "")))
    assert identifying(with_ranges) == identifying(without)
    assert with_ranges.model_dump(mode="json") == without.model_dump(mode="json")
    assert "tune" not in identifying(without)


def test_an_override_outside_of_the_ranges_is_no_fault_of_a_training(tmp_path: Path) -> None:
    recipe = read_recipe(
        RecipeFile(write_recipe(tmp_path)), overrides=("optimizer.learning_rate=0.5",)
    )
    assert recipe.optimizer.learning_rate == 0.5
    [text] = range_faults(recipe)
    assert "own value 0.5 is not in the range" in text


def test_other_settings_are_checked_like_a_file(tmp_path: Path) -> None:
    recipe = read_recipe(RecipeFile(write_recipe(tmp_path)))
    changed = with_settings(recipe, {"network.layers.2.units": 24, "training.epochs": 2})
    text = HEAD.replace("units = 16", "units = 24").replace("epochs = 5", "epochs = 2")
    expected = tmp_path / "expected.toml"
    expected.write_text(text, encoding="utf-8")
    assert changed == read_recipe(RecipeFile(expected))
    with pytest.raises(ValueError, match=r"training\.epochs: .*greater"):
        with_settings(recipe, {"training.epochs": 0})
    with pytest.raises(ValueError, match="no such key"):
        with_settings(recipe, {"network.layers.7.units": 1})


def test_numbers_are_as_short_as_the_range_allows() -> None:
    assert Range(low=0, high=1).rounded(0.123456) == 0.123
    assert Range(low=0, high=20).rounded(12.3456) == 12.35
    assert Range(low=0.999, high=0.9999).rounded(0.99912341) == 0.9991234
    assert Range(low=0.0001, high=0.1, log=True).rounded(0.000123456) == 0.0001235
    # On a step, exactly as it is written.
    assert Range(low=0.1, high=0.9, step=0.1).rounded(0.1 + 0.2) == 0.3
    assert Range(low=0, high=1, step=0.00005).rounded(0.12345) == 0.12345
    # Never beyond the ends.
    assert Range(low=0.00012345, high=0.1, log=True).rounded(0.00012345) == 0.00012345


def test_the_recipes_that_a_search_is_offered_for() -> None:
    searched = {path.stem for path in RECIPE_FOLDER.glob("*.toml") if "[tune" in path.read_text()}
    assert searched == {"mlp", "quick"}
    for name in searched:
        recipe = read_recipe(RecipeFile(RECIPE_FOLDER / f"{name}.toml"))
        assert recipe.tune is not None
        assert recipe.tune.trials == 40


def test_ranges_alone_are_the_whole_section(tmp_path: Path) -> None:
    ranges = RANGES.replace("trials = 6", "")
    recipe = read_recipe(RecipeFile(write_recipe(tmp_path, ranges)))
    assert recipe.tune is not None
    assert (recipe.tune.trials, recipe.tune.objective) == (40, "loss")
