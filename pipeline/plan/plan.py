"""What the user asked for, resolved to one value that every stage takes."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.kaggle.credential_files import CredentialsError
from pipeline.kaggle.credentials import find_credentials
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import DEFAULT_RECIPE, RECIPE_FOLDER, RecipeFile, find_recipe
from pipeline.system.errors import PipelineError
from pipeline.system.files import expand

SourceKind = Literal["kaggle", "kaggle-notebook", "mnist-csv", "practice", "path"]
NAMED_SOURCES: tuple[SourceKind, ...] = ("kaggle", "kaggle-notebook", "mnist-csv", "practice")
LARGEST_SEED = 10**18 - 1  # which 64 bits hold
# Each fold or seed is a training of its own; of the smallest recipe, so many take an hour or so.
MOST_TRAININGS = 1_000
MOST_TRIALS = 100_000  # which a search reads again for each further one
BLEND = RecipeFile(Path("blend"))  # stands where a blend has no recipe


@dataclass(frozen=True)
class Source:
    """Where the digits come from.

    kind: one of the named sources, or "path" for a file or folder of the user's.
    name: the name of its folder under data/raw and data/processed, unique to the source.
    path: the user's file or folder (kind "path" only).
    """

    kind: SourceKind
    name: str
    path: Path | None = None

    @property
    def text(self) -> str:
        """What to give as SOURCE to get this source again."""
        return self.kind if self.path is None else str(self.path)


@dataclass(frozen=True)
class Plan:
    """One source, one recipe with its seed and overrides, and the run that they make.

    seed: None means the recipe's own.
    overrides: "key=value" texts, in the order given.
    folds: how many folds the digits are cut into, None for what the recipe holds out.
    fold: which one this network holds out, from 0; None with folds means a network for each.
    blend: names of finished runs that this one averages; then there is no recipe.
    """

    workspace: Workspace
    source: Source
    recipe: RecipeFile
    seed: int | None
    overrides: tuple[str, ...]
    run: str
    folds: int | None = None
    fold: int | None = None
    blend: tuple[str, ...] = ()

    @property
    def recipe_name(self) -> str:
        return self.recipe.name


def make_plan(
    *,
    source: str | None = None,
    recipe: str | None = None,
    run: str | None = None,
    seed: int | None = None,
    overrides: str | None = None,
    folds: int | None = None,
    data: str | Path = "data",
    submissions: str | Path = "submissions",
    environment: Mapping[str, str] | None = None,
) -> Plan:
    """Resolve what the user gave; whatever is None or empty gets its default.

    A run that exists already and is named brings its own source, recipe, seed, overrides and folds,
    so that ``make submit RUN=name`` never means another recipe than the one it was trained with.
    Raises PipelineError for an unknown source or recipe and for a run name that is no file name.
    """
    given = {"SOURCE": source, "RECIPE": recipe, "SET": overrides}
    for name, value in (given | {"DATA": data, "SUBMISSIONS": submissions}).items():
        check_text(name, str(value))
    workspace = Workspace(expand(str(data)), expand(str(submissions)))
    fold = None
    blend: tuple[str, ...] = ()
    if run:
        check_run_name(run)
        recorded = _recorded_request(workspace, run)
        if not recipe:
            blend = tuple(recorded.get("blend") or ())
        if blend and (seed is not None or overrides or folds):
            raise PipelineError(f"RUN={run} is a blend: SEED, SET and FOLDS do not apply to it")
        source = source or recorded.get("source")
        recipe = recipe or recorded.get("recipe")
        if seed is None:
            seed = recorded.get("seed")
        overrides = overrides or recorded.get("set")
        if folds is None:
            folds, fold = recorded.get("folds"), recorded.get("fold")
    variables = os.environ if environment is None else environment
    chosen = find_source(source or "auto", workspace, variables)
    chosen_recipe = BLEND if blend else find_recipe(recipe or DEFAULT_RECIPE)
    check_text("RECIPE", chosen_recipe.text)
    settings = split_overrides(overrides or "")
    name = run or run_name(
        chosen, chosen_recipe, seed=seed, overrides=settings, folds=folds, fold=fold
    )
    return Plan(workspace, chosen, chosen_recipe, seed, settings, name, folds, fold, blend)


def recorded_plan(workspace: Workspace, run: str) -> Plan:
    """Return the plan of a run as its folder tells it.

    Its recipe's file and the user's digits need not be there any more.
    Raises PipelineError if there is no such run.
    """
    check_run_name(run)
    request = _recorded_request(workspace, run)
    if not request:
        raise PipelineError(
            f"There is no run {run} ({workspace.run(run).folder})", remedy="See: make runs"
        )
    text = request.get("recipe") or ""
    recipe = RecipeFile(Path(text) if text.endswith(".toml") else RECIPE_FOLDER / f"{text}.toml")
    blend = tuple(request.get("blend") or ())
    return Plan(
        workspace,
        _source_of(request["source"]),
        BLEND if blend else recipe,
        request.get("seed"),
        split_overrides(request.get("set") or ""),
        run,
        request.get("folds"),
        request.get("fold"),
        blend,
    )


def parse_seed(text: str | None) -> int | None:
    """Return SEED as a number, None if it was not given. Raises PipelineError for other texts."""
    return _whole_number("SEED", text, 0, LARGEST_SEED)


def parse_folds(text: str | None) -> int | None:
    """Return FOLDS as a number, None if it was not given. Raises PipelineError for other texts."""
    return _whole_number("FOLDS", text, 2, MOST_TRAININGS)


def parse_trials(text: str | None) -> int | None:
    """Return TRIALS as a number, None if it was not given. PipelineError for other texts."""
    return _whole_number("TRIALS", text, 1, MOST_TRIALS)


def _whole_number(name: str, text: str | None, least: int, most: int) -> int | None:
    if not text:
        return None
    # By its length first: Python does not read numbers of some thousand digits.
    if not text.isdecimal() or len(text) > len(str(most)) or not least <= int(text) <= most:
        raise PipelineError(f"{name}={text}: not a whole number from {least} to {most:,}")
    return int(text)


def find_source(text: str, workspace: Workspace, environment: Mapping[str, str]) -> Source:
    """Return the source that ``text`` names: auto, a named source, or a path."""
    if text == "auto":
        return _automatic_source(workspace, environment)
    source = _source_of(text)
    # Once taken in, the user's files may be deleted.
    if source.path and not (source.path.exists() or workspace.raw(source.name).manifest.exists()):
        raise PipelineError(
            f"SOURCE={text}: no such file or folder, and no source of that name",
            remedy=f"Give auto, {', '.join(NAMED_SOURCES)}, or a path to a folder or zip.",
        )
    return source


def _source_of(text: str) -> Source:
    """The source that a text names; whether a path is there is not looked at."""
    for kind in NAMED_SOURCES:
        if text == kind:
            return Source(kind, kind)
    path = expand(text).absolute()
    check_text("SOURCE", str(path))
    return Source("path", f"{_slug(path.stem)}-{short_hash(str(path))}", path)


def split_overrides(text: str) -> tuple[str, ...]:
    """Split ``a=1 b=[1, 2]`` before each ``key=``, so that values may hold spaces."""
    parts = re.split(r"\s+(?=[A-Za-z_][\w.]*=)", text.strip())
    return tuple(part for part in parts if part)


def kaggle_notebook_input(environment: Mapping[str, str]) -> Path | None:
    """Return the competition's folder inside a Kaggle notebook, or None elsewhere.

    Kaggle mounts it at /kaggle/input/digit-recognizer, newer images below competitions/;
    DIGITS_KAGGLE_INPUT names another place for /kaggle/input.
    """
    root = Path(environment.get("DIGITS_KAGGLE_INPUT", "/kaggle/input"))
    for folder in (root / "digit-recognizer", root / "competitions" / "digit-recognizer"):
        if (folder / "train.csv").is_file():
            return folder
    return None


def _automatic_source(workspace: Workspace, environment: Mapping[str, str]) -> Source:
    from pipeline.plan.records import read_download  # noqa: PLC0415  (help needs no pydantic)

    downloaded = [
        (folder.folder.name, read_download(folder.manifest)) for folder in workspace.all_raw()
    ]
    competition = [item for item in downloaded if item[1].get("kind") == "competition"]
    if competition:
        # Kaggle's own download comes before copies of it; of several copies, the newest counts.
        name, manifest = max(
            competition,
            key=lambda item: (item[0] in NAMED_SOURCES, item[1].get("downloaded_at") or ""),
        )
        for kind in NAMED_SOURCES:
            if name == kind:
                return Source(kind, kind)
        return Source("path", name, Path(manifest.get("origin") or name))
    if kaggle_notebook_input(environment):
        return Source("kaggle-notebook", "kaggle-notebook")
    try:
        found = find_credentials(environment)
    except CredentialsError as error:
        # Who has put them there wants the competition's digits, and is not given others unasked.
        message = f"{error.message} For the practice digits instead, give SOURCE=practice."
        raise PipelineError(message, remedy=error.remedy) from None
    return Source("kaggle", "kaggle") if found else Source("practice", "practice")


def run_name(
    source: Source,
    recipe: RecipeFile,
    *,
    seed: int | None,
    overrides: tuple[str, ...],
    folds: int | None = None,
    fold: int | None = None,
) -> str:
    """Return a run's name if none was given; runs that differ in anything have other names."""
    parts = [source.name, _slug(recipe.name)]
    if not recipe.is_built_in:
        parts.append(short_hash(str(recipe)))
    if seed is not None:
        parts.append(f"seed{seed}")
    if overrides:
        parts.append(f"set{short_hash(' '.join(overrides))}")
    if folds is not None:
        parts.append(f"folds{folds}" if fold is None else f"fold{fold}of{folds}")
    return "-".join(parts)


def check_text(name: str, text: str) -> None:
    """Raise PipelineError for a variable whose value no record can hold: it is not UTF-8.

    Names of files may be any bytes; those that are no text reach us as halves of characters.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise PipelineError(
            f"{name}={text}: not UTF-8 text, and could not be kept in a record",
            remedy="Rename it, or give it another name with a symbolic link (ln -s).",
        ) from None


def check_run_name(run: str) -> None:
    """Raise PipelineError for a run's name that is not usable as a folder's."""
    if not re.fullmatch(r"\w[\w.+-]*", run):
        raise PipelineError(
            f"RUN={run}: not usable as the name of a folder",
            remedy="Use letters, digits, '-', '_', '+' and '.', starting with a letter or digit.",
        )


def _recorded_request(workspace: Workspace, run: str) -> dict[str, Any]:
    path = workspace.run(run).request
    if not path.exists():
        return {}
    from pipeline.plan.records import read_request  # noqa: PLC0415  (help needs no pydantic)

    return read_request(path)


def _slug(text: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", text).strip("-.") or "data"


def short_hash(text: str) -> str:
    """Return six hexadecimal digits that differ for texts that differ."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:6]
