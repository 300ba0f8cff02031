"""The whole pipeline as one notebook, which runs at Kaggle without internet and without a clone.

``notebook.md`` beside this file tells its story. A block of Python in it is a cell; a block
``carry`` names files of the package, and each becomes a cell that writes the file as it is. What
no block names goes into hidden cells, one for each folder, so that no file can be forgotten.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.plan.members import members_of, recipe_files
from pipeline.plan.plan import Plan, Source, run_name, short_hash
from pipeline.recipes.file import RECIPE_FOLDER, RecipeFile
from pipeline.recipes.recipe import read_recipe
from pipeline.system.errors import PipelineError
from pipeline.system.text import one_line

PACKAGE = Path(__file__).parents[1]
STORY = Path(__file__).with_suffix(".md")
# Where a recipe of the user's own stands in the notebook's folder.
OWN_RECIPES = "recipes"
# Comes before each file in a hidden cell; no line of a file begins with it.
MARK = "##### file: "
BLOCK = re.compile(r"^```(python|carry)( hidden)?\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
HIDDEN = {"_kg_hide-input": True}

TITLE = "Digit Recognizer NumPy"
LONGEST_TITLE = 50  # of Kaggle's
UNKNOWN_OWNER = "INSERT_USERNAME"  # no account can have this name


@dataclass(frozen=True)
class Cell:
    """One cell.  kind: "markdown" or "code".  hidden: Kaggle shows its output alone."""

    kind: str
    source: str
    hidden: bool = False


def notebook_name(plan: Plan) -> str:
    """Return the name of the plan's notebook: one for each recipe, seed, overrides and folds.

    It runs on Kaggle's own digits, so that the plan's source makes no difference.
    Raises PipelineError for a plan that is of this machine alone.
    """
    if plan.blend or plan.fold is not None:
        what = "a blend of runs" if plan.blend else "one fold of several"
        raise PipelineError(
            f"RUN={plan.run} is {what} on this machine: a notebook cannot make it anew",
            remedy="Name a recipe instead, with FOLDS=... or with members.",
        )
    source = Source("kaggle-notebook", "kaggle-notebook")
    name = run_name(source, plan.recipe, seed=plan.seed, overrides=plan.overrides, folds=plan.folds)
    return name.removeprefix(f"{source.name}-")


def kernel_metadata(name: str, owner: str, code_file: str) -> dict[str, Any]:
    """Return what Kaggle's client wants to know of the notebook ``name``.

    Kaggle makes the last part of the address from the title; so both are made of the same words.
    """
    words = re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
    room = LONGEST_TITLE - len(TITLE) - 1
    if words.replace(" ", "-") != name or len(words) > room:
        # If names were cut or their characters replaced, two could become one.
        words = f"{words[: room - 7].strip()} {short_hash(name)}".strip()
    title = f"{TITLE} {words}"
    return {
        "id": f"{owner}/{title.lower().replace(' ', '-')}",
        "title": title,
        "code_file": code_file,
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": False,
        "enable_tpu": False,
        "enable_internet": False,
        "competition_sources": ["digit-recognizer"],
        "dataset_sources": [],
        "kernel_sources": [],
        "model_sources": [],
    }


def build_notebook(plan: Plan, *, commit: str) -> str:
    """Return the notebook's JSON; the same plan and package give the same bytes.

    commit: what the notebook says of the code that it carries.
    Raises PipelineError if the recipe is wrong, or a file cannot be carried.
    """
    import nbformat  # noqa: PLC0415  (nothing else needs it)

    v4: Any = nbformat.v4  # which has no types
    for network in members_of(plan) or (plan,):
        fold = None if network.fold is None else (network.fold, network.folds or 0)
        read_recipe(network.recipe, seed=network.seed, overrides=network.overrides, fold=fold)
    recipes = _recipe_texts(plan)
    carried = _package_texts() | recipes
    story = _story(plan, carried, list(recipes), commit)
    cells = []
    for number, cell in enumerate(_cells(story, carried)):
        make = getattr(v4, f"new_{cell.kind}_cell")
        metadata = HIDDEN if cell.hidden else {}
        cells.append(make(cell.source, id=f"cell-{number:03}", metadata=metadata))
    notebook = v4.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )
    notebook.nbformat_minor = 5
    nbformat.validate(notebook)
    return f"{v4.writes(notebook)}\n"


def _package_texts() -> dict[str, str]:
    """Every file of the package by its path in the notebook's folder, in order."""
    paths = [
        path.relative_to(PACKAGE.parent)
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    ]
    return {path.as_posix(): _read(PACKAGE.parent / path) for path in sorted(paths)}


def _recipe_texts(plan: Plan) -> dict[str, str]:
    """The plan's recipe first, then those of its members, by their paths in the folder.

    Recipes of the user's own keep their places beside each other, because they name each other.
    """
    found = recipe_files(plan)
    own = {
        recipe: recipe.path.parent.resolve() / recipe.path.name
        for recipe in found
        if not recipe.is_built_in
    }
    root = os.path.commonpath([place.parent for place in own.values()]) if own else ""
    texts = {}
    for recipe in found:
        if recipe in own:
            _refuse_fixed_places(recipe)
            text = _read(recipe.path).replace("\r\n", "\n").rstrip("\n") + "\n"
            texts[f"{OWN_RECIPES}/{own[recipe].relative_to(root).as_posix()}"] = text
        else:
            name = f"{PACKAGE.name}/{RECIPE_FOLDER.name}/{recipe.path.name}"
            texts[name] = _read(recipe.path)
    return texts


def _refuse_fixed_places(recipe: RecipeFile) -> None:
    """Members are found from the recipe's folder, which is another one at Kaggle."""
    for member in recipe.values().get("ensemble", {}).get("members", []):
        if member["recipe"].endswith(".toml") and member["recipe"].startswith(("/", "~")):
            raise PipelineError(
                f"{recipe}: the member {member['recipe']} is at a place that Kaggle does not have",
                remedy="Name it relative to the recipe's own folder.",
            )


def _read(path: Path) -> str:
    if "\n" in str(path):
        raise PipelineError(f"{str(path)!r}: a notebook cannot carry a file with such a name")
    try:
        str(path).encode()
        return path.read_bytes().decode()
    except UnicodeError:
        raise PipelineError(
            f"{str(path)!a} or its name is not UTF-8 text: a notebook cannot carry it"
        ) from None


def _story(plan: Plan, carried: Mapping[str, str], recipes: list[str], commit: str) -> str:
    """The story with the plan's own values in it."""
    import jinja2  # noqa: PLC0415

    changes = [f"seed {plan.seed}"] if plan.seed is not None else []
    changes += [f"{plan.folds} folds"] if plan.folds else []
    overrides = one_line(" ".join(plan.overrides)).replace("`", "'")
    changes += [f"with `{overrides}`"] if overrides else []
    built_in = plan.recipe.is_built_in
    values = {
        "recipe": _literal(plan.recipe_name if built_in else recipes[0]),
        "seed": _literal("" if plan.seed is None else str(plan.seed)),
        "set": _literal(" ".join(plan.overrides)),
        "folds": _literal(str(plan.folds or "")),
        "recipe_name": _prose(plan.recipe_name),
        "changes": "".join(f", {change}" for change in changes),
        "description": _prose(str(plan.recipe.values().get("description", ""))),
        "commit": commit,
        "recipe_files": "\n".join(recipes),
        "folders": _literal(sorted({str(PurePosixPath(path).parent) for path in carried})),
        "mark": MARK,
        "checksums": _literal(
            {path: hashlib.sha256(text.encode()).hexdigest() for path, text in carried.items()}
        ),
    }
    template = jinja2.Template(
        STORY.read_text(encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return str(template.render(values))


def _prose(text: str) -> str:
    """Somebody's own text as Markdown shows it as it is, in one line: none of it is mark-up."""
    return re.sub(r"([\\`*_\[\]<>&|$#~])", r"\\\1", one_line(text))


def _literal(value: Any) -> str:
    """A text, list or mapping of texts as Python writes it, over several lines if it is long."""
    flat = json.dumps(value, ensure_ascii=False)
    return flat if len(flat) < 80 else json.dumps(value, ensure_ascii=False, indent=4)


def _cells(story: str, carried: Mapping[str, str]) -> Iterator[Cell]:
    pieces = BLOCK.split(story)
    shown = {
        path
        for kind, hidden, body in zip(pieces[1::4], pieces[2::4], pieces[3::4], strict=True)
        for path in body.splitlines()
        if kind == "carry" and not hidden
    }
    rest = {path: text for path, text in carried.items() if path not in shown}
    yield from _markdown(pieces[0])
    for start in range(1, len(pieces), 4):
        kind, hidden, body, text = pieces[start : start + 4]
        if kind == "python":
            yield Cell("code", body.removesuffix("\n"), hidden=bool(hidden))
        elif hidden:
            yield from _hidden_files(rest)
        else:
            for path in body.splitlines():
                yield Cell("code", _file(path, carried[path]))
        yield from _markdown(text)


def _markdown(text: str) -> Iterator[Cell]:
    if text.strip():
        yield Cell("markdown", text.strip())


def _file(path: str, text: str) -> str:
    """The source of a cell that writes one file, for the reader to see."""
    if re.fullmatch(r"[\w./-]+", path):
        return f"%%writefile {path}\n{text}".removesuffix("\n")
    # On the line of a magic command, blanks, quotes and braces mean something.
    return f"%%writefiles {OWN_RECIPES}\n{MARK}{path}\n{text}".removesuffix("\n")


def _hidden_files(carried: Mapping[str, str]) -> Iterator[Cell]:
    def folder(path: str) -> str:
        return str(PurePosixPath(path).parent)

    for name, paths in groupby(sorted(carried, key=lambda path: (folder(path), path)), folder):
        files = [f"{MARK}{path}\n{carried[path]}" for path in paths]
        yield Cell("code", f"%%writefiles {name}\n{''.join(files)}".removesuffix("\n"), hidden=True)
