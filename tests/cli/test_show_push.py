"""What is shown of a notebook: where it is, and what to do with it."""

import io
from pathlib import Path

from pipeline.cli.show.console import make_console
from pipeline.cli.show.push import show_notebook, show_push
from pipeline.stages.notebook import NotebookResult
from pipeline.stages.push import PushResult

URL = "https://www.kaggle.com/code/ada/digit-recognizer-numpy-quick"


def shown_notebook(*, unchanged: bool) -> str:
    path = Path("data/notebook/quick/digit-recognizer-numpy.ipynb")
    stream = io.StringIO()
    show_notebook(
        make_console(stream),
        NotebookResult(unchanged, path, path, "Digit Recognizer NumPy quick", "commit 0123456"),
    )
    return stream.getvalue()


def shown_push(*, unchanged: bool) -> str:
    stream = io.StringIO()
    show_push(make_console(stream), PushResult(unchanged, URL, 7, "2026-01-02T03:04:05+00:00"))
    return stream.getvalue()


def test_a_notebook_says_where_it_is_and_how_it_gets_to_kaggle() -> None:
    lines = shown_notebook(unchanged=False).splitlines()
    assert lines[0] == "notebook: Digit Recognizer NumPy quick, from commit 0123456"
    assert lines[1].endswith("  data/notebook/quick/digit-recognizer-numpy.ipynb")
    assert "make push" in lines[2]
    assert shown_notebook(unchanged=True) == "notebook: up to date (FORCE=1 to do it again)\n"


def test_a_push_says_where_it_runs_and_what_comes_next() -> None:
    text = shown_push(unchanged=False)
    assert text.startswith("push: version 7 is at Kaggle, and runs there by itself\n")
    assert URL in text
    assert "Submit to Competition" in text


def test_an_earlier_push_can_be_told_from_a_new_one() -> None:
    text = shown_push(unchanged=True)
    assert text.startswith("push: pushed before, on 2026-01-02 (FORCE=1 to push it again)\n")
    assert URL in text


def test_texts_of_others_do_nothing_to_a_terminal() -> None:
    stream = io.StringIO()
    console = make_console(stream)
    result = PushResult(False, "https://x.test/\x1b[31m[red]a[/red]", 3, "2026-01-01")
    show_push(console, result)
    assert r"https://x.test/\x1b[31m[red]a[/red]" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
