import io
from pathlib import Path

from pipeline.analysis.report import ReportResult
from pipeline.cli import show
from pipeline.runs.metrics import Accuracy


def test_report_says_where_the_page_is() -> None:
    path = Path("data/runs/r [b]/report.html")
    result = ReportResult(
        "r", Accuracy(value=0.95, low=0.93, high=0.97, correct=285, rows=300), path, 1_234_567
    )
    stream = io.StringIO()
    show.show_report(show.make_console(stream), result)
    assert stream.getvalue() == (
        "report: a page about r, 0.9500 on hold-out\n"
        f"  page      {path} (1,235 kB)\n"
        "  hold-out  0.9500  (95 % interval 0.9300 to 0.9700)\n"
    )
