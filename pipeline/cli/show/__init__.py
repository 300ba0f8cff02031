"""Results for people's eyes: one function for each stage, printing to a rich console.

On a terminal there are colours; elsewhere plain aligned lines, never cut to a width.
"""

from pipeline.cli.show.comparison import show_compare
from pipeline.cli.show.console import make_console, show_facts, show_line, show_unchanged
from pipeline.cli.show.digits import show_errors, show_look, show_picture
from pipeline.cli.show.on_kaggle import show_notebook, show_push
from pipeline.cli.show.outcome import (
    show_check,
    show_runs,
    show_submission,
    show_submit,
    show_summary,
)
from pipeline.cli.show.pages import show_report
from pipeline.cli.show.preparation import show_download, show_preprocess
from pipeline.cli.show.seeds import show_seeds
from pipeline.cli.show.tracing import show_reproduce, show_trace
from pipeline.cli.show.training import TrainingDisplay, show_train
from pipeline.cli.show.tuning import TuningDisplay, show_tune
from pipeline.cli.show.validation import show_validate

__all__ = [
    "TrainingDisplay",
    "TuningDisplay",
    "make_console",
    "show_check",
    "show_compare",
    "show_download",
    "show_errors",
    "show_facts",
    "show_line",
    "show_look",
    "show_notebook",
    "show_picture",
    "show_preprocess",
    "show_push",
    "show_report",
    "show_reproduce",
    "show_runs",
    "show_seeds",
    "show_submission",
    "show_submit",
    "show_summary",
    "show_trace",
    "show_train",
    "show_tune",
    "show_unchanged",
    "show_validate",
]
