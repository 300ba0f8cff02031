"""The ledger of submissions: one line of JSON for each one sent, so that none is sent twice."""

import json
import stat
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict

from pipeline.kaggle import answers
from pipeline.system import files, provenance, records
from pipeline.system.errors import PipelineError
from pipeline.system.records import Share, Whole
from pipeline.system.reporter import reporter

# Ten submissions a day for a year make 2 MB.
MOST_BYTES = 1 << 24


def _as_moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("should have an offset from UTC")
    return text


Moment = Annotated[str, AfterValidator(_as_moment)]


class LedgerLine(records.Record):
    """One submission, from just before Kaggle is asked to make it one until its score is known.

    status: SENDING from when Kaggle was asked until its answer is here: it may have arrived or
        not. Then Kaggle's own.  ERROR without a ref: it never arrived.
    ref: its number at Kaggle.  asked_at: when Kaggle was asked, by Kaggle's clock.
    message: the description that Kaggle shows; unique to the submission, so it names the line.
    commit, dirty, model_sha256: of the run's training, as its record says.
    Times are UTC in ISO format.  Scores are accuracies, None while unknown.
    What a later version adds stays as it is.
    """

    model_config = ConfigDict(extra="allow")

    sent_at: Moment
    run: str
    file: str
    csv_sha256: str
    message: str
    status: Literal["SENDING"] | answers.Status
    ref: answers.Ref | None = None
    asked_at: Moment | None = None
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
    def is_unknown(self) -> bool:
        """Whether it may be at Kaggle or not."""
        return self.status == "SENDING"

    @property
    def standing(self) -> str:
        """The status as people read it."""
        return "UNKNOWN" if self.is_unknown else self.status

    @property
    def asked(self) -> datetime:
        """When Kaggle was asked; earlier versions kept only this machine's time."""
        return datetime.fromisoformat(self.asked_at or self.sent_at)

    @property
    def mark(self) -> str:
        """The part of the message by which Kaggle's list is searched.

        It stands at the front, in case Kaggle cuts long messages.
        """
        return self.message[: self.message.find("]") + 1]

    def changed(self, **changes: Any) -> "LedgerLine":
        """Return the line with other values. Raises ValueError if they are none that can be."""
        return records.parse(self.model_dump() | changes, LedgerLine)

    def updated(self, submission: answers.Submission) -> "LedgerLine":
        """Return the line with what Kaggle tells now."""
        return self.changed(**submission.model_dump() | {"error": submission.error or None})


def start_of_marks(csv_sha256: str) -> str:
    """Return how the marks of all submissions of a CSV begin, whoever sent them from wherever."""
    return f"[csv {csv_sha256[:12]}"


def new_line(record: Mapping[str, Any], csv: Path, taken: Sequence[str] = ()) -> LedgerLine:
    """Return the line of a submission about to be sent, with a mark that no other has.

    record: that of the CSV.  taken: messages of other submissions, here and at Kaggle.
    """
    accuracy, commit = record["hold_out"]["accuracy"], record.get("commit")
    start = start_of_marks(record["csv_sha256"])
    marks = (f"{start} again {times}]" if times > 1 else f"{start}]" for times in count(1))
    mark = next(mark for mark in marks if not any(mark in message for message in taken))
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


def latest(lines: Sequence[LedgerLine]) -> LedgerLine | None:
    """Return the line that people mean: the last that reached Kaggle, else the last one."""
    reached = [line for line in lines if line.reached_kaggle] or lines
    return reached[-1] if reached else None


def read_ledger(path: Path) -> list[LedgerLine]:
    """Return the lines, oldest first; none if there is no ledger.

    What a power cut leaves, a last line cut short or zeros, is told of and passed over;
    ``set_aside`` removes it.
    Raises PipelineError naming the line for any other damage, or if it is no file of a ledger.
    """
    lines, cut = _read(path)
    if cut:
        reporter().line(
            f"{path}, line {cut[0]} is cut short, as by a power cut, and passed over: "
            "make submit keeps it aside."
        )
    return lines


def set_aside(path: Path) -> Path | None:
    """Keep a copy of a ledger that a power cut has damaged, and only whole lines in the ledger.

    Returns the copy; None, and nothing is done, if all is whole. Raises like ``read_ledger``.
    """
    lines, cut = _read(path)
    if not cut:
        return None
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in count(1))
    copy = next(name for name in names if not name.exists())
    with files.atomic_write(copy) as stream:
        stream.write(path.read_bytes())
    _write(path, lines)
    return copy


def write_line(path: Path, line: LedgerLine) -> None:
    """Put the line in place of the one with the same message, or at the end; atomically."""
    set_aside(path)
    lines, _ = _read(path)
    messages = [known.message for known in lines]
    if line.message in messages:
        lines[messages.index(line.message)] = line
    else:
        lines.append(line)
    _write(path, lines)


def _write(path: Path, lines: Sequence[LedgerLine]) -> None:
    values = (line.model_dump(warnings="none") for line in lines)
    rows = [json.dumps(value, ensure_ascii=False) for value in values]
    for row in rows:
        _parse(row)  # raises ValueError: nothing is written that would not be read again
    # A ledger may be a link to one that several checkouts share.
    target = path.resolve() if path.is_symlink() else path
    files.write_text(target, "".join(f"{row}\n" for row in rows))


def _read(path: Path) -> tuple[list[LedgerLine], list[int]]:
    """The whole lines, and the numbers of those that a power cut left."""
    lines: list[LedgerLine] = []
    cut: list[int] = []
    rows = _content(path).decode("utf-8-sig", "surrogateescape").split("\n")
    for number, row in enumerate(rows, start=1):
        if not row.strip():
            continue
        try:
            lines.append(_parse(row))
        except json.JSONDecodeError as error:
            if number < len(rows) and "\0" not in row:
                raise _damaged(path, number, f"not JSON: {error}") from None
            cut.append(number)
        except (TypeError, ValueError) as error:
            raise _damaged(path, number, str(error)) from None
    return lines, cut


def _content(path: Path) -> bytes:
    try:
        found = path.stat()
    except FileNotFoundError:
        return b""
    if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_BYTES:
        what = "is too large for" if stat.S_ISREG(found.st_mode) else "is no file, so not"
        raise PipelineError(
            f"{path} {what} the ledger of submissions",
            remedy="Move it away; Kaggle keeps its own list of your submissions.",
        )
    return path.read_bytes()


def _parse(row: str) -> LedgerLine:
    value = files.parse_json(row)
    row.encode("utf-8")  # what is not UTF-8 can't be shown or written again
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return records.parse(value, LedgerLine)


def _damaged(path: Path, number: int, what: str) -> PipelineError:
    return PipelineError(
        f"{path}, line {number} is damaged, or of a newer version: {what}",
        remedy="Mend or delete that line; Kaggle keeps its own list of your submissions.",
    )
