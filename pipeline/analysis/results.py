"""Stage results: the README's tables and the recipes' claims, from run files and never typed."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.plan.plan import RECIPE_FOLDER
from pipeline.plan.workspace import RunFolder, Workspace
from pipeline.runs.ledger import read_ledger
from pipeline.runs.listing import RunScore, score_of
from pipeline.runs.run import known_accuracy, networks_of, read_training
from pipeline.runs.spread import Spread, spread
from pipeline.system import files
from pipeline.system.errors import PipelineError

README = Path("README.md")

# What each notebook reported for its own network, in the order of the table.
REPORTED = {
    "notebook-10": "0.90 (on the training part)",
    "notebook-mnist-csv": "0.6199 (on the 10,000 test digits)",
    "notebook-100": "0.84",
    "notebook-100-100": "0.94667",
    "notebook-class": "0.845",
    "notebook-class-unscaled": "0.845",
}
KINDS = ("competition", "mnist-csv", "practice")
# How the line begins with which a recipe opens once it has been measured.
CLAIM = "# Measured: "
# A built-in recipe's, or of its folds: it becomes a file's name and a piece of Markdown.
NAME = re.compile(r"\w[\w.-]*(\d+ folds)?")


@dataclass(frozen=True)
class ResultRow:
    """All runs of one recipe on digits of one kind that differ by their seed alone.

    hold_out: of an ensemble, as its stage validate measured it.
    score: over the runs that have one.  seconds: mean of training.  cores: of the machines.
    networks: how many read a test digit; 1 but for an ensemble.
    """

    recipe: str
    kind: str
    hold_out: Spread
    score: Spread | None
    seconds: float
    training_rows: int
    hold_out_rows: int
    cores: tuple[int, ...]
    networks: int = 1


@dataclass(frozen=True)
class ResultsResult:
    """tables: the rows of each table; one without rows was left as it stood in the file.

    claims: the recipes whose opening line was written anew.
    """

    unchanged: bool
    readme: Path
    tables: Mapping[str, Sequence[ResultRow]]
    claims: Sequence[str]


def results(
    workspace: Workspace, *, readme: Path = README, recipes: Path = RECIPE_FOLDER
) -> ResultsResult:
    """Write both tables into ``readme``, between their markers, and each recipe's opening line.

    Only runs of built-in recipes without overrides count.  Of each recipe and kind of digits,
    the runs are those with the recipe and the data of the newest one, one for each seed.
    Raises PipelineError if there are no such runs, or a marker is missing.
    """
    rows = collect(workspace)
    if not rows:
        raise PipelineError(
            f"There are no finished runs of built-in recipes in {workspace.data}",
            remedy="Run: make all",
        )
    tables = {
        "notebooks": [row for row in rows if row.recipe in REPORTED],
        "recipes": [row for row in rows if row.recipe not in REPORTED],
    }
    try:
        before = readme.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PipelineError(f"{readme}: there is no such file") from None
    text = _replace(before, "notebooks", notebook_table(tables["notebooks"]), readme)
    text = _replace(text, "recipes", recipe_table(tables["recipes"]), readme)
    if text != before:
        files.write_text(readme, text)
    claims = [row.recipe for row in _best_known(rows) if _write_claim(recipes, row)]
    return ResultsResult(text == before and not claims, readme, tables, claims)


def collect(workspace: Workspace) -> list[ResultRow]:
    """Return the rows of all tables, notebooks first, in the order in which they are shown."""
    ledger = read_ledger(workspace.ledger)
    runs = pd.DataFrame(
        [
            _facts(training, accuracy, score_of(workspace, folder, training, ledger))
            for folder in workspace.all_runs()
            if _is_plain(folder)
            for training in [read_training(folder)]
            if NAME.fullmatch(training["recipe_name"])
            for accuracy in [known_accuracy(folder, training)]
            if accuracy is not None
        ]
    )
    if runs.empty:
        return []
    # Of runs of one recipe name and kind, those equal to the newest; one for each seed.
    runs = runs.sort_values("finished_at", kind="stable")
    newest = runs.groupby(["recipe", "kind"])["identity"].transform("last")
    runs = runs[runs["identity"] == newest].drop_duplicates(["recipe", "kind", "seed"], keep="last")
    rows = [_row(group) for _, group in runs.groupby(["recipe", "kind"])]
    return sorted(rows, key=_order)


def notebook_table(rows: Sequence[ResultRow]) -> str:
    """Return the Markdown of the notebooks' networks beside what was reported; "" if no rows."""
    return _markdown(rows, [("reported by the notebook", lambda row: REPORTED[row.recipe])])


def recipe_table(rows: Sequence[ResultRow]) -> str:
    """Return the Markdown of all other recipes; "" if there are no rows."""
    return _markdown(rows, [("members", lambda row: str(row.networks))])


def claim(row: ResultRow) -> str:
    """Return what a recipe says of itself, as a comment of one line."""
    found = row.hold_out
    seeds = "one seed" if found.count == 1 else f"{found.count} seeds"
    cores = "1 core" if row.cores == (1,) else f"{', '.join(map(str, row.cores))} cores"
    return (
        f"{CLAIM}{found.text} of {row.hold_out_rows:,} held-out {row.kind} digits over {seeds}; "
        f"{row.seconds:.0f} s on {cores}"
    )


def _best_known(rows: Sequence[ResultRow]) -> list[ResultRow]:
    """One row for each recipe: of the kinds of digits that it was tried on, the first in KINDS."""
    first: dict[str, ResultRow] = {}
    for row in rows:  # which are in that order
        first.setdefault(row.recipe, row)
    return list(first.values())


def _write_claim(recipes: Path, row: ResultRow) -> bool:
    """Let the recipe open with its claim; return whether the file has changed."""
    path = recipes / f"{row.recipe}.toml"
    if not path.exists():  # the folds of one, or a recipe that is no longer there
        return False
    before = path.read_text(encoding="utf-8")
    text = before.split("\n", 1)[1] if before.startswith(CLAIM) else before
    text = f"{claim(row)}\n{text}"
    if text != before:
        files.write_text(path, text)
    return text != before


def _is_plain(folder: RunFolder) -> bool:
    """Whether the run's recipe is a built-in one as it stands, but for the seed.

    A single fold is not: it is a part of an ensemble, which is.
    """
    request = files.read_json(folder.request) if folder.request.exists() else {}
    if "fold" in request:
        return False
    recipe = request.get("recipe")
    return isinstance(recipe, str) and not recipe.endswith(".toml") and not request.get("set")


def _facts(training: dict[str, Any], accuracy: float, score: RunScore | None) -> dict[str, Any]:
    """One run as a row of a table."""
    recipe = {
        key: value
        for key, value in training["inputs"]["recipe"].items()
        if key not in ("seed", "description")
    }
    return {
        "recipe": training["recipe_name"],
        "kind": training["data"]["kind"],
        # The resolved recipe and the digits: all that two runs share that differ by seed alone.
        "identity": json.dumps([recipe, training["inputs"]["data"]], sort_keys=True),
        "seed": training["seed"],
        "finished_at": str(training["finished_at"]),
        "hold_out_accuracy": accuracy,
        "score": score.value if score else math.nan,
        "seconds": training["seconds"],
        "cores": training["environment"]["cores"],
        "networks": networks_of(training),
        "training_rows": training["split"]["training_rows"],
        "hold_out_rows": training["split"]["hold_out_rows"],
    }


def _row(runs: pd.DataFrame) -> ResultRow:
    last = runs.iloc[-1]
    scores = runs["score"].dropna()
    return ResultRow(
        recipe=str(last["recipe"]),
        kind=str(last["kind"]),
        hold_out=spread(runs["hold_out_accuracy"]),
        score=None if scores.empty else spread(scores),
        seconds=float(runs["seconds"].mean()),
        training_rows=int(last["training_rows"]),
        hold_out_rows=int(last["hold_out_rows"]),
        cores=tuple(sorted({int(cores) for cores in runs["cores"]})),
        networks=int(last["networks"]),
    )


def _order(row: ResultRow) -> tuple[int, str, int]:
    notebooks = list(REPORTED)
    place = notebooks.index(row.recipe) if row.recipe in REPORTED else len(notebooks)
    return place, row.recipe, KINDS.index(row.kind)


def _markdown(
    rows: Sequence[ResultRow], extra: Sequence[tuple[str, Callable[[ResultRow], str]]]
) -> str:
    columns: list[tuple[str, Callable[[ResultRow], str]]] = [
        ("recipe", lambda row: f"`{row.recipe}`"),
        ("digits", lambda row: row.kind),
        *extra,
        ("hold-out accuracy", lambda row: row.hold_out.text),
        ("min to max", lambda row: f"{row.hold_out.low:.4f} to {row.hold_out.high:.4f}"),
        ("seeds", lambda row: str(row.hold_out.count)),
        ("test score", lambda row: row.score.text if row.score else ""),
        ("training", lambda row: f"{row.seconds:.1f} s"),
        ("cores", lambda row: ", ".join(map(str, row.cores))),
        ("trained on / held out", lambda row: f"{row.training_rows:,} / {row.hold_out_rows:,}"),
    ]
    if not rows:
        return ""
    lines = [[name for name, _ in columns], ["---"] * len(columns)]
    lines += [[cell(row) for _, cell in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _replace(text: str, name: str, table: str, readme: Path) -> str:
    """Put the table between its markers; without rows, what stands there stays."""
    start, end = f"<!-- results:{name} -->", f"<!-- /results:{name} -->"
    found = re.findall(f"{re.escape(start)}.*?{re.escape(end)}", text, flags=re.DOTALL)
    if len(found) != 1 or text.count(start) != 1 or text.count(end) != 1:
        raise PipelineError(
            f"{readme} must hold the markers {start} and {end} once each, in this order",
            remedy="Put them where the table is to stand.",
        )
    return text.replace(found[0], f"{start}\n{table}\n{end}") if table else text
