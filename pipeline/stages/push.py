"""Stage push: send the notebook to Kaggle, where it runs by itself."""

from dataclasses import dataclass
from typing import Any

from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.kernels import push_notebook
from pipeline.pages.notebook import kernel_metadata, notebook_name
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import NotebookFolder
from pipeline.runs.records import PushRecord
from pipeline.system import files, locks, provenance, records
from pipeline.system.errors import PipelineError


@dataclass(frozen=True)
class PushResult:
    """A notebook at Kaggle.

    unchanged: nothing was sent, because this very notebook had been pushed before.
    url: of its page.  version: the number that Kaggle gave it.  pushed_at: in UTC, ISO format.
    """

    unchanged: bool
    url: str
    version: int
    pushed_at: str


def push(plan: Plan, *, force: bool = False) -> PushResult:
    """Save the plan's notebook at Kaggle as a new version, unless this very one is there.

    force: push it although it was pushed before.
    Raises PipelineError if there is no notebook, or Kaggle does not take it.
    """
    name = notebook_name(plan)
    folder = plan.workspace.notebook(name)
    if not folder.notebook.exists():
        raise PipelineError(
            f"There is no notebook of the recipe {plan.recipe_name} ({folder.notebook})",
            remedy="Run: make notebook",
        )
    with locks.locked(folder.folder):
        checksum = files.sha256(folder.notebook)
        record = _earlier(folder)
        unchanged = not force and record.get("notebook_sha256") == checksum
        if not unchanged:
            record = _push(name, folder, checksum)
    return PushResult(unchanged, record["url"], record["version"], record["pushed_at"])


def _earlier(folder: NotebookFolder) -> dict[str, Any]:
    return records.read(folder.push, PushRecord) if folder.push.exists() else {}


def _push(name: str, folder: NotebookFolder, checksum: str) -> dict[str, Any]:
    kaggle = Kaggle()
    # Of a token, only Kaggle knows whose it is.
    metadata = kernel_metadata(name, kaggle.username, folder.notebook.name)
    files.write_json(folder.metadata, metadata)
    pushed = push_notebook(kaggle, folder.folder, metadata["id"])
    record = {
        "stage": "push",
        "pushed_at": provenance.now(),
        "id": metadata["id"],
        "url": pushed.url,
        "version": pushed.version,
        "notebook_sha256": checksum,
        "commit": provenance.environment()["commit"],
    }
    files.write_json(folder.push, record)
    return record
