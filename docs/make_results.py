"""Write the tables of results and the recipes' claims, from the records of runs.

python -m docs.make_results   into README.md, docs/notebooks.md, docs/experiments.md and
                              pipeline/recipes
"""

import argparse
import json
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from docs.sections import read_section, write_section
from pipeline.plan.workspace import RunFolder, Workspace
from pipeline.recipes.file import RECIPE_FOLDER
from pipeline.runs.decisions import DecisionRecord, conclusion, read_decisions
from pipeline.runs.ledger import read_ledger
from pipeline.runs.listing import RunScore, score_of
from pipeline.runs.metrics import accuracy_of
from pipeline.runs.run import known_accuracy, networks_of, read_training
from pipeline.runs.spread import Spread, spread
from pipeline.system import files
from pipeline.system.errors import PipelineError

ROOT = Path(__file__).parents[1]
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
OUT_OF_FOLD = "out-of-fold"
# How the folds of a recipe are called beside it: "mlp, 5 folds".
FOLDS = re.compile(r", (\d+) folds$")
BUILT_IN = {path.stem for path in RECIPE_FOLDER.glob("*.toml")}
MOST_SETTINGS = 4  # of a comparison, that are named
LONGEST_VALUE = 30  # characters of a setting's value


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


def collect(workspace: Workspace) -> list[ResultRow]:
    """Return the rows of both tables, notebooks first, in the order in which they are shown.

    Only runs of built-in recipes without overrides count. Of each recipe and kind of digits,
    these are the runs with the recipe and the data of the newest one, one for each seed.
    """
    ledger = read_ledger(workspace.ledger)
    runs = pd.DataFrame(
        [
            _facts(training, accuracy, score_of(workspace, folder, training, ledger))
            for folder in workspace.all_runs()
            if _is_plain(folder)
            for training in [read_training(folder)]
            if _is_built_in(training["recipe_name"])
            for accuracy in [known_accuracy(folder, training)]
            if accuracy is not None
        ]
    )
    if runs.empty:
        return []
    runs = runs.sort_values("finished_at", kind="stable")
    newest = runs.groupby(["recipe", "kind"])["identity"].transform("last")
    runs = runs[runs["identity"] == newest].drop_duplicates(["recipe", "kind", "seed"], keep="last")
    rows = [_row(group) for _, group in runs.groupby(["recipe", "kind"])]
    return sorted(rows, key=_order)


def notebook_table(rows: Sequence[ResultRow]) -> str:
    """Return the Markdown of the notebooks' networks beside what was reported; "" if no rows."""
    found = [row for row in rows if row.recipe in REPORTED]
    return _markdown(found, ("reported by the notebook", lambda row: REPORTED[row.recipe]))


def recipe_table(rows: Sequence[ResultRow]) -> str:
    """Return the Markdown of all other recipes; "" if there are no rows."""
    found = [row for row in rows if row.recipe not in REPORTED]
    return _markdown(found, ("networks", lambda row: str(row.networks)))


def decision_table(decisions: Sequence[DecisionRecord]) -> str:
    """Return the Markdown of all comparisons of recipes, a line each; "" if there are none."""
    headers = [
        *("decided", "recipe", "instead of", "what differs", "digits", "folds, seeds"),
        *("errors", "log loss", "difference in log loss", "in errors", "more than chance?"),
    ]
    lines = [
        [
            decision.finished_at[:10],
            f"`{other.recipe}`",
            f"`{decision.first.recipe}`",
            _settings(decision, place),
            f"{decision.rows:,} {decision.kind}",
            f"{decision.folds}, {len(decision.seeds)}",
            f"{recipe.mean_errors:,.1f}, {decision.first.mean_errors:,.1f}",
            f"{recipe.log_loss:.5f}, {decision.first.log_loss:.5f}",
            f"{loss.value:+.5f} ({loss.low:+.5f} to {loss.high:+.5f})",
            f"{errors.value:+.1f} ({errors.low:+.1f} to {errors.high:+.1f})",
            conclusion(decision, other),
        ]
        for decision in decisions
        for place, other in enumerate(decision.contenders, 1)
        for recipe, loss, errors in [(decision.recipes[place], other.log_loss, other.errors)]
    ]
    return _table(headers, lines)


def _settings(decision: DecisionRecord, place: int) -> str:
    """In what a recipe differs from the first one, in few words."""
    found = [
        _setting(setting.key, setting.values[0], setting.values[place])
        for setting in decision.settings
        if setting.values[0] != setting.values[place]
    ]
    rest = len(found) - MOST_SETTINGS
    return "; ".join(found[:MOST_SETTINGS]) + (f"; {rest} more" if rest > 0 else "")


def _setting(key: str, first: str, other: str) -> str:
    """Both values, or where they are long, as layers are, the key alone."""
    if any("\n" in value or len(value) > LONGEST_VALUE for value in (first, other)):
        return key
    return f"{key} {first or 'none'} → {other or 'none'}".replace("|", "\\|")


def write_claims(rows: Sequence[ResultRow], recipes: Path = RECIPE_FOLDER) -> list[str]:
    """Let each recipe open with what was measured; return the names of those that have changed.

    Its folds, in which every digit was read by a network that had not learnt it, come before what a
    single network holds out; and of the kinds of digits that it was tried on, the first in KINDS.
    """
    chosen: dict[str, ResultRow] = {}
    for row in sorted(rows, key=lambda row: (not _folds_of(row), KINDS.index(row.kind))):
        chosen.setdefault(_recipe_of(row), row)
    return [name for name, row in chosen.items() if _write_claim(recipes / f"{name}.toml", row)]


def _write_claim(path: Path, row: ResultRow) -> bool:
    found, folds = row.hold_out, _folds_of(row)
    seeds = "one seed" if found.count == 1 else f"{found.count} seeds"
    cores = "1 core" if row.cores == (1,) else f"{', '.join(map(str, row.cores))} cores"
    claim = f"{found.text} of {row.hold_out_rows:,} held-out {row.kind} digits over {seeds}; "
    if folds:
        interval = _interval(found.mean, row.hold_out_rows)
        claim = (
            f"{interval} {OUT_OF_FOLD} on {row.hold_out_rows:,} {row.kind} digits over {seeds}; "
        )
    claim = f"{CLAIM}{claim}{row.seconds / max(1, folds):.0f} s on {cores}"
    before = path.read_text(encoding="utf-8")
    first, _, rest = before.partition("\n")
    if not first.startswith(CLAIM):
        rest = before
    elif OUT_OF_FOLD in first and not folds:  # no hold-out says as much
        return False
    text = f"{claim}\n{rest}"
    if text != before:
        files.write_text(path, text)
    return text != before


def _interval(mean: float, rows: int) -> str:
    """An accuracy over all folds with its 95 % interval: "0.9961 (0.9954 to 0.9966)".

    Each digit was read by another network than most, and whether it is read wrong is one chance,
    of digit and seed together. So Wilson's interval for one reading of each holds both; the mean
    over several seeds lies a little closer than it says.
    """
    found = accuracy_of(round(mean * rows), rows)
    return f"{mean:.4f} ({found.low:.4f} to {found.high:.4f})"


def _recipe_of(row: ResultRow) -> str:
    """The recipe of a row, or the one whose folds it is."""
    return FOLDS.sub("", row.recipe)


def _folds_of(row: ResultRow) -> int:
    """How many folds were measured together; 0 of a single network."""
    found = FOLDS.search(row.recipe)
    return int(found[1]) if found else 0


def _is_plain(folder: RunFolder) -> bool:
    """Whether the run was asked for by a recipe's name, with no override but the seed.

    A single fold is not: it is a part of an ensemble, which is.
    """
    request = files.read_json(folder.request) if folder.request.exists() else {}
    if "fold" in request:
        return False
    recipe = request.get("recipe")
    return isinstance(recipe, str) and not recipe.endswith(".toml") and not request.get("set")


def _is_built_in(name: str) -> bool:
    """Whether it names a built-in recipe, or its folds: "mlp" or "mlp, 5 folds"."""
    return FOLDS.sub("", name) in BUILT_IN


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


def _markdown(rows: Sequence[ResultRow], extra: tuple[str, Callable[[ResultRow], str]]) -> str:
    columns: list[tuple[str, Callable[[ResultRow], str]]] = [
        ("recipe", lambda row: f"`{row.recipe}`"),
        ("digits", lambda row: row.kind),
        extra,
        ("hold-out accuracy", lambda row: row.hold_out.text),
        ("min to max", lambda row: f"{row.hold_out.low:.4f} to {row.hold_out.high:.4f}"),
        ("seeds", lambda row: str(row.hold_out.count)),
        ("test score", lambda row: row.score.text if row.score else ""),
        ("training", lambda row: f"{row.seconds:.1f} s"),
        ("cores", lambda row: ", ".join(map(str, row.cores))),
        ("trained on / held out", lambda row: f"{row.training_rows:,} / {row.hold_out_rows:,}"),
    ]
    return _table(
        [name for name, _ in columns], [[cell(row) for _, cell in columns] for row in rows]
    )


def _table(headers: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown; "" if it has no lines."""
    if not lines:
        return ""
    shown = [headers, ["---"] * len(headers), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in shown)


def _keep_others(page: Path, section: str, table: str, *, columns: int) -> str:
    """Return the table with those rows of the page's own of which there are no runs here.

    columns: how many of them, from the first, tell a row from others.
    """
    known = {tuple(line.split("|")[1 : 1 + columns]) for line in table.splitlines()}
    old = read_section(page, section).splitlines()
    others = [line for line in old[2:] if tuple(line.split("|")[1 : 1 + columns]) not in known]
    heading, rule, *lines = table.splitlines()
    if old[:2] != [heading, rule]:  # another table than this
        return table
    return "\n".join([heading, rule, *sorted([*lines, *others], key=_place)])


def _place(line: str) -> tuple[int, str]:
    """Where a line stands: notebooks in their order, others by name and digits, or by the day."""
    notebooks = list(REPORTED)
    name = line.split("`")[1]
    return (notebooks.index(name) if name in REPORTED else 0), line.replace("`", "")


def main() -> None:
    """Write what the runs tell; a table without runs stays as it is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data, submissions = (os.environ.get(f"DIGITS_{name}") for name in ("DATA", "SUBMISSIONS"))
    parser.add_argument("--data", type=Path, default=Path(data or "data"))
    parser.add_argument("--submissions", type=Path, default=Path(submissions or "submissions"))
    given = parser.parse_args()
    workspace = Workspace(given.data, given.submissions)
    try:
        rows, decisions = collect(workspace), read_decisions(workspace)
    except PipelineError as error:
        sys.exit(f"Error: {error}")
    if not rows and not decisions:
        sys.exit(f"Error: there are no finished runs of built-in recipes in {given.data}")
    for page, name, table, columns in (
        (ROOT / "README.md", "results:recipes", recipe_table(rows), 2),
        (ROOT / "docs" / "notebooks.md", "results:notebooks", notebook_table(rows), 2),
        (ROOT / "docs" / "experiments.md", "decisions", decision_table(decisions), 6),
    ):
        written = bool(table) and write_section(
            page, name, _keep_others(page, name, table, columns=columns)
        )
        print(f"{page.relative_to(ROOT)}: {'written' if written else 'as it was'}")
    print(f"claims of recipes: {', '.join(write_claims(rows)) or 'as they were'}")


if __name__ == "__main__":
    main()
