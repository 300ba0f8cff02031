"""Bringing a tracking service up to date with a run's folder, whatever happens to either.

What the service was told stands in the run's tracking.json; so nothing is told twice, and what
could not be told is told by the next command with that service, also if nothing else is due.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

from pipeline.plan.plan import Plan
from pipeline.plan.workspace import RunFolder
from pipeline.system import files
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import Epoch, Reporter, TrainStart, listening, reporter
from pipeline.system.text import one_line, shortened
from pipeline.tracking import Tracker
from pipeline.tracking.facts import epochs_of, params_of, results_of, without_secrets

MOST_SAID = 2_000  # characters, of a service that fails
SERVICES = {"mlflow": "MLflow", "wandb": "W&B"}


class Tracking(Reporter):
    """Tells a service of the plan's run and its members; use it in a ``with`` block.

    It listens in the block, and passes on what it hears to who listened before. When the block
    ends well, the service knows all of the plan's run that there is. Without a service it does
    nothing. A service that fails is given up with a line for the user; the work goes on.

    service: "mlflow", "wandb", or nothing.
    Raises PipelineError for another service, and for one whose package is not installed.
    """

    def __init__(self, service: str | None, plan: Plan) -> None:
        self._service = service or ""
        self._plan = plan
        self._outer = reporter()  # who listened before
        self._listening = ExitStack()
        self._tracker: Tracker | None = None
        self._failed = False
        self._run: RunFolder | None = None  # the one that is open at the service
        self._known: dict[str, Any] = {}  # what it was told of it
        self._refit = False
        if self._service:
            _require(self._service)

    def __enter__(self) -> Self:
        self._listening.enter_context(listening(self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listening.close()
        if not self._service:
            return
        if kind is None:
            self._finish()
            for folder in self._folders():
                self._catch_up(folder)
        elif self._run is not None and self._tracker is not None:
            with self._guarded():
                self._tracker.stop()
        if self._failed:
            rest = f"make validate RUN={self._plan.run} TRACK={self._service}"
            # What did not come to its end is gone on with, and told of, by the same command.
            how = f" To tell it the rest, when it is there again: {rest}" if kind is None else ""
            self._outer.line(f"Tracking is incomplete: {SERVICES[self._service]} failed.{how}")

    def of(self, run: str) -> Reporter:
        """Leave it to who listened before: of runs trained at once, it tells when all have ended.

        A service has one run open at a time.
        """
        return self._outer.of(run)

    def line(self, text: str) -> None:
        """Pass it on."""
        self._outer.line(text)

    def turn(self, number: int, of: int) -> None:
        """Pass it on."""
        self._outer.turn(number, of)

    def step(self, epochs: float) -> None:
        """Pass it on."""
        self._outer.step(epochs)

    def end(self) -> None:
        """Pass it on; more is told of the run when the next one begins, or the block ends."""
        self._outer.end()

    def start(self, start: TrainStart) -> None:
        """Open the tracked run, an earlier one if training goes on."""
        self._refit = start.refit
        if self._service and not start.refit:
            self._finish()  # of the member before
            self._open(self._plan.workspace.run(start.run), anew=not start.epochs_done)
        self._outer.start(start)

    def epoch(self, result: Epoch) -> None:
        """Tell of what history.csv has more than the service."""
        self._outer.epoch(result)
        if not self._refit:  # whose evaluations are in no file
            self._send_epochs()

    def _open(self, folder: RunFolder, *, anew: bool) -> None:
        """Open a run at the service; anew: another training than that which it was told of."""
        if self._failed:
            return
        known = self._read(folder)
        recipe = files.sha256(folder.recipe)
        if (anew and known.get("epochs")) or known.get("recipe") != recipe:
            known = {}
        params = params_of(self._plan.workspace, folder.name, self._plan.source.name)
        with self._guarded():
            if self._tracker is None:
                self._tracker = _make(self._service)
            tracked = self._tracker.start(folder.name, known.get("id"), params)
            if tracked.id != known.get("id"):
                known = {}
            epochs = max(known.get("epochs", 0), tracked.epochs)
            self._known = known | {"id": tracked.id, "recipe": recipe, "epochs": epochs}
            self._run = folder
            self._write()
            self._outer.line(f"Tracked by {self._tracker.name}: {tracked.where}")

    def _send_epochs(self) -> None:
        if self._run is None or self._tracker is None:
            return
        with self._guarded():
            for epoch, metrics in epochs_of(self._run, after=self._known["epochs"]):
                self._tracker.epoch(metrics, epoch)
                self._known["epochs"] = epoch
                self._write()

    def _finish(self) -> None:
        """Tell the rest of the run that is open, and close it."""
        self._send_epochs()
        if self._run is None or self._tracker is None:
            return
        due = self._due(self._run, self._known)
        with self._guarded():
            self._tracker.finish(
                {name: value for name, value in due.items() if isinstance(value, float)},
                [path for path in self._run.artefacts if path.name in due],
            )
            self._known["told"] = self._known.get("told", {}) | due
            self._write()
        self._run = None

    def _folders(self) -> list[RunFolder]:
        """The run's own, after those of the members that it has trained; a blend trains none."""
        workspace, own = self._plan.workspace, self._plan.workspace.run(self._plan.run)
        training = files.read_json(own.training) if own.training.exists() else {}
        members = [] if self._plan.blend else training.get("members", [])
        return [*(workspace.run(member["run"]) for member in members), own]

    def _catch_up(self, folder: RunFolder) -> None:
        """Tell the service what it does not know yet of a finished run."""
        known = self._read(folder)
        if folder.training.exists() and (due := self._due(folder, known)):
            other = folder.model.name in due and folder.model.name in known.get("told", {})
            self._open(folder, anew=other)
            self._finish()

    def _due(self, folder: RunFolder, known: dict[str, Any]) -> dict[str, float | str]:
        """Return a finished run's results, and its files' checksums, that the service lacks."""
        there = [path for path in folder.artefacts if path.exists()]
        results = results_of(self._plan.workspace, folder.name)
        found = results | {path.name: files.sha256(path) for path in there}
        told = known.get("told", {})
        return {name: value for name, value in found.items() if told.get(name) != value}

    def _read(self, folder: RunFolder) -> dict[str, Any]:
        record = files.read_json(folder.tracking) if folder.tracking.exists() else {}
        return dict(record.get(self._service, {}))

    def _write(self) -> None:
        assert self._run is not None
        path = self._run.tracking
        record = files.read_json(path) if path.exists() else {}
        files.write_json(path, record | {self._service: self._known})

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Give the service up if it fails; a run is worth more than the telling of it."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the service's own, which mean nothing to users
                yield
        except PipelineError:
            raise
        except Exception as error:  # whatever a service may raise
            self._failed, self._tracker, self._run = True, None, None
            # Whole, because the advice that services give stands at the end of what they say.
            said = one_line(without_secrets(str(error))) or type(error).__name__
            self._outer.line(
                f"{SERVICES[self._service]} failed ({shortened(said, MOST_SAID)}); "
                "the work goes on without tracking."
            )


def _require(service: str) -> None:
    if service not in SERVICES:
        raise PipelineError(
            f"TRACK={service}: no such tracking service", remedy=f"Give {' or '.join(SERVICES)}."
        )
    if importlib.util.find_spec(service) is None:
        raise PipelineError(
            f"TRACK={service}: the package {service} is not installed",
            remedy=f"Run: make install TRACK={service} "
            f"(or, into the interpreter at hand: pip install -e '.[{service}]')",
        )


def _make(service: str) -> Tracker:
    """Import the service's package, which takes seconds."""
    if service == "mlflow":
        from pipeline.tracking.mlflow_tracker import MlflowTracker  # noqa: PLC0415

        return MlflowTracker()
    from pipeline.tracking.wandb_tracker import WandbTracker  # noqa: PLC0415

    return WandbTracker()
