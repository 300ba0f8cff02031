"""Runs at MLflow: at MLFLOW_TRACKING_URI, or in MLflow's own default store in this folder."""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.tracking import Tracked
from pipeline.tracking.facts import without_secrets

EXPERIMENT = "digit-recognizer"
_AT_ONCE = 100  # parameters in one request, by MLflow's limit
# A server that does not answer costs seconds, not minutes. Whoever has set these knows better.
_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class MlflowTracker:
    """One MLflow run at a time, by its client: nothing of MLflow's is global here."""

    name = "MLflow"

    def __init__(self) -> None:
        for variable, value in _SETTINGS.items():
            os.environ.setdefault(variable, value)
        for chatty in ("mlflow", "alembic", "urllib3"):
            logging.getLogger(chatty).setLevel(logging.ERROR)
        import mlflow  # noqa: PLC0415  (takes seconds, and only those who ask for it have it)

        self._client = mlflow.MlflowClient()
        self._uri = str(mlflow.get_tracking_uri())
        self._missing = mlflow.exceptions.MlflowException
        self._entities = mlflow.entities
        self._id = ""

    def start(self, run: str, known: str | None, params: Mapping[str, str]) -> Tracked:
        """Open the MLflow run; one that the server no longer has is made anew."""
        experiment = self._experiment()
        found = self._find(known, experiment) if known else None
        if found is None:
            self._id = self._client.create_run(experiment, run_name=run).info.run_id
            pairs = [self._entities.Param(key, value[:500]) for key, value in params.items()]
            for first in range(0, len(pairs), _AT_ONCE):
                self._client.log_batch(self._id, params=pairs[first : first + _AT_ONCE])
        else:
            self._id = found
            self._client.update_run(self._id, status="RUNNING")
        history = self._client.get_metric_history(self._id, "training_loss")
        epochs = max((metric.step for metric in history), default=0)
        return Tracked(self._id, epochs, self._where(experiment))

    def epoch(self, metrics: Mapping[str, float], step: int) -> None:
        """One request for all metrics of an epoch."""
        self._log(metrics, step)

    def finish(self, metrics: Mapping[str, float], artefacts: Sequence[Path]) -> None:
        """Results have no step; a file of the same name is replaced."""
        self._log(metrics, 0)
        for path in artefacts:
            self._client.log_artifact(self._id, str(path))
        self._client.set_terminated(self._id, "FINISHED")

    def stop(self) -> None:
        """MLflow calls an interrupted run killed."""
        self._client.set_terminated(self._id, "KILLED")

    def _log(self, metrics: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        entries = [self._entities.Metric(key, value, now, step) for key, value in metrics.items()]
        self._client.log_batch(self._id, metrics=entries)

    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        found = self._client.get_experiment_by_name(name)
        if found is None:
            return str(self._client.create_experiment(name))
        return str(found.experiment_id)

    def _find(self, known: str, experiment: str) -> str | None:
        """The run's number, if the server has it in this experiment and it was not deleted."""
        try:
            info = self._client.get_run(known).info
        except self._missing as error:
            if getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        kept = info.lifecycle_stage == "active" and str(info.experiment_id) == experiment
        return known if kept else None

    def _where(self, experiment: str) -> str:
        address = without_secrets(self._uri)
        if address.startswith(("http://", "https://")):
            return f"{address.rstrip('/')}/#/experiments/{experiment}/runs/{self._id}"
        return f"{address} (to look at it: mlflow ui)"
