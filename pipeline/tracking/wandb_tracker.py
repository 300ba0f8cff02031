"""Runs at Weights & Biases; without a login they are kept in this folder, to be sent later."""

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from pipeline.tracking import Tracked
from pipeline.tracking.facts import without_secrets

PROJECT = "digit-recognizer"
_HOST = "https://api.wandb.ai"
# A service that does not answer costs seconds, not minutes. Whoever has set these knows better.
_SETTINGS = {
    "WANDB_INIT_TIMEOUT": "15",
    "WANDB_FINISH_TIMEOUT": "30",
    "WANDB_FINISH_TIMEOUT_RAISES": "true",
    "WANDB_SILENT": "true",
    "WANDB_CONSOLE": "off",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_DISABLE_GIT": "true",
    "WANDB_DISABLE_JOB_CREATION": "true",
}


class WandbTracker:
    """One W&B run at a time."""

    name = "W&B"

    def __init__(self) -> None:
        for variable, value in _SETTINGS.items():
            os.environ.setdefault(variable, value)
        if not _has_login():
            os.environ.setdefault("WANDB_MODE", "offline")  # rather than ask in mid-work
        import wandb  # noqa: PLC0415  (takes seconds, and only those who ask for it have it)

        self._wandb: Any = wandb
        self._run: Any = None

    def start(self, run: str, known: str | None, params: Mapping[str, str]) -> Tracked:
        """Open the W&B run; offline, each opening has a folder of its own, of the same run."""
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            id=known,
            name=run,
            config=dict(params),
            resume="allow",
        )
        return Tracked(str(self._run.id), 0, self._where())

    def epoch(self, metrics: Mapping[str, float], step: int) -> None:
        """W&B's step is the epoch."""
        self._run.log(dict(metrics), step=step)

    def finish(self, metrics: Mapping[str, float], artefacts: Sequence[Path]) -> None:
        """Results go into the summary; files are copied, so that they are sent as they are now."""
        self._run.summary.update(dict(metrics))
        for path in artefacts:
            copied = shutil.copy(path, self._run.dir)
            self._run.save(copied, base_path=self._run.dir, policy="now")
        self._close(0)

    def stop(self) -> None:
        """A run that ends with a code above 0 counts as failed, until it goes on."""
        self._close(1)

    def _close(self, code: int) -> None:
        self._run.finish(exit_code=code)
        self._wandb.teardown()  # ends the process behind it

    def _where(self) -> str:
        if self._run.offline:
            folder = Path(os.path.relpath(Path(self._run.dir).parent))
            return f"offline; to send it: wandb sync {shlex.quote(str(folder))}"
        return without_secrets(str(self._run.url))


def _has_login() -> bool:
    """Whether W&B would find a key without asking for one, where its own login keeps it."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = os.environ.get("WANDB_BASE_URL") or _HOST
    return bool(urlsplit(host).netloc and requests.utils.get_netrc_auth(host))
