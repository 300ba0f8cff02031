"""From Kaggle's digits to a checked submission, around a neural network written in NumPy.

Read it in the order in which the data flows:

1. ``plan``        what the user asked for, as one value: source, recipe, seed, run
2. ``stages``      download, preprocess, train, validate, submission, submit: one file each
3. ``sources``     where the digits come from
4. ``dataset``     CSV to checked arrays; ``folds`` splits them
5. ``recipe``      one experiment as a typed value; ``recipes/*.toml`` are the experiments
6. ``network_run`` one network from recipe to record; ``fitting`` saves it as it learns
7. ``ensemble``    several runs as one; ``members`` says which
8. ``executors``   where networks are trained: here, or on a cluster's workers
9. ``nn``          the network itself: layers, losses, optimizers, training; ``nn/plain`` says it
                   all on one page: read that first

Beside that way:

- ``tuning``        searching for better settings of a recipe
- ``report``       pages about runs: figures, digits, templates
- ``reading``      what a run reads in a digit; ``picture`` and ``ink`` make one of any picture
- ``trace``        from a score back to all that it came from; ``reproduction`` makes a run again
- ``tracking``     telling MLflow or W&B of a run
- ``notebook``     all of it as one notebook, which runs at Kaggle

docs/how-it-learns.md explains ``nn`` to those who come from a notebook.
``cli`` and ``display`` print, and ``nn/plain`` where it runs by itself; ``workspace`` alone knows
where files live.
"""

__version__ = "0.1.0"
HOW_TO_INSTALL = "Run: make install (or, into the interpreter at hand: make install VENV=)"
