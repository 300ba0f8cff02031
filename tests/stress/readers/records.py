"""Records: what the stages wrote in JSON, as every command that reads them meets it."""

import hashlib
import io
import json
import zlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from rich.console import Console

from pipeline.analysis.look import look
from pipeline.analysis.trace import trace
from pipeline.cli.show.look import show_look
from pipeline.cli.show.runs import show_runs
from pipeline.cli.show.stages import show_summary
from pipeline.cli.show.trace import show_trace
from pipeline.cli.show.validate import show_validate
from pipeline.digits import dataset
from pipeline.plan.plan import Plan, make_plan, recorded_plan
from pipeline.plan.workspace import RunFolder, Workspace
from pipeline.recipes.recipe import Recipe, recipe_of_record
from pipeline.runs.ledger import LedgerLine, read_ledger
from pipeline.runs.listing import RunRow, list_runs
from pipeline.runs.run import read_run
from pipeline.stages.download import download
from pipeline.stages.preprocess import preprocess
from pipeline.stages.submission import submission
from pipeline.stages.summary import summary
from pipeline.stages.validate import validate
from pipeline.system import provenance
from pipeline.system.errors import PipelineError
from tests.stress.mutations import change_bytes, change_json
from tests.stress.tiny_run import TEST_ROWS, TRAIN_ROWS, tiny_run

STATUSES = ("SENDING", "PENDING", "COMPLETE", "ERROR")


class RecordReader:
    """A JSON file of a tiny run, read by the commands that need it."""

    most_megabytes = 200

    def __init__(self, folder: Path) -> None:
        self.tiny = tiny_run(folder)
        # Git and the packages' versions are the same for every input.
        self._environment = provenance.environment()

    @property
    def plan(self) -> Plan:
        return self.tiny.plan

    @property
    def workspace(self) -> Workspace:
        return self.plan.workspace

    @property
    def run(self) -> RunFolder:
        return self.workspace.run(self.plan.run)

    @property
    def path(self) -> Path:
        raise NotImplementedError

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        return [self.tiny.content(self.path)]

    def mutate(self, data: bytes, rng: Random) -> bytes:
        return change_json(data, rng)

    def commands(self) -> Sequence[Callable[[], Any]]:
        """What reads the file."""
        raise NotImplementedError

    def read(self, data: bytes) -> list[Any]:
        self.tiny.put_back()
        found: list[Any] = []
        refusal: PipelineError | None = None
        with (
            patch.object(provenance, "environment", lambda: self._environment),
            patch.object(provenance, "has_commit", lambda _: True),
        ):
            first, *others = self.commands()
            # Another one for each input, chosen by what it holds.
            chosen = zlib.crc32(data) % max(1, len(others))
            for number, command in enumerate([first, *others]):
                if number not in (0, chosen + 1):
                    found.append(None)
                    continue
                self.path.write_bytes(data)
                try:
                    found.append(command())
                except PipelineError as error:
                    refusal = refusal or error
        if refusal:
            raise refusal
        return found

    def check(self, data: bytes, found: list[Any]) -> None:
        for value in found:
            if isinstance(value, list) and value and isinstance(value[0], RunRow):
                _check_rows(value)

    def make_plan(self, run: str | None = None) -> Plan:
        return make_plan(
            run=run,
            data=self.workspace.data,
            submissions=self.workspace.submissions,
            environment={},
        )

    def show_runs(self) -> list[RunRow]:
        rows = list_runs(self.workspace)
        show_runs(_console(), rows)
        return rows

    def show_trace(self) -> None:
        show_trace(_console(), trace(self.workspace, self.plan.run))

    def show_look(self) -> None:
        show_look(_console(), look(self.plan, 3), saved=None)

    def show_validate(self) -> None:
        show_validate(_console(), validate(self.plan))

    def show_summary(self) -> None:
        show_summary(_console(), summary(self.plan))


class Ledger(RecordReader):
    """ledger.jsonl."""

    name = "ledger.jsonl"

    @property
    def path(self) -> Path:
        return self.workspace.ledger

    def mutate(self, data: bytes, rng: Random) -> bytes:
        lines = data.split(b"\n")
        number = rng.randrange(len(lines))
        if rng.randrange(4) == 0 or not lines[number]:
            return change_bytes(data, rng, words=(b"\n", b"{}", b"[]", b"\xff", b"\xe2\x80\xa8"))
        lines[number] = change_json(lines[number], rng)
        return b"\n".join(lines)

    def commands(self) -> Sequence[Callable[[], Any]]:
        return (
            lambda: read_ledger(self.path),
            self.show_runs,
            self.show_trace,
            lambda: trace(self.workspace, "0.5"),
            lambda: trace(self.workspace, "7"),
        )

    def check(self, data: bytes, found: list[Any]) -> None:
        rows = [row for row in data.split(b"\n") if row.strip()]
        lines: list[LedgerLine] = found[0]
        assert len(lines) in (len(rows), len(rows) - 1), "a line was lost"
        for row, line in zip(rows, lines, strict=False):
            written = json.loads(row)
            for name, value in line.model_dump().items():
                assert written.get(name) == value, f"another {name}"
            assert line.status in STATUSES, "a status that there is not"
            assert line.ref is None or type(line.ref) is int, "a number of another type"
            for score in (line.public_score, line.private_score, line.hold_out_accuracy):
                assert score is None or 0 <= score <= 1, "a score that none can be"
        super().check(data, found)


class RawManifest(RecordReader):
    """manifest.json of the raw digits."""

    name = "manifest of raw digits"

    @property
    def path(self) -> Path:
        return self.workspace.raw(self.plan.source.name).manifest

    def commands(self) -> Sequence[Callable[[], Any]]:
        return (
            self.make_plan,
            lambda: preprocess(self.plan),
            lambda: download(self.plan),
        )

    def check(self, data: bytes, found: list[Any]) -> None:
        assert not found[1] or found[1].train_rows == TRAIN_ROWS, "other rows of train.csv"
        written = json.loads(data)
        if found[2]:
            # A download that is there is not read again; preprocess refuses other numbers.
            told = written["files"]["test.csv"]["rows"] if found[2].unchanged else TEST_ROWS
            assert found[2].test_rows == told, "rows that it does not tell of"
        if written["kind"] != "competition":
            assert found[0].source.kind != "path", "another source"


class ProcessedManifest(RecordReader):
    """manifest.json of the arrays."""

    name = "manifest of arrays"

    @property
    def path(self) -> Path:
        return self.workspace.processed(self.plan.source.name).manifest

    def commands(self) -> Sequence[Callable[[], Any]]:
        return (
            lambda: dataset.load_labelled(self.workspace.processed(self.plan.source.name)),
            self.show_look,
            self.show_summary,
            self.show_validate,
            lambda: submission(self.plan),
            lambda: preprocess(self.plan),
        )

    def check(self, data: bytes, found: list[Any]) -> None:
        assert len(found[0].labels) == TRAIN_ROWS, "other rows"
        assert not found[4] or found[4].rows == TEST_ROWS, "another number of predictions"
        assert not found[5] or found[5].train_rows == TRAIN_ROWS, "other rows of train.csv"


class Request(RecordReader):
    """request.json: what the user asked for."""

    name = "request.json"

    @property
    def path(self) -> Path:
        return self.run.request

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        runs = (self.plan.run, self.tiny.blend.run)
        return [self.tiny.content(self.workspace.run(run).request) for run in runs]

    def commands(self) -> Sequence[Callable[[], Any]]:
        return (
            lambda: recorded_plan(self.workspace, self.plan.run),
            lambda: self.make_plan(run=self.plan.run),
            self.show_trace,
        )

    def check(self, data: bytes, found: list[Any]) -> None:
        request, plan = json.loads(data), found[0]
        assert plan.seed == request.get("seed") and not isinstance(plan.seed, bool), "another seed"
        assert plan.seed is None or plan.seed >= 0, "a negative seed"
        named = request["source"]
        assert plan.source.text in (named, str(Path(named).absolute())), "another source"
        assert list(plan.blend) == (request.get("blend") or []), "another blend"
        assert (plan.folds, plan.fold) == (request.get("folds"), request.get("fold"))


class ResolvedRecipe(RecordReader):
    """recipe.json of a run."""

    name = "recipe.json"

    @property
    def path(self) -> Path:
        return self.run.recipe

    def commands(self) -> Sequence[Callable[[], Any]]:
        return (lambda: recipe_of_record(self.path),)

    def check(self, data: bytes, found: list[Any]) -> None:
        recipe: Recipe = found[0]
        values = recipe.model_dump(mode="json")
        for key, value in json.loads(data).items():
            if not isinstance(value, dict | list):
                assert values[key] == value, f"another {key}"


class Training(RecordReader):
    """training.json of a run."""

    name = "training.json"

    @property
    def path(self) -> Path:
        return self.run.training

    def commands(self) -> Sequence[Callable[[], Any]]:
        return (
            lambda: read_run(self.plan),
            self.show_runs,
            self.show_trace,
            self.show_look,
            self.show_summary,
            lambda: submission(self.plan),
            self.show_validate,
        )

    def check(self, data: bytes, found: list[Any]) -> None:
        super().check(data, found)
        if not found[0].members:
            digest = hashlib.sha256(self.run.model.read_bytes()).hexdigest()
            assert found[0].model_sha256 == digest, "another model"


class EnsembleTraining(Training):
    """training.json of an ensemble."""

    name = "training.json of an ensemble"

    @property
    def plan(self) -> Plan:
        return self.tiny.blend


def _console() -> Console:
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8")  # as a terminal: lone surrogates are refused
    return Console(file=stream, width=200, markup=False, highlight=False, emoji=False)


def _check_rows(rows: Sequence[RunRow]) -> None:
    for row in rows:
        for value in (row.hold_out_accuracy, row.score.value if row.score else None):
            assert value is None or 0 <= value <= 1, "an accuracy that none can be"
        assert row.seconds is None or row.seconds >= 0, "seconds below 0"
        assert row.seed is None or type(row.seed) is int, "a seed of another type"
