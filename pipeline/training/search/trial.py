"""One trial: a network trained by the engine of every run, of which figures alone are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.digits.dataset import Labelled
from pipeline.digits.folds import Split
from pipeline.recipes.recipe import Recipe
from pipeline.system.reporter import TrainStart, reporter
from pipeline.training.fitting import History, fit, make_training, workers_for
from pipeline.training.network_run import calibrate, examples, measure

# Types only: few modules know the network.
if TYPE_CHECKING:
    from pipeline.nn import EpochResult, Training


@dataclass(frozen=True)
class Digits:
    """The labelled digits of a source, and which of them are held out; no test digit is opened."""

    labelled: Labelled
    split: Split

    def training(self, recipe: Recipe) -> Training:
        """Return the recipe's network, ready for the first epoch.

        Raises ValueError if its layers do not fit one another, MemoryError if it is too large.
        """
        return make_training(recipe, len(self.split.training_rows))

    def measure(
        self, recipe: Recipe, watch: Callable[[EpochResult, int], None], *, name: str
    ) -> tuple[float, float]:
        """Train the recipe's network; return its loss and accuracy on the held-out digits.

        These are the figures, to the last bit, that the stage train records for this recipe.
        watch: told of each evaluation, and of how many epochs there are; what it raises ends it.
        name: the trial's, for whoever listens.
        Raises FloatingPointError if training diverges, and like ``training``.
        """
        training = self.training(recipe)
        held_out = examples(self.labelled, self.split.hold_out_rows)
        epochs = training.settings.epochs

        def heard(result: EpochResult) -> None:
            reporter().epoch(result)
            watch(result, epochs)

        reporter().start(
            TrainStart(
                run=name,
                recipe=name,
                parameters=training.network.parameter_count,
                epochs=epochs,
                epochs_done=0,
                training_rows=len(self.split.training_rows),
                hold_out_rows=len(held_out.rows),
                workers=workers_for(training),
                may_stop_early=training.settings.patience > 0,
            )
        )
        fit(
            training,
            examples(self.labelled, self.split.training_rows),
            held_out,
            History(),
            checkpoint=None,
            inputs={},
            watch=heard,
            progress=reporter().step,
        )
        return measure(calibrate(training.network, recipe.prediction.views, held_out), held_out)
