"""A recipe is checked to the last key, and what is wrong with it is said in its own words."""

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest

from pipeline.nn import Network
from pipeline.nn.network import LAYERS
from pipeline.plan.members import read_members
from pipeline.recipes.file import RECIPE_FOLDER, RecipeFile
from pipeline.recipes.recipe import Recipe, read_recipe
from pipeline.recipes.sections import Initializer, Layer, Optimizer, Schedule
from pipeline.system.errors import PipelineError
from pipeline.training.fitting import make_training

FILES = [RecipeFile(path) for path in sorted(RECIPE_FOLDER.glob("*.toml"))]
BUILT_IN = [file for file in FILES if read_members(file) is None]
ENSEMBLES = [file for file in FILES if read_members(file)]
SMOKE = RECIPE_FOLDER / "smoke.toml"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe of the user's own, to be edited."""
    return shutil.copyfile(SMOKE, tmp_path / "mine.toml")


def edit(recipe: Path, old: str, new: str) -> None:
    text = recipe.read_text(encoding="utf-8")
    assert text.count(old) == 1
    recipe.write_text(text.replace(old, new), encoding="utf-8")


def message(recipe: Path, *overrides: str) -> str:
    """The one line that says what is wrong, without the file's name, which it begins with."""
    with pytest.raises(PipelineError) as caught:
        read_recipe(RecipeFile(recipe), overrides=overrides)
    assert caught.value.remedy
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith(f"{recipe}: ")
    return caught.value.message.removeprefix(f"{recipe}: ")


# ---- the recipes that come with the pipeline ---------------------------------------------------
@pytest.mark.parametrize("file", BUILT_IN, ids=lambda file: file.name)
def test_every_built_in_recipe_makes_a_training(file: RecipeFile) -> None:
    recipe = read_recipe(file)
    training = make_training(recipe, 42_000)
    assert training.network.output_shape == (10,)
    assert training.settings.epochs == recipe.training.epochs
    assert recipe.description


@pytest.mark.parametrize("file", BUILT_IN, ids=lambda file: file.name)
def test_a_recipe_can_be_sent_to_another_process(file: RecipeFile) -> None:
    recipe = read_recipe(file)
    assert pickle.loads(pickle.dumps(recipe)) == recipe


@pytest.mark.parametrize("file", ENSEMBLES, ids=lambda file: file.name)
def test_every_built_in_ensemble_names_recipes_that_there_are(file: RecipeFile) -> None:
    members = read_members(file)
    assert members
    assert {member.recipe for member in members} <= set(BUILT_IN)


@pytest.mark.parametrize(
    ("rows", "epochs"), [(6400, 3), (640, 10), (641, 10), (704, 10), (705, 9), (1, 100)]
)
def test_few_digits_are_gone_through_more_often(rows: int, epochs: int) -> None:
    """100 steps at least, of 64 digits each."""
    recipe = read_recipe(RecipeFile(SMOKE), overrides=("training.least_steps=100",))
    assert make_training(recipe, rows).settings.epochs == epochs


def test_what_locks_nothing_is_on_record_as_before_there_was_a_lock() -> None:
    plain = read_recipe(RecipeFile(SMOKE))
    assert set(plain.model_dump()["split"]) == {"hold_out", "folds", "fold", "seed", "refit"}
    assert plain.split.record == {"kind": "hold_out", "size": 0.2, "seed": 0}
    assert read_recipe(RecipeFile(SMOKE), overrides=("split.locked=0.0",)) == plain
    locked = read_recipe(RecipeFile(SMOKE), overrides=("split.locked=0.25",), fold=(1, 3))
    assert locked.model_dump()["split"]["locked"] == 0.25
    record = {"kind": "fold", "folds": 3, "fold": 1, "seed": 0, "locked": 0.25}
    assert locked.split.record == record
    assert Recipe.model_validate(locked.model_dump(mode="json")) == locked


def test_a_recipe_is_read_as_it_is_written() -> None:
    recipe = read_recipe(RecipeFile(SMOKE))
    assert recipe.split.hold_out == 0.2
    assert [layer.kind for layer in recipe.network.layers][:3] == ["crop2d", "avg_pool2d", "conv2d"]
    assert recipe.optimizer.kind == "adamw"
    assert recipe.optimizer.learning_rate == 0.01
    assert (recipe.training.epochs, recipe.training.batch_size) == (3, 64)
    assert recipe.seed == 0


def test_the_smallest_recipe_has_every_kind_of_layer_but_one() -> None:
    kinds = {layer.kind for layer in read_recipe(RecipeFile(SMOKE)).network.layers}
    assert kinds == set(LAYERS) - {"global_avg_pool"}


def test_the_seed_of_the_call_goes_before_the_recipe_s() -> None:
    assert read_recipe(RecipeFile(SMOKE), seed=7).seed == 7
    assert read_recipe(RecipeFile(SMOKE), seed=7, overrides=("seed=3",)).seed == 7
    assert read_recipe(RecipeFile(SMOKE), overrides=("seed=3",)).seed == 3


# ---- image layers ------------------------------------------------------------------------------
CONV_LAYERS = """layers = [
  { kind = "conv2d", filters = 6, kernel = [5, 3], stride = 2, padding = [2, 1] },
  { kind = "relu" },
  { kind = "max_pool2d" },
  { kind = "conv2d", filters = 8, padding = 1, weight = { kind = "glorot" } },
  { kind = "avg_pool2d", size = [3, 2], stride = [2, 1] },
  { kind = "dropout", rate = 0.5, channels = true },
  { kind = "conv2d", filters = 10, kernel = 1, bias = { kind = "constant", value = 0.5 } },
  { kind = "global_avg_pool" },
]
"""


def with_layers(recipe: Path, layers: str) -> Path:
    """Put other layers in place of the recipe's."""
    text = recipe.read_text(encoding="utf-8")
    start, end = text.index("layers = ["), text.index("[optimizer]")
    recipe.write_text(text[:start] + layers + text[end:], encoding="utf-8")
    return recipe


def test_a_convolutional_recipe_makes_a_training(recipe: Path) -> None:
    training = make_training(read_recipe(RecipeFile(with_layers(recipe, CONV_LAYERS))), 42_000)
    shapes = [layer.output_shape for layer in training.network.layers]
    assert (shapes[0], shapes[3], shapes[4]) == ((14, 14, 6), (7, 7, 8), (3, 6, 8))
    assert shapes[-1] == (10,)
    weights = [layer.values.get("weight") for layer in training.network.layers]
    assert [weight.shape for weight in weights if weight is not None] == [
        (5, 3, 1, 6),
        (3, 3, 6, 8),
        (1, 1, 8, 10),
    ]
    assert (training.network.layers[6].values["bias"] == 0.5).all()


def test_what_a_layer_leaves_out_has_the_networks_own_defaults() -> None:
    """One value here and another there would make one recipe two experiments."""
    layers: list[dict[str, Any]] = [
        {"kind": "conv2d", "filters": 2},
        {"kind": "leaky_relu"},
        {"kind": "max_pool2d"},
        {"kind": "batch_norm"},
        {"kind": "dropout", "rate": 0.5},
        {"kind": "avg_pool2d"},
        {"kind": "flatten"},
        {"kind": "dense", "units": 10},
    ]
    values = read_recipe(RecipeFile(SMOKE)).model_dump()
    recipe = Recipe.model_validate({**values, "network": {"layers": layers}})
    images = np.random.default_rng(0).random((5, 28, 28, 1), np.float32)
    outputs = []
    for config in ([layer.model_dump() for layer in recipe.network.layers], layers):
        network = Network(config, (28, 28, 1))
        network.initialize(rng=np.random.default_rng(1))
        network.forward(images, training=True, rng=np.random.default_rng(2))  # moves statistics
        outputs.append(network.forward(images, training=True, rng=np.random.default_rng(2)).copy())
        outputs.append(network.vector)
    np.testing.assert_array_equal(outputs[0], outputs[2])
    np.testing.assert_array_equal(outputs[1], outputs[3])


@pytest.mark.parametrize("value", ["0", "[3, 3, 3]", "[3]", "[3, 0]", "3.0", "true", "[]"])
@pytest.mark.parametrize(
    ("layer", "key"),
    [
        ('kind = "conv2d", filters = 4', "kernel"),
        ('kind = "conv2d", filters = 4', "stride"),
        ('kind = "max_pool2d"', "size"),
        ('kind = "avg_pool2d"', "stride"),
    ],
)
def test_a_size_is_one_number_or_two(recipe: Path, layer: str, key: str, value: str) -> None:
    with_layers(recipe, f"layers = [{{ {layer}, {key} = {value} }}]\n")
    given = value.replace("true", "True")
    assert message(recipe) == (
        f"network.layers.0.{key}: should be an integer from 1 on, "
        f"or two as [rows, columns], got {given}"
    )


@pytest.mark.parametrize("value", ["-1", "[0, -1]", "[0, 0, 0]", "'same'"])
def test_a_padding_is_one_number_or_two_and_may_be_0(recipe: Path, value: str) -> None:
    edit(recipe, "filters = 4", f"filters = 4, padding = {value}")
    assert message(recipe) == (
        f"network.layers.2.padding: should be an integer from 0 on, "
        f"or two as [rows, columns], got {value}"
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (", filters = 4", "", "network.layers.2.filters: missing key"),
        ("filters = 4", "filters = 0", "network.layers.2.filters: should be greater than"),
        ("filters = 4", "filters = 4, size = 2", "network.layers.2.size: unknown key"),
        ("channels = true", "channels = 1", "network.layers.6.channels: should be a valid bool"),
    ],
)
def test_a_fault_of_an_image_layer_is_named_by_its_key(
    recipe: Path, old: str, new: str, expected: str
) -> None:
    edit(recipe, old, new)
    assert message(recipe).startswith(expected)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("filters = 4", "filters = 4, kernel = 15", r"layer 3 \(conv2d\): a kernel of 15x15 does"),
        (
            '"max_pool2d"',
            '"max_pool2d", size = [1, 13]',
            r"layer 5 \(max_pool2d\): a window of 1x13",
        ),
        ('{ kind = "flatten" },', "", r"layer 8 \(dense\): .*: flatten"),
        ('{ kind = "avg_pool2d" },', '{ kind = "global_avg_pool" },', r"layer 3 \(conv2d\): "),
    ],
)
def test_layers_that_do_not_fit_are_named_by_their_number(
    recipe: Path, old: str, new: str, expected: str
) -> None:
    edit(recipe, old, new)
    with pytest.raises(ValueError, match=f"^{expected}"):
        make_training(read_recipe(RecipeFile(recipe)), 42_000)


@pytest.mark.parametrize("sections", [Layer, Optimizer, Schedule, Initializer])
def test_every_number_has_a_legal_range(sections: Any) -> None:
    """The names and defaults are the network's; a parameter that is new there needs a range."""
    unbounded = {
        f"{section['properties']['kind']['const']}.{name}"
        for section in pydantic.TypeAdapter(sections).json_schema()["$defs"].values()
        for name, values in section["properties"].items()
        if values.get("type") in ("integer", "number")
        and not values.keys() & {"minimum", "exclusiveMinimum"}
    }
    assert unbounded <= {"constant.value", "uniform.low", "uniform.high"}


# ---- what is wrong, by the keys of the file ----------------------------------------------------
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("epochs = 3", "epoch = 3", "training.epochs: missing key; training.epoch: unknown key"),
        ("epochs = 3", "", "training.epochs: missing key"),
        ("epochs = 3", "epochs = 0", "training.epochs: should be greater than or equal to 1"),
        ("epochs = 3", "epochs = 3.0", "training.epochs: should be a valid integer, got 3.0"),
        ("epochs = 3", 'epochs = "3"', "training.epochs: should be a valid integer, got '3'"),
        ("epochs = 3", "epochs = true", "training.epochs: should be a valid integer, got True"),
        (
            "batch_size = 64",
            'batch_size = "some"',
            "training.batch_size: should be a valid integer or 'all', got 'some'",
        ),
        ("hold_out = 0.2", "folds = 5\nfold = 5", "split: fold must be below folds, which is 5"),
        ("hold_out = 0.2", "folds = 1\nfold = 0", "split.folds: should be greater than or equal"),
        ("hold_out = 0.2", "folds = 5", "split: folds and fold go together"),
        ("hold_out = 0.2", "fold = 0", "split: folds and fold go together"),
        (
            "hold_out = 0.2",
            "hold_out = 0.2\nfolds = 5\nfold = 0",
            "split: give either hold_out, or folds and fold",
        ),
        ("hold_out = 0.2", "locked = 1.0", "split.locked: should be less than 1, got 1.0"),
        ("hold_out = 0.2", "refit = 1", "split.refit: should be a valid boolean, got 1"),
        (
            "[schedule]",
            "[prediction]\nviews = 3\n[schedule]",
            "prediction.views: should be 1, 5 or 9, got 3",
        ),
        (
            "hold_out = 0.2",
            "hold_out = 1.5",
            "split.hold_out: should be less than 1 or a valid integer, got 1.5",
        ),
        (
            "learning_rate = 0.01",
            "learning_rate = nan",
            "optimizer.learning_rate: should be a finite number, got nan",
        ),
        (
            "learning_rate = 0.01",
            "learning_rate = inf",
            "optimizer.learning_rate: should be a finite number, got inf",
        ),
        (
            "learning_rate = 0.01",
            "learning_rate = 0.01\nmomentum = 0.9",
            "optimizer.momentum: unknown key",
        ),
        (
            'kind = "adamw"',
            'kind = "adam"',
            "optimizer.kind: should be one of 'sgd', 'adamw', 'muon', got 'adam'",
        ),
        ('kind = "adamw"', "", "optimizer.kind: missing key"),
        (
            'kind = "adamw"',
            'kind = "muon"\nmatrix_rate = 0.0',
            "optimizer.matrix_rate: should be greater than 0, got 0.0",
        ),
        (
            'kind = "adamw"',
            'kind = "muon"\nmomentum = 1.0',
            "optimizer.momentum: should be less than 1, got 1.0",
        ),
        (
            'kind = "adamw"',
            'kind = "muon"\nnesterov = true',
            "optimizer.nesterov: unknown key",
        ),
        ("units = 32 }", "unit = 32 }", "network.layers.8.units: missing key"),
        ("units = 32 }", "units = -1 }", "network.layers.8.units: should be greater than"),
        (
            '{ kind = "glorot" }',
            '{ kind = "normal" }',
            "network.layers.10.weight.scale: missing key",
        ),
        (
            '{ kind = "glorot" }',
            '{ kind = "uniform", low = 1.0, high = 0.0 }',
            "network.layers.10.weight: low must be below high",
        ),
        (
            '{ kind = "glorot" }',
            '{ kind = "constant", value = nan }',
            "network.layers.10.weight.value: should be a finite number, got nan",
        ),
        ('{ kind = "glorot" }', '"glorot"', "network.layers.10.weight: should be a table"),
        ('{ kind = "batch_norm" }', "7", "network.layers.5: should be a table, got 7"),
        (
            '{ kind = "batch_norm" }',
            '{ kind = "batch_norm", group = 0 }',
            "network.layers.5.group: should be greater than or equal to 1, got 0",
        ),
        ('{ kind = "leaky_relu" }', '{ kind = "tanh" }', "network.layers.9.kind: should be one of"),
        ("[schedule]", "[schedul]", "schedul: unknown key"),
        ("rate = 0.1", "rate = 1.0", "network.layers.6.rate: should be less than 1, got 1.0"),
    ],
)
def test_a_fault_is_named_by_its_key(recipe: Path, old: str, new: str, expected: str) -> None:
    edit(recipe, old, new)
    assert message(recipe).startswith(expected)


def test_several_faults_are_told_at_once(recipe: Path) -> None:
    edit(recipe, "epochs = 3", "epochs = 0")
    edit(recipe, "hold_out = 0.2", 'hold_out = "some"')
    told = message(recipe)
    assert "split.hold_out: " in told
    assert "training.epochs: " in told
    assert told.count(";") == 1


def test_nesterov_without_momentum(recipe: Path) -> None:
    table = 'kind = "sgd"\nnesterov = true'
    edit(recipe, 'kind = "adamw"', table)
    assert message(recipe) == "optimizer: Nesterov's form needs a momentum above 0"


def test_a_long_value_is_cut(recipe: Path) -> None:
    edit(recipe, "epochs = 3", f'epochs = "{"x" * 1000}"')
    assert len(message(recipe)) < 200


@pytest.mark.parametrize("content", [b"[training", b"a = ", b"\xff\xfe", b"a = 1\na = 2"])
def test_what_is_no_toml(recipe: Path, content: bytes) -> None:
    recipe.write_bytes(content)
    with pytest.raises(PipelineError, match="not valid TOML") as caught:
        read_recipe(RecipeFile(recipe))
    assert str(recipe) in caught.value.message


def test_an_empty_recipe_lacks_all_that_is_needed(recipe: Path) -> None:
    recipe.write_bytes(b"")
    assert message(recipe).startswith("description: missing key; network: missing key")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="cannot be read"):
        read_recipe(RecipeFile(tmp_path))


# ---- overrides ---------------------------------------------------------------------------------
def value_at(recipe: Recipe, key: str) -> Any:
    value: Any = recipe
    for part in key.split("."):
        value = value[int(part)] if part.isdecimal() else getattr(value, part)
    return value


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("training.epochs=5", "training.epochs", 5),
        ("training.epochs=1_000", "training.epochs", 1000),
        ("training.batch_size=all", "training.batch_size", "all"),
        ('training.batch_size="all"', "training.batch_size", "all"),
        ("optimizer.learning_rate=1e-3", "optimizer.learning_rate", 0.001),
        ("optimizer.learning_rate=1", "optimizer.learning_rate", 1.0),
        ("network.layers.8.units=7", "network.layers.8.units", 7),
        ("network.layers.6.rate=0", "network.layers.6.rate", 0.0),
        ("network.layers.2.kernel=5", "network.layers.2.kernel", 5),
        ("network.layers.2.kernel=[5, 3]", "network.layers.2.kernel", [5, 3]),
        ("network.layers.4.stride=1", "network.layers.4.stride", 1),
        ("network.layers.8.bias.value=0.5", "network.layers.8.bias.value", None),
        ("description=two words", "description", "two words"),
        ("description='a = \"b\"'", "description", 'a = "b"'),
        ("schedule.kind=one_cycle", "schedule.kind", "one_cycle"),
        ("schedule={kind='step', every_epochs=2}", "schedule.every_epochs", 2),
        ("split.hold_out=500", "split.hold_out", 500),
        ("split.seed=9", "split.seed", 9),
        (
            "optimizer={kind='sgd', learning_rate=0.1, momentum=0.9, nesterov=true}",
            "optimizer.nesterov",
            True,
        ),
        ("optimizer={kind='muon', learning_rate=0.1}", "optimizer.matrix_rate", 0.02),
    ],
)
def test_an_override_sets_one_value(override: str, key: str, value: Any) -> None:
    if value is None:  # a table that the recipe leaves to its default has no kind to keep
        assert message(SMOKE, override) == "network.layers.8.bias.kind: missing key"
        return
    changed = read_recipe(RecipeFile(SMOKE), overrides=(override,))
    assert value_at(changed, key) == value
    assert type(value_at(changed, key)) is type(value)


def test_a_list_as_a_whole() -> None:
    layers = "[{kind='flatten'}, {kind='dense', units=10}]"
    changed = read_recipe(RecipeFile(SMOKE), overrides=(f"network.layers={layers}",))
    assert [layer.kind for layer in changed.network.layers] == ["flatten", "dense"]


def test_the_last_override_counts() -> None:
    overrides = ("training.epochs=5", "training.epochs=6")
    assert read_recipe(RecipeFile(SMOKE), overrides=overrides).training.epochs == 6


def test_overrides_change_nothing_else() -> None:
    changed = read_recipe(RecipeFile(SMOKE), overrides=("training.epochs=5",)).model_dump()
    changed["training"]["epochs"] = 3
    assert changed == read_recipe(RecipeFile(SMOKE)).model_dump()


@pytest.mark.parametrize(
    "override", ["training.epochs", "=3", "training epochs=3", "training.epochs = 3", "1=2", "5"]
)
def test_what_is_no_override(override: str) -> None:
    with pytest.raises(PipelineError, match="not of the form key=value") as caught:
        read_recipe(RecipeFile(SMOKE), overrides=(override,))
    assert f"SET={override}" in caught.value.message
    assert "Example: " in caught.value.remedy


@pytest.mark.parametrize(
    "override",
    [
        "network.layers.99.units=3",
        "network.layers.x=3",
        "training.epochs.x=3",
        "description.x=3",
    ],
)
def test_an_override_of_what_is_not_there(override: str) -> None:
    with pytest.raises(PipelineError, match="the recipe has no such key") as caught:
        read_recipe(RecipeFile(SMOKE), overrides=(override,))
    assert f"SET={override}" in caught.value.message


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("epochs=5", "epochs: unknown key"),
        ("training.epoch=5", "training.epoch: unknown key"),
        ("training.epochs=many", "training.epochs: should be a valid integer, got 'many'"),
        ("training.epochs=", "training.epochs: should be a valid integer, got ''"),
        ("training=5", "training: should be a table, got 5"),
    ],
)
def test_an_override_is_checked_like_the_file(override: str, expected: str) -> None:
    assert message(SMOKE, override) == expected
    with pytest.raises(PipelineError) as caught:
        read_recipe(RecipeFile(SMOKE), overrides=(override,))
    assert override in caught.value.remedy


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (f"training.epochs={'9' * 5_000}", "training.epochs"),
        (f"training.epochs={'[' * 3_000}", "training.epochs"),
        ("training.epochs=18446744073709551616", "training.epochs"),
        ("split.hold_out=[]", "split.hold_out"),
        # A second line would be a second key, which nobody would see is not set.
        ("training.epochs=1\nseed = 3", "training.epochs"),
    ],
    ids=["digits", "nested", "bits", "list", "two lines"],
)
def test_an_override_beyond_its_limits_is_refused(
    recipe: Path, override: str, expected: str
) -> None:
    assert expected in message(recipe, override)


def test_a_key_of_thousands_of_parts_is_refused(recipe: Path) -> None:
    with pytest.raises(PipelineError, match="the recipe has no such key"):
        read_recipe(RecipeFile(recipe), overrides=(f"split.folds{'.a' * 3_000}=1",))
