"""Stage notebook: write the notebook that runs the whole pipeline at Kaggle."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.kaggle.credentials import find_username
from pipeline.pages.notebook import UNKNOWN_OWNER, build_notebook, kernel_metadata, notebook_name
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import NotebookFolder
from pipeline.system import files, locks, provenance
from pipeline.system.errors import PipelineError


@dataclass(frozen=True)
class NotebookResult:
    """A notebook, ready to be pushed or imported.

    title: the one that it gets at Kaggle.  commit: what it says of the code that it carries.
    """

    unchanged: bool
    path: Path
    metadata: Path
    title: str
    commit: str


def notebook(plan: Plan, *, force: bool = False) -> NotebookResult:
    """Write the plan's notebook and its kernel-metadata.json; Kaggle is not asked for anything.

    The account's name stands in the credentials or in an earlier push; else ``push`` fills it in.
    Raises PipelineError if the plan cannot be run at Kaggle, or its recipe is wrong.
    """
    name = notebook_name(plan)
    folder = plan.workspace.notebook(name)
    commit = _commit()
    with locks.locked(folder.folder):
        text = build_notebook(plan, commit=commit)
        owner = find_username() or _earlier_owner(folder)
        metadata = kernel_metadata(name, owner, folder.notebook.name)
        unchanged = not force and _is_there(folder, text, metadata)
        if not unchanged:
            files.write_text(folder.notebook, text)
            files.write_json(folder.metadata, metadata)
    return NotebookResult(unchanged, folder.notebook, folder.metadata, metadata["title"], commit)


def _commit() -> str:
    made_by = provenance.environment()
    if made_by["commit"] is None:
        return f"a copy of the code without its history ({made_by['no_commit']})"
    return f"commit {made_by['commit'][:7]}{', with changes' if made_by['dirty'] else ''}"


def _earlier_owner(folder: NotebookFolder) -> str:
    try:
        return str(files.read_json(folder.metadata)["id"]).partition("/")[0]
    except (OSError, PipelineError, KeyError):
        return UNKNOWN_OWNER


def _is_there(folder: NotebookFolder, text: str, metadata: dict[str, object]) -> bool:
    try:
        return (
            folder.notebook.read_bytes() == text.encode("utf-8")
            and files.read_json(folder.metadata) == metadata
        )
    except (OSError, PipelineError):
        return False
