from pathlib import Path

import pytest

from pipeline.runs.ledger import LedgerLine, read_ledger, write_line
from pipeline.system.errors import PipelineError

LINE = LedgerLine(
    sent_at="2026-01-02T03:04:05+00:00",
    run="kaggle-mlp",
    file="kaggle-mlp.csv",
    csv_sha256="ab" * 32,
    message="[abababababab] run kaggle-mlp",
    status="SENDING",
    hold_out_accuracy=0.9861,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "submissions" / "ledger.jsonl"


def test_there_is_nothing_before_the_first_submission(path: Path) -> None:
    assert read_ledger(path) == []


def test_a_line_comes_back_as_it_was_written(path: Path) -> None:
    write_line(path, LINE)
    assert read_ledger(path) == [LINE]
    assert path.read_text().count("\n") == 1


def test_a_line_is_replaced_in_place_by_its_message(path: Path) -> None:
    other = LINE.model_copy(update={"message": "[ab again 2] run kaggle-mlp"})
    scored = LINE.model_copy(update={"status": "COMPLETE", "ref": 7, "public_score": 0.98})
    write_line(path, LINE)
    write_line(path, other)
    write_line(path, scored)
    assert read_ledger(path) == [scored, other]


def test_a_last_line_cut_short_is_passed_over_and_then_replaced(path: Path) -> None:
    other = LINE.model_copy(update={"message": "other"})
    write_line(path, LINE)
    write_line(path, other)
    path.write_bytes(path.read_bytes()[:-40])
    assert read_ledger(path) == [LINE]
    write_line(path, other)
    assert read_ledger(path) == [LINE, other]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ('{"sent_at": ', "line 2 is damaged: not JSON"),
        ("[1]", "line 2 is damaged: it is not a JSON object"),
        ('{"sent_at": "x"}', "line 2 is damaged: run: missing key"),
    ],
)
def test_damage_in_the_middle_names_the_line(path: Path, row: str, complaint: str) -> None:
    write_line(path, LINE)
    path.write_text(path.read_text() + row + "\n" + path.read_text())
    with pytest.raises(PipelineError, match=complaint):
        read_ledger(path)


def test_an_unknown_status_is_damage(path: Path) -> None:
    write_line(path, LINE)
    path.write_text(path.read_text().replace("SENDING", "SENT"))
    with pytest.raises(PipelineError, match="status: should be 'SENDING', 'PENDING'"):
        read_ledger(path)


def test_fields_of_a_later_version_are_passed_over(path: Path) -> None:
    write_line(path, LINE)
    path.write_text(path.read_text().replace('"run"', '"team": "x", "run"'))
    assert read_ledger(path) == [LINE]


def test_a_failed_write_leaves_the_ledger_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_line(path, LINE)

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        write_line(path, LINE.model_copy(update={"message": "other"}))
    assert read_ledger(path) == [LINE]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "changes",
    [
        '"public_score": "0.9"',
        '"public_score": NaN',
        '"hold_out_accuracy": 1.5',
        '"ref": "7"',
        '"ref": [7]',
        '"seed": 0.5',
        '"dirty": "no"',
        '"error": "\\ud800"',
        f'"error": {"[" * 50_000}{"]" * 50_000}',
        '"error": "\udcff"',
    ],
)
def test_values_of_another_kind_are_damage(path: Path, changes: str) -> None:
    write_line(path, LINE)
    text = path.read_text().rstrip("}\n") + f", {changes}}}\n"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(PipelineError, match="line 1 is damaged"):
        read_ledger(path)
