"""The ledger of submissions: one line of JSON for each one sent, so that none is sent twice."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pipeline.kaggle.answers import Submission
from pipeline.system import provenance, records
from pipeline.system.errors import PipelineError
from pipeline.system.files import parse_json, write_text
from pipeline.system.records import Share, Whole

Status = Literal["SENDING", "PENDING", "COMPLETE", "ERROR"]


class LedgerLine(records.Record):
    """One submission, from just before it is sent until its score is known.

    status: SENDING until Kaggle has given it a number (``ref``); then Kaggle's own.
        ERROR without a ref: it never reached Kaggle.
    message: the description that Kaggle shows; unique to the submission, so it names the line.
    commit, dirty, model_sha256: of the run's training, as its record says.
    Times are UTC in ISO format.  Scores are accuracies, None while unknown.
    """

    sent_at: str
    run: str
    file: str
    csv_sha256: str
    message: str
    status: Status
    ref: Whole | None = None
    public_score: Share | None = None
    private_score: Share | None = None
    hold_out_accuracy: Share | None = None
    recipe: str | None = None
    seed: Whole | None = None
    source: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    model_sha256: str | None = None
    error: str | None = None

    @property
    def reached_kaggle(self) -> bool:
        return self.ref is not None

    @property
    def mark(self) -> str:
        """The part of the message by which Kaggle's list is searched.

        It stands at the front, in case Kaggle cuts long messages.
        """
        return self.message[: self.message.find("]") + 1]

    def updated(self, submission: Submission) -> "LedgerLine":
        """Return the line with what Kaggle tells now."""
        return self.model_copy(
            update={
                "ref": submission.ref,
                "status": submission.status,
                "public_score": submission.public_score,
                "private_score": submission.private_score,
                "error": submission.error or None,
            }
        )


def new_line(record: Mapping[str, Any], csv: Path, earlier: Sequence[LedgerLine]) -> LedgerLine:
    """Return the line of a submission about to be sent, with a message that no other has.

    record: that of the CSV.  earlier: the lines of the same CSV.
    """
    accuracy, commit = record["hold_out"]["accuracy"], record.get("commit")
    times = 1 + sum(line.reached_kaggle for line in earlier)
    mark = f"[csv {record['csv_sha256'][:12]}{f' again {times}' if times > 1 else ''}]"
    message = (
        f"{mark} run {record['run']}, recipe {record.get('recipe')}, "
        f"commit {commit[:7] if commit else 'none'}, hold-out {accuracy:.5f}"
    )
    return LedgerLine(
        sent_at=provenance.now(),
        run=record["run"],
        file=csv.name,
        csv_sha256=record["csv_sha256"],
        message=message,
        status="SENDING",
        hold_out_accuracy=accuracy,
        recipe=record.get("recipe"),
        seed=record.get("seed"),
        source=record["source"],
        commit=commit,
        dirty=record.get("dirty"),
        model_sha256=record.get("inputs", {}).get("model"),
    )


def read_ledger(path: Path) -> list[LedgerLine]:
    """Return the lines, oldest first; none if there is no ledger.

    A last line that was cut short (no line end, no JSON) is passed over: Kaggle is asked about
    every submission before it is sent, so a lost line costs nothing.
    Raises PipelineError naming the line for any other damage.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return []
    lines: list[LedgerLine] = []
    for number, row in enumerate(rows := text.split("\n"), start=1):
        if not row.strip():
            continue
        try:
            lines.append(_parse(row))
        except json.JSONDecodeError as error:
            if number == len(rows):
                break
            raise _damaged(path, number, f"not JSON: {error}") from None
        except (TypeError, ValueError) as error:
            raise _damaged(path, number, str(error)) from None
    return lines


def write_line(path: Path, line: LedgerLine) -> None:
    """Put the line in place of the one with the same message, or at the end; atomically."""
    lines = read_ledger(path)
    messages = [known.message for known in lines]
    if line.message in messages:
        lines[messages.index(line.message)] = line
    else:
        lines.append(line)
    rows = (json.dumps(row.model_dump(), ensure_ascii=False) for row in lines)
    write_text(path, "".join(f"{row}\n" for row in rows))


def _parse(row: str) -> LedgerLine:
    value = parse_json(row)
    row.encode("utf-8")  # what is not UTF-8 can't be shown or written again
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return records.parse(value, LedgerLine)


def _damaged(path: Path, number: int, what: str) -> PipelineError:
    return PipelineError(
        f"{path}, line {number} is damaged: {what}",
        remedy="Mend or delete that line; Kaggle keeps its own list of your submissions.",
    )
