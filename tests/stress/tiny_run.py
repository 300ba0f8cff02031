"""A whole run on a few digits, made by the stages within two seconds, for readers of its files."""

import os
from pathlib import Path

import numpy as np

from pipeline.analysis.reproduce import reproduce
from pipeline.kaggle.submission_csv import write_submission
from pipeline.plan.members import plan_blend
from pipeline.plan.plan import Plan, make_plan
from pipeline.runs.ledger import new_line, write_line
from pipeline.stages.download import download
from pipeline.stages.preprocess import preprocess
from pipeline.stages.submission import submission
from pipeline.stages.summary import summary
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system import files

TRAIN_ROWS, TEST_ROWS = 60, 20
RUN, OTHER, BLEND = "tiny", "other", "both"
SETTINGS = "training.epochs=1 split.refit=true"


class TinyRun:
    """Its files, which can be put back to what they were.

    plan: of the run.  blend: of an ensemble of it and another one.
    """

    def __init__(self, folder: Path) -> None:
        digits = folder / "digits"
        digits.mkdir(parents=True)
        _write_digits(digits)
        self.root = folder
        self.plan = self._make(digits, RUN, seed=1)
        self._make(digits, OTHER, seed=2)
        self.blend = plan_blend(self.plan.workspace, [RUN, OTHER], run=BLEND)
        train(self.blend)
        _finish(self.blend)
        reproduce(self.plan.workspace, RUN)
        record = files.read_json(self.plan.workspace.submission_record(RUN))
        line = new_line(record, self.plan.workspace.submission(RUN), [])
        for ref, score in ((7, 0.5), (8, None)):
            sent = line.model_copy(
                update={
                    "message": f"[{ref}] {line.message}",
                    "ref": ref,
                    "public_score": score,
                    "status": "COMPLETE" if score else "PENDING",
                }
            )
            write_line(self.plan.workspace.ledger, sent)
        self._kept = {path: path.read_bytes() for path in self._all()}
        self._states = {path: _state(path) for path in self._kept}

    def put_back(self) -> None:
        """Undo whatever was written, removed or added since it was made."""
        for path, content in self._kept.items():
            if _state(path) != self._states[path]:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                self._states[path] = _state(path)
        for path in self._all() - self._kept.keys():
            path.unlink()

    def content(self, path: Path) -> bytes:
        """What a file held when the run was made."""
        return self._kept[path]

    def _make(self, digits: Path, run: str, *, seed: int) -> Plan:
        plan = make_plan(
            source=str(digits),
            recipe="smoke",
            run=run,
            seed=seed,
            overrides=SETTINGS,
            data=self.root / "data",
            submissions=self.root / "submissions",
            environment={},
        )
        download(plan)
        preprocess(plan)
        train(plan)
        _finish(plan)
        return plan

    def _all(self) -> set[Path]:
        return {
            Path(folder, name)
            for folder, _, names in os.walk(self.root)
            for name in names
            if not name.endswith(".lock")
        }


_made: list[TinyRun] = []


def tiny_run(folder: Path) -> TinyRun:
    """The run of this process, as it was made; in the first folder that is given."""
    if not _made:
        _made.append(TinyRun(folder / "tiny"))
    _made[0].put_back()
    return _made[0]


def _finish(plan: Plan) -> None:
    validate(plan)
    submission(plan)
    summary(plan)


def _state(path: Path) -> tuple[int, int, int]:
    try:
        state = path.stat()
    except OSError:
        return 0, 0, 0
    return state.st_ino, state.st_mtime_ns, state.st_size


def _write_digits(folder: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"pixel{number}" for number in range(784)]
    for file, rows, first in (("train.csv", TRAIN_ROWS, ["label"]), ("test.csv", TEST_ROWS, [])):
        values = rng.integers(0, 256, (rows, 784)) * (rng.random((rows, 784)) < 0.2)
        lines = [",".join([*first, *names])]
        for number, row in enumerate(values.tolist()):
            cells = [number % 10, *row] if first else row
            lines.append(",".join(map(str, cells)))
        (folder / file).write_text("\n".join(lines) + "\n", encoding="ascii")
    write_submission(folder / "sample_submission.csv", [0] * TEST_ROWS)
