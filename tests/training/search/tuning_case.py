"""A small recipe with ranges, and a search over it in a folder of a test's own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import InMemoryStorage

from pipeline.recipes.file import RecipeFile
from pipeline.recipes.recipe import Recipe, read_recipe, value_of
from pipeline.system.reporter import Reporter
from pipeline.training.search.outcome import Trial, dimensions_of
from pipeline.training.search.storage import Place
from pipeline.training.search.study import Search, pruner, quiet

HEAD = """description = "A small network, for searches"

[split]
hold_out = 0.2

[network]
layers = [
  { kind = "crop2d", pixels = 6 },
  { kind = "flatten" },
  { kind = "dense", units = 16 },
  { kind = "relu" },
  { kind = "dense", units = 10 },
]

[optimizer]
kind = "adamw"
learning_rate = 0.01

[training]
epochs = 5
batch_size = 128
"""
RANGES = """
[tune]
trials = 6

[tune.ranges]
"optimizer.learning_rate" = { low = 0.0001, high = 0.1, log = true }
"optimizer.weight_decay" = { low = 0.0, high = 0.3 }
"training.batch_size" = { choices = [64, 128, 256] }
network.layers.2.units = { low = 8, high = 32, step = 8 }
"""


def write_recipe(folder: Path, tune: str = RANGES) -> Path:
    path = folder / "small.toml"
    path.write_text(HEAD + tune, encoding="utf-8")
    return path


@dataclass(frozen=True)
class Evaluation:
    """What a trial is told after each epoch."""

    epoch: int
    hold_out_loss: float
    hold_out_accuracy: float


@dataclass(frozen=True)
class FakeDigits:
    """Instead of a training: a loss that is lowest at a learning rate of 0.003.

    before: called with the recipe before each trial.  loss: instead of the one made up.
    """

    before: Callable[[Recipe], None] = lambda _: None
    epochs: int = 5
    loss: float | None = None

    def training(self, recipe: Recipe) -> None: ...

    def measure(
        self,
        recipe: Recipe,
        watch: Callable[[Any, int], None],
        *,
        name: str,  # noqa: ARG002
    ) -> tuple[float, float]:
        self.before(recipe)
        rate, decay = recipe.optimizer.learning_rate, recipe.optimizer.weight_decay
        loss = self.loss or 0.1 + abs(rate - 0.003) + decay / 10
        for epoch in range(1, self.epochs + 1):
            watch(Evaluation(epoch, loss * self.epochs / epoch, 1 - loss / 10), self.epochs)
        return loss, 1 - loss / 10


class Heard(Reporter):
    """Keeps the lines it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


def open_search(
    folder: Path, trials: int, digits: FakeDigits | None = None, *, in_memory: bool = False
) -> Search:
    """A search of the small recipe in ``folder``, with a made-up training.

    in_memory: its trials are kept nowhere else, which is faster.
    """
    recipe = read_recipe(RecipeFile(write_recipe(folder)))
    place = Place(None, folder / "study.sqlite3")
    with quiet():
        storage = InMemoryStorage() if in_memory else place.open()
        study = optuna.create_study(
            storage=storage, pruner=pruner(), study_name="small", load_if_exists=True
        )
    made_up: Any = digits or FakeDigits()
    return Search(study, place, recipe, dimensions_of(recipe), made_up, trials, folder / "tuning")


def run_in_memory(folder: Path, trials: int, digits: FakeDigits | None = None) -> list[Trial]:
    return open_search(folder, trials, digits, in_memory=True).run()


def own_settings(search: Search) -> dict[str, Any]:
    whole = search.recipe.model_dump()
    return {found.key: value_of(whole, found.key) for found in search.dimensions}
