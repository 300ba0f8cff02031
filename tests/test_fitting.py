from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.fitting import COLUMNS, History

HEADER = f"{','.join(COLUMNS)}\n"


def test_a_history_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    written = History([[1.0, 0.5, 0.25, 0.75, 0.1, 1000.0, 1.5], [2.0, *[0.125] * 6]])
    written.write(path)
    read = History.read(path)
    assert read == written
    assert read.column("hold_out_loss") == [0.25, 0.125]


@pytest.mark.parametrize(
    "text",
    ["", "epoch,loss\n1,2\n", HEADER, f"{HEADER}1,0.5\n", f"{HEADER}1,2,3,4,5,6,x\n"],
    ids=["empty", "columns", "no rows", "cut short", "no number"],
)
def test_a_damaged_history_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "history.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PipelineError, match=r"history\.csv is damaged") as failure:
        History.read(path)
    assert failure.value.remedy == "Run: make train FORCE=1"


def test_a_missing_history_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="There is no"):
        History.read(tmp_path / "history.csv")
