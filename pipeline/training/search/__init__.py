"""Searching for better settings of a recipe, on its own held-out digits; optuna proposes them.

``search`` tries one set of values after the other, ``trial`` trains one, ``storage`` keeps them
all; ``outcome`` is what came of it, and ``importance`` which settings mattered. Only ``search``,
``storage`` and ``importance`` import optuna, which is an extra.
"""

import importlib.util

from pipeline.system.errors import PipelineError


def require_optuna() -> None:
    """Raise PipelineError if the package that proposes settings is not installed."""
    if importlib.util.find_spec("optuna") is None:
        raise PipelineError(
            "The package optuna is not installed, which a search needs",
            remedy="Run: make tune (or, into the interpreter at hand: pip install -e '.[optuna]')",
        )
