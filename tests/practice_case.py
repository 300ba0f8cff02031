"""The practice digits in a folder of a test's own, and the pipeline as a process."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.digits import dataset
from pipeline.plan.plan import Plan, make_plan
from pipeline.plan.workspace import ProcessedFolder, RawFolder, RunFolder, Workspace
from pipeline.system import files

REPOSITORY = Path(__file__).parents[1]
_LARGE = 1_000_000


def copy_quickly(source: str, target: str) -> str:
    """Copy a file with its time; a large one is linked, because none is ever changed in place."""
    if Path(source).stat().st_size > _LARGE:
        os.link(source, target)
        return target
    return shutil.copy2(source, target)


def copy_practice(practice: Workspace, folder: Path) -> Workspace:
    """A workspace in ``folder`` with the same raw data and arrays, of the same times."""
    shutil.copytree(practice.data, folder / "data", copy_function=copy_quickly)
    return Workspace(folder / "data", folder / "submissions")


def plan_of(workspace: Workspace, **given: Any) -> Plan:
    """A plan for the practice digits with the recipe ``smoke``, unless something else is given."""
    return make_plan(
        **({"source": "practice", "recipe": "smoke"} | given),
        data=workspace.data,
        submissions=workspace.submissions,
        environment={},
    )


def split_place(processed: ProcessedFolder) -> tuple[NDArray[np.uint8], Path]:
    """The labels to split, and the folder in which splits are kept."""
    return dataset.load_labels(processed), processed.folds


def write_competition_zip(raw: RawFolder, path: Path) -> None:
    """Write a zip with as many rows as the competition's, of practice digits over and over."""
    ids = "".join(f"{image_id},0\n" for image_id in range(1, 28_001))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for csv, rows in ((raw.train, 42_000), (raw.test, 28_000)):
            header, _, lines = csv.read_bytes().partition(b"\n")
            repeats = rows // lines.count(b"\n")
            packed.writestr(csv.name, header + b"\n" + lines * repeats)
        packed.writestr("sample_submission.csv", f"ImageId,Label\n{ids}")


def arrays_of(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz file."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def assert_same_model(first: RunFolder, second: RunFolder) -> None:
    """The two runs ended with the same bits."""
    expected, found = arrays_of(first.model), arrays_of(second.model)
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def assert_same_run(plan: Plan, serial: Workspace) -> None:
    """All files are there and no others; models are the same bytes, and records say the same."""
    ours, theirs = plan.workspace.run(plan.run), serial.run(plan.run)
    assert {path.name for path in ours.folder.iterdir()} == {
        path.name for path in theirs.folder.iterdir()
    }
    for path in (theirs.model, theirs.refit, theirs.recipe, theirs.request):
        if path.exists():
            assert (ours.folder / path.name).read_bytes() == path.read_bytes(), path.name
    # Among the outputs is history.csv, with its times.
    of_a_machine = ["environment", "finished_at", "seconds", "images_per_second", "refit"]
    of_a_machine.append("outputs")
    records = [files.read_json(run.training) for run in (ours, theirs)]
    for record in records:
        for name in of_a_machine:
            record.pop(name)
    assert records[0] == records[1]


def blank_half(path: Path) -> None:
    """Put zeros into the second half of a file, as a power cut does; its size and time stay."""
    status, content = path.stat(), path.read_bytes()
    path.unlink()  # it may be a link to one that others use
    path.write_bytes(content[: len(content) // 2].ljust(len(content), b"\0"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.read_bytes() != content, "it was blank before"


def temporaries(*folders: Path) -> list[Path]:
    """What a writer that was killed left behind."""
    return [
        path for folder in folders for path in folder.rglob(".*") if path.suffix in (".tmp", ".old")
    ]


# Of the make that may be running the tests, and of the terminal that they run on.
_FOREIGN = re.compile(
    r"MAKE.*|MFLAGS|DIGITS_(?!KAGGLE_INPUT).*|TTY_.*|FORCE_COLOR|COLUMNS"
    r"|SOURCE|RECIPE|RECIPES|RUN|RUNS|SEED|SEEDS|SET|FOLDS|INDEX|IMAGE|FORCE|TRIALS|STORAGE|TRACK"
    r"|EXECUTOR|DASK|DATA|SUBMISSIONS|VENV|PYTHON|CONSTRAINTS|BENCH_VENV"
)


def environment(**variables: str) -> dict[str, str]:
    """The environment of a child: ours, without what would change what it does or shows."""
    kept = {name: value for name, value in os.environ.items() if not _FOREIGN.fullmatch(name)}
    return kept | {"PYTHONUNBUFFERED": "1"} | variables


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "pipeline", *map(str, arguments)]


def digits(
    *arguments: str | Path, cwd: Path = REPOSITORY, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run ``python -m pipeline`` to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
