"""From Kaggle's digits to a checked submission, around a network written in NumPy.

The rooms from top to bottom; each imports from itself and from those below it:

- ``cli``       what one types, and what one reads in the terminal
- ``stages``    the way from source to score: a file for each stage
- ``analysis``  what one asks afterwards, of a digit, a run, several runs, a score
- ``tracking``  tells MLflow or W&B of a run
- ``pages``     what is written to be read: HTML pages, the notebook
- ``runs``      what a run left behind, read back, measured, listed, blended
- ``training``  networks trained: one, several at once, on a cluster, many in a search
- ``digits``    from any source to checked arrays and splits; pictures of one's own
- ``plan``      what was asked for, and where its files are
- ``recipes``   an experiment as a value, and the built-in ones as TOML
- ``kaggle``    the only room that knows the kaggle package
- ``nn``        the network: NumPy and nothing else
- ``system``    whole files, locks, records, cores, errors in a line

``nn/plain`` is the network on one page: read that first; docs/how-it-learns.md explains it to those
who come from a notebook. Then follow a training downwards: ``cli/commands/stages``,
``plan/plan``, ``stages/train``, ``training/network_run``, ``training/fitting``, ``nn/training``.
"""

__version__ = "0.1.0"
HOW_TO_INSTALL = "Run: make install (or, into the interpreter at hand: make install VENV=)"
