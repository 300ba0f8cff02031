"""Results for people's eyes: one function for each stage, printing to a rich console.

On a terminal there are colours; elsewhere plain aligned lines, never cut to a width.
"""

from pipeline.display.comparison import show_compare
from pipeline.display.console import make_console, show_facts, show_line, show_unchanged
from pipeline.display.digits import show_errors, show_look, show_picture
from pipeline.display.on_kaggle import show_notebook, show_push
from pipeline.display.outcome import (
    show_check,
    show_results,
    show_runs,
    show_submission,
    show_submit,
    show_summary,
)
from pipeline.display.pages import show_report
from pipeline.display.preparation import show_download, show_preprocess
from pipeline.display.seeds import show_seeds
from pipeline.display.tracing import show_reproduce, show_trace
from pipeline.display.training import TrainingDisplay, show_train
from pipeline.display.tuning import TuningDisplay, show_tune
from pipeline.display.validation import show_validate

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
    "show_results",
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
