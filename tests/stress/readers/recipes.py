"""Recipes: of a network, of an ensemble, and single values that override one."""

import json
import tomllib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from pipeline.plan.members import Member, members_of, read_members
from pipeline.plan.plan import make_plan, split_overrides
from pipeline.recipes.file import RECIPE_FOLDER, RecipeFile
from pipeline.recipes.recipe import Recipe, read_recipe, recipe_of_record
from pipeline.system.errors import PipelineError
from pipeline.training.fitting import make_training
from tests.stress.mutations import TEXTS, change_bytes
from tests.stress.toml_changes import TOML_VALUES, change_toml

ROWS = 1_000


class RecipeToml:
    """A recipe, up to the network that it describes."""

    name = "recipe"
    most_megabytes = 1_000

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "input.toml"

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        names = ("smoke", "quick", "mlp", "notebook-10", "simard-800-elastic")
        return [(RECIPE_FOLDER / f"{name}.toml").read_bytes() for name in names]

    def mutate(self, data: bytes, rng: Random) -> bytes:
        return change_toml(data, rng)

    def read(self, data: bytes) -> Recipe:
        self.path.write_bytes(data)
        recipe = read_recipe(RecipeFile(self.path))
        _build(recipe)
        return recipe

    def check(self, data: bytes, found: Recipe) -> None:
        values = tomllib.loads(data.decode("utf-8"))
        # What a search may try is no part of what is kept of a recipe.
        assert ("tune" in values) == (found.tune is not None), "ranges that are lost"
        values.pop("tune", None)
        _same_where_given(values, found.model_dump(mode="json"))
        _check_record(found, self.folder)


class EnsembleToml:
    """The recipe of an ensemble."""

    name = "recipe of an ensemble"
    most_megabytes = 100

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "input.toml"
        (folder / "own.toml").write_bytes((RECIPE_FOLDER / "smoke.toml").read_bytes())

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        own = b"""description = "two"
[ensemble]
members = [
  { recipe = "own.toml" },
  { recipe = "smoke", seed = 1, set = ["training.epochs=1", "split.refit=true"] },
  { recipe = "mlp" },
]
"""
        return [own, (RECIPE_FOLDER / "best.toml").read_bytes()]

    def mutate(self, data: bytes, rng: Random) -> bytes:
        return change_toml(data, rng)

    def read(self, data: bytes) -> list[Member] | None:
        self.path.write_bytes(data)
        plan = make_plan(
            source="practice",
            recipe=str(self.path),
            seed=1,
            data=self.folder / "data",
            submissions=self.folder / "submissions",
            environment={},
        )
        plans = members_of(plan)
        assert len({plan.run for plan in plans}) == len(plans), "two members of one name"
        return read_members(RecipeFile(self.path))

    def check(self, data: bytes, found: list[Member] | None) -> None:
        values = tomllib.loads(data.decode("utf-8"))
        if found is None:
            assert "ensemble" not in values, "an ensemble taken for a network"
            return
        given = values["ensemble"]["members"]
        assert len(found) == len(given), "another number of members"
        for member, table in zip(found, given, strict=True):
            assert member.recipe.path.is_file(), "a member without a recipe"
            assert member.seed == table.get("seed"), "another seed"
            assert list(member.overrides) == table.get("set", []), "other overrides"
            assert member.seed is None or member.seed >= 0, "a negative seed"


class Overrides:
    """What SET says."""

    name = "SET"
    most_megabytes = 1_000

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = RECIPE_FOLDER / "smoke.toml"

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        return [
            b"training.epochs=5",
            b'optimizer.kind=sgd description="a b"  split.refit=true',
            b"network.layers.2.filters=8 network.layers.8.units=3",
            b"schedule={kind='step', every_epochs = 2} augmentation.scale=0.1",
            b"split.seed=2 split.hold_out=30 training.batch_size=all",
        ]

    def mutate(self, data: bytes, rng: Random) -> bytes:
        parts = data.split(b" ")
        number = rng.randrange(len(parts))
        key, _, value = parts[number].partition(b"=")
        new = rng.choice((*TOML_VALUES, *TEXTS)).encode("utf-8", "surrogatepass")
        kind = rng.randrange(5)
        if kind == 0:
            return change_bytes(data, rng, words=(b"=", b".", b" ", b"0", b"[", b"training", b"a."))
        if kind == 1:
            key = rng.choice((b"seed", b"network.layers.0", b"network.layers.-1", b"split", key))
        if kind == 2:
            key += rng.choice((b".kind", b".0", b".", b".a.b", b"." + b"a." * 2_000))
        parts[number] = key + b"=" + (new if kind > 1 else value)
        return b" ".join(parts)

    def read(self, data: bytes) -> tuple[tuple[str, ...], Recipe]:
        overrides = split_overrides(data.decode("utf-8", "surrogateescape"))
        recipe = read_recipe(RecipeFile(self.path), overrides=overrides)
        _build(recipe)
        return overrides, recipe

    def check(self, data: bytes, found: tuple[tuple[str, ...], Recipe]) -> None:
        overrides, recipe = found
        expected = tomllib.loads(self.path.read_text(encoding="utf-8"))
        for override in overrides:
            key, _, text = override.partition("=")
            try:
                value = tomllib.loads(f"value = {text}")["value"]
            except ValueError:  # also of numbers with more digits than Python takes
                value = text
            *parents, last = (int(p) if p.lstrip("-").isdigit() else p for p in key.split("."))
            target: Any = expected
            for parent in parents:
                if isinstance(target, dict):
                    target.setdefault(parent, {})
                target = target[parent]
            target[last] = value
        _same_where_given(expected, recipe.model_dump(mode="json"))
        _check_record(recipe, self.folder)


def _build(recipe: Recipe) -> None:
    """Make what training makes; it refuses with these errors what does not fit together."""
    try:
        training = make_training(recipe, ROWS)
    except (ValueError, MemoryError) as error:
        raise PipelineError(" ".join(str(error).split()) or "no memory") from None
    assert np.isfinite(training.network.vector).all(), "a weight that is no number"
    assert training.network.output_shape == (10,), "not ten logits"


def _same_where_given(given: Any, found: Any, where: str = "recipe") -> None:
    """Whatever the file says stands in the recipe."""
    if isinstance(given, dict):
        for key, value in given.items():
            _same_where_given(value, found[key], f"{where}.{key}")
    elif isinstance(given, list):
        assert len(given) == len(found), f"{where} is another list"
        for one, other in zip(given, found, strict=True):
            _same_where_given(one, other, where)
    else:
        assert given == found, f"{where} is another value"


def _check_record(recipe: Recipe, folder: Path) -> None:
    """The recipe is the same after it was kept in a run's folder."""
    path = folder / "recipe.json"
    path.write_text(json.dumps(recipe.model_dump(mode="json")), encoding="utf-8")
    assert recipe_of_record(path) == recipe.model_copy(update={"tune": None}), (
        "its record is another recipe"
    )
