import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.kaggle.answers import Submission
from pipeline.runs.ledger import LedgerLine, latest, new_line, read_ledger, set_aside, write_line
from pipeline.system.errors import PipelineError
from tests.listeners import heard_by

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


# What a power cut may leave of two lines, and how many whole lines are in it.
CUTS: list[tuple[Callable[[bytes], bytes], int]] = [
    (lambda content: content[:-40], 1),
    (lambda content: content[:-1].rpartition(b"\n")[0] + b"\n" + bytes(200), 1),
    (lambda content: content + b"{", 2),
    (lambda content: content + bytes(3), 2),
    (lambda content: bytes(100) + content[100:], 1),
    (lambda content: content[:-1] + bytes(4096), 1),
    (lambda content: bytes(len(content)), 0),
]


@pytest.mark.parametrize(("cut", "whole"), CUTS)
def test_what_a_power_cut_leaves_is_told_of_and_kept_aside(
    path: Path, cut: Callable[[bytes], bytes], whole: int
) -> None:
    other = LINE.model_copy(update={"message": "other"})
    write_line(path, LINE)
    write_line(path, other)
    path.write_bytes(left := cut(path.read_bytes()))
    told: list[str] = []
    read = heard_by(told.append, read_ledger, path)
    assert read in ([LINE, other][:whole], [LINE, other][2 - whole :])
    assert ["is cut short, as by a power cut, and passed" in line for line in told] == [True]
    assert path.read_bytes() == left, "a reader writes nothing"
    copy = set_aside(path)
    assert copy == path.with_name("ledger.jsonl.damaged-1")
    assert copy.read_bytes() == left
    assert heard_by(told.append, read_ledger, path) == read
    assert len(told) == 1
    assert set_aside(path) is None


def test_a_second_power_cut_has_a_copy_of_its_own(path: Path) -> None:
    for number, text in enumerate(["{", "[1,"], start=1):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        write_line(path, LINE)
        assert path.with_name(f"ledger.jsonl.damaged-{number}").read_text() == text
        assert read_ledger(path) == [LINE]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ('{"sent_at": ', "line 2 is damaged.*: not JSON"),
        ("[1]", "line 2 is damaged.*: it is not a JSON object"),
        ('{"sent_at": "2026-01-02T03:04:05Z"}', "line 2 is damaged.*: run: missing key"),
        ('{"sent_at": "x"}', "line 2 is damaged.*: sent_at: Invalid isoformat"),
        ('{"sent_at": "2026-01-02"}', "line 2 is damaged.*: sent_at: should have an offset"),
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
    with pytest.raises(
        PipelineError,
        match=r"newer version: status: should be 'SENDING'.* or 'PENDING', 'COMPLETE' or 'ERROR'",
    ):
        read_ledger(path)


def test_fields_of_a_later_version_stay(path: Path) -> None:
    write_line(path, LINE)
    path.write_text(path.read_text().replace('"run"', '"team": {"x": [1]}, "run"'))
    [line] = read_ledger(path)
    assert (line.run, line.status) == (LINE.run, LINE.status)
    write_line(path, line.changed(status="PENDING", ref=7))
    write_line(path, LINE.model_copy(update={"message": "other"}))
    assert '"team": {"x": [1]}' in path.read_text()


def test_windows_line_ends_and_a_byte_order_mark_are_read(path: Path) -> None:
    write_line(path, LINE)
    other = LINE.model_copy(update={"message": "other"})
    write_line(path, other)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert read_ledger(path) == [LINE, other]
    assert set_aside(path) is None


def test_a_link_stays_one_and_its_file_has_the_lines(path: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared" / "all.jsonl"
    path.parent.mkdir()
    path.symlink_to(os.path.relpath(shared, path.parent))
    write_line(path, LINE)
    write_line(path, other := LINE.model_copy(update={"message": "other"}))
    assert path.is_symlink()
    assert read_ledger(shared) == read_ledger(path) == [LINE, other]


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_too_large(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(1 << 40)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (Path.mkdir, "is no file, so not the ledger"),
        (make_pipe, "is no file, so not the ledger"),
        (make_too_large, "is too large for the ledger"),
    ],
)
def test_what_can_be_no_ledger_is_refused_at_once(
    path: Path, make: Callable[[Path], None], complaint: str
) -> None:
    path.parent.mkdir()
    make(path)
    for command in (read_ledger, lambda path: write_line(path, LINE)):
        with pytest.raises(PipelineError, match=complaint):
            command(path)


@pytest.mark.parametrize(
    "changes",
    [
        *({"ref": ref} for ref in (2**70, 2**63, 0, -5, True, 7.0, "7")),
        *({"public_score": score} for score in (float("inf"), float("nan"), -0.1, 1.5, "0.5")),
        {"status": "EATEN"},
        {"error": "\ud800"},
        {"run": "\udcff"},
        {"asked_at": "soon"},
        {"asked_at": "2026-01-02T03:04:05"},
    ],
)
def test_what_would_not_be_read_is_not_written(path: Path, changes: dict[str, Any]) -> None:
    write_line(path, LINE)
    with pytest.raises(ValueError, match=r"ref|score|status|surrogates|asked|NaN|Infinity|64 bits"):
        write_line(path, LINE.model_copy(update=changes))  # which checks nothing by itself
    assert read_ledger(path) == [LINE]


def test_what_kaggle_tells_comes_back_as_it_was_written(path: Path) -> None:
    told = Submission(
        ref=2**63 - 1, status="ERROR", public_score=0, private_score=None, error="\x00\x1b" * 999
    )
    with pytest.raises(ValueError, match="NUL"):
        write_line(path, LINE.updated(told))
    shown = told.model_copy(update={"error": "no score " * 999})
    write_line(path, line := LINE.updated(shown))
    assert read_ledger(path) == [line]
    assert (line.ref, line.public_score, line.error) == (2**63 - 1, 0, "no score " * 999)


def test_a_mark_is_one_that_no_other_has(tmp_path: Path) -> None:
    record = {"run": "a", "csv_sha256": "ab" * 32, "source": "x", "hold_out": {"accuracy": 0.9}}

    def mark(*taken: str) -> str:
        return new_line(record, tmp_path / "a.csv", taken).mark

    first, second, third = "[csv abababababab]", "[csv abababababab again 2]", "again 3]"
    assert mark() == mark("[csv cdcdcdcdcdcd] run b", second) == first
    assert mark(f"{first} run a") == mark(f"{first} run a", f"[csv abababababab {third}") == second
    assert mark(f"cut: {first}", f"{second} run") == f"[csv abababababab {third}"


def test_people_mean_the_latest_that_reached_kaggle() -> None:
    reached = LINE.changed(status="COMPLETE", ref=7)
    assert latest([]) is None
    assert latest([LINE, reached, LINE]) == reached
    assert latest([LINE, other := LINE.changed(message="other")]) == other


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
