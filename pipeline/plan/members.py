"""The runs of which an ensemble is made: of a recipe's members, of folds, or of a blend."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.plan.plan import (
    BLEND,
    Plan,
    check_run_name,
    make_plan,
    run_name,
    short_hash,
)
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import RecipeFile, find_recipe
from pipeline.system.errors import PipelineError
from pipeline.system.files import expand

# SEED=n adds n times this to the seeds of a recipe's members, so that no two ensembles share one.
SEED_STEP = 1000


@dataclass(frozen=True)
class Member:
    """One member as an ensemble's recipe names it.  overrides: its own, from the key ``set``."""

    recipe: RecipeFile
    seed: int | None
    overrides: tuple[str, ...]


def members_of(plan: Plan) -> tuple[Plan, ...]:
    """Return a plan for each member; none if the plan is one network.

    A member's run is the one that the same recipe, seed and overrides have by themselves.
    Raises PipelineError if the recipe can't be read, or a member is wrong or there twice.
    """
    if plan.blend:
        return tuple(_plan_of(plan.workspace, run) for run in plan.blend)
    if plan.fold is not None:
        return ()
    members = read_members(plan.recipe)
    if members is None:
        if plan.folds is None:
            return ()
        members = [Member(plan.recipe, plan.seed, ())]
    elif plan.seed:
        members = [_moved(member, SEED_STEP * plan.seed) for member in members]
    plans = [
        _member_plan(plan, member, fold)
        for member in members
        for fold in (range(plan.folds) if plan.folds else [None])
    ]
    _refuse_twice([member.run for member in plans], str(plan.recipe))
    if plan.run in {member.run for member in plans}:
        raise PipelineError(
            f"RUN={plan.run}: a member of this ensemble has that name", remedy="Give another RUN="
        )
    return tuple(plans)


def read_members(recipe: RecipeFile) -> list[Member] | None:
    """Return the members that an ensemble's recipe names; None for the recipe of a network.

    Raises PipelineError naming the file, the member and what is wrong with it.
    """
    values, path = recipe.values(), recipe.path
    if "ensemble" not in values:
        return None
    unknown = set(values) - {"description", "ensemble"}
    if unknown:
        raise PipelineError(f"{path}: {min(unknown)}: an ensemble has a description and members")
    section = values["ensemble"]
    members = section.get("members") if isinstance(section, dict) else None
    if not isinstance(members, list) or not members or set(section) != {"members"}:
        raise PipelineError(
            f"{path}: ensemble: should hold a list of members and nothing else",
            remedy='Example: members = [{ recipe = "mlp" }, { recipe = "mlp", seed = 1 }]',
        )
    found: dict[str, RecipeFile] = {}  # each file is read once
    return [_read_member(path, number, member, found) for number, member in enumerate(members)]


def recipe_files(plan: Plan) -> list[RecipeFile]:
    """Return the plan's recipe and those of its members, each once; none for a blend."""
    if plan.blend:
        return []
    return list(dict.fromkeys([plan.recipe, *(member.recipe for member in members_of(plan))]))


def plan_blend(workspace: Workspace, runs: Sequence[str], *, run: str | None = None) -> Plan:
    """Return the plan of a run that averages finished runs, by default with a name made of theirs.

    Raises PipelineError if there are fewer than two, one is not there, is the blend itself or is
    named twice, or they are not of one source.
    """
    if len(runs) < 2:
        raise PipelineError(
            "A blend needs at least two runs", remedy='Example: make blend RUNS="first second"'
        )
    _refuse_twice(runs, "A blend")
    chosen = tuple(sorted(runs))  # in any order it is the same blend
    name = run or f"blend-{short_hash(' '.join(chosen))}"
    check_run_name(name)
    plans = [_plan_of(workspace, member) for member in chosen]
    for member in plans:
        if member.source != plans[0].source:
            raise PipelineError(
                f"{plans[0].run} was trained on the source {plans[0].source.text} and "
                f"{member.run} on {member.source.text}: only runs of one source can be blended"
            )
        if name in _names_below(member):
            raise PipelineError(f"{name} can't be blended into itself", remedy="Give another RUN=")
    return Plan(workspace, plans[0].source, BLEND, None, (), name, blend=chosen)


def _names_below(plan: Plan) -> set[str]:
    """The names of a blend, of the runs in it, and so on."""
    return {plan.run}.union(*(_names_below(_plan_of(plan.workspace, run)) for run in plan.blend))


def _plan_of(workspace: Workspace, run: str) -> Plan:
    """The plan of a run that is there."""
    check_run_name(run)
    request = workspace.run(run).request
    if not request.exists():
        raise PipelineError(f"There is no run {run} ({request.parent})", remedy="See: make runs")
    return make_plan(run=run, data=workspace.data, submissions=workspace.submissions)


def _read_member(path: Path, number: int, values: Any, found: dict[str, RecipeFile]) -> Member:
    """Read a member.  found: the recipes of those before it, by name; a new one is added."""
    where = f"{path}: ensemble.members.{number}"
    if not isinstance(values, dict) or not isinstance(values.get("recipe"), str):
        raise PipelineError(f"{where}: should be a table with a recipe")
    if unknown := set(values) - {"recipe", "seed", "set"}:
        raise PipelineError(f"{where}.{min(unknown)}: unknown key")
    seed, overrides = values.get("seed"), values.get("set", [])
    if seed is not None and (type(seed) is not int or seed < 0):
        raise PipelineError(f"{where}.seed: should be a whole number from 0 up, got {seed!r}")
    if not isinstance(overrides, list) or not all(isinstance(text, str) for text in overrides):
        raise PipelineError(f'{where}.set: should be a list of texts like "training.epochs=20"')
    name = values["recipe"]
    if name.endswith(".toml"):
        name = str((path.parent / expand(name)).resolve())
    try:
        recipe = found.setdefault(name, find_recipe(name))
    except PipelineError as error:
        raise PipelineError(
            f"{where}.recipe: {error.message.partition(': ')[2]} ({values['recipe']})",
            remedy=error.remedy,
        ) from None
    if "ensemble" in recipe.values():
        raise PipelineError(f"{where}.recipe: {values['recipe']} is an ensemble itself")
    return Member(recipe, seed, tuple(overrides))


def _moved(member: Member, by: int) -> Member:
    own = member.seed if member.seed is not None else member.recipe.values().get("seed", 0)
    if type(own) is not int:  # training will say so
        return member
    return Member(member.recipe, own + by, member.overrides)


def _member_plan(plan: Plan, member: Member, fold: int | None) -> Plan:
    overrides = (*member.overrides, *plan.overrides)
    name = run_name(
        plan.source,
        member.recipe,
        seed=member.seed,
        overrides=overrides,
        folds=plan.folds,
        fold=fold,
    )
    return Plan(
        plan.workspace,
        plan.source,
        member.recipe,
        member.seed,
        overrides,
        name,
        plan.folds,
        fold,
    )


def _refuse_twice(runs: Sequence[str], where: str) -> None:
    for number, run in enumerate(runs):
        if run in runs[:number]:
            raise PipelineError(f"{where}: the run {run} is named twice")


def seed_of(plan: Plan) -> tuple[int | None, int]:
    """Return an ensemble's own seed, and by how much it moved that of its members.

    None: of folds or a blend, which move nothing.
    """
    if plan.blend or read_members(plan.recipe) is None:
        return None, 0
    return plan.seed or 0, SEED_STEP * (plan.seed or 0)
