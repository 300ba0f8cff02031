"""A notebook executed as Kaggle does it: in a folder of its own, without the repository."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from tests.practice_case import environment

# Where nobody listens: what asks the network fails at once.
NOWHERE = "http://127.0.0.1:9"
SECONDS = 600


@dataclass(frozen=True)
class Place:
    """The folder in which a notebook runs, and those around it.

    working: stands for /kaggle/working.  input: for /kaggle/input.  temporary: for /tmp.
    """

    working: Path
    input: Path
    temporary: Path

    @property
    def data(self) -> Path:
        return self.temporary / "digit-recognizer"

    def run(self, notebook: Any) -> None:
        """Execute all cells; nbclient's CellExecutionError if one fails. The outputs are kept."""
        for folder in (self.working, self.temporary):
            folder.mkdir(parents=True, exist_ok=True)
        variables = environment(
            DIGITS_KAGGLE_INPUT=str(self.input),
            TMPDIR=str(self.temporary),
            IPYTHONDIR=str(self.temporary / "ipython"),
            MPLCONFIGDIR=str(self.temporary / "matplotlib"),
            PYTHONDONTWRITEBYTECODE="1",
            http_proxy=NOWHERE,
            https_proxy=NOWHERE,
        )
        # An installed package would be found too, but only after the working folder.
        variables.pop("PYTHONPATH", None)
        client = NotebookClient(
            notebook, timeout=SECONDS, resources={"metadata": {"path": str(self.working)}}
        )
        client.execute(env=variables)


def place_in(folder: Path) -> Place:
    return Place(folder / "working", folder / "input", folder / "temporary")


def parse(text: str) -> Any:
    """A notebook from its JSON, checked against nbformat's schema."""
    notebook: Any = nbformat.reads(text, as_version=nbformat.NO_CONVERT)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    return notebook


def find_cell(notebook: Any, text: str) -> int:
    """The number of the one cell that begins with a text."""
    found = [n for n, cell in enumerate(notebook.cells) if cell.source.startswith(text)]
    assert len(found) == 1, (text, found)
    return found[0]


def add_cell(notebook: Any, source: str) -> None:
    new_cell: Any = nbformat.v4.new_code_cell
    notebook.cells.append(new_cell(source, id="added"))


def printed(notebook: Any) -> str:
    """All that the cells printed."""
    return "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream"
    )


def pictures(notebook: Any) -> int:
    """How many pictures the cells show."""
    return sum(
        "image/png" in output.data
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "display_data"
    )


def jupyter_variables(folder: Path) -> dict[str, str]:
    """The variables that keep Jupyter's own files in a folder."""
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    return {name: str(folder / name.lower()) for name in names} | {"JUPYTER_NO_CONFIG": "1"}
