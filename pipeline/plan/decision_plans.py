"""The runs by which recipes are compared before one of them is chosen."""

from collections.abc import Sequence

from pipeline.plan.members import read_members
from pipeline.plan.plan import Plan, make_plan, parse_folds
from pipeline.plan.seed_plans import parse_seeds, seed_plans
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import RecipeFile, find_recipe
from pipeline.recipes.recipe import Recipe, read_recipe
from pipeline.system.errors import PipelineError

# The share of the labelled digits on which nothing is decided: 7,000 of the competition's 42,000.
LOCKED = 1 / 6
FOLDS, SEEDS = 3, "2"  # unless others are given
EXAMPLE = 'Example: make decide RECIPES="quick my.toml"'


def decision_plans(
    workspace: Workspace,
    recipes: Sequence[str],
    *,
    source: str | None = None,
    overrides: str | None = None,
    folds: str | None = None,
    seeds: str | None = None,
) -> tuple[tuple[Plan, ...], ...]:
    """Return for each recipe a plan of each seed: a network for each fold of what is not locked.

    recipes: names or paths; the first is what the others are compared with.
    overrides: of all recipes alike.  folds, seeds: as FOLDS and SEEDS are typed.
    Raises PipelineError if there are fewer than two recipes, one is not there, wrong, an ensemble,
    or the same as another one, or they hold other digits out.
    """
    if len(recipes) < 2:
        raise PipelineError("To decide takes at least two recipes", remedy=EXAMPLE)
    files = [_find(text) for text in recipes]
    for number, (text, file) in enumerate(zip(recipes, files, strict=True)):
        if file in files[:number]:
            raise PipelineError(f"RECIPES: {text} is named twice", remedy=EXAMPLE)
    count = parse_folds(folds) or FOLDS
    chosen = parse_seeds(seeds or SEEDS)
    settings = " ".join(filter(None, [overrides, f"split.locked={LOCKED}"]))
    plans = [
        make_plan(
            source=source,
            recipe=text,
            overrides=settings,
            folds=count,
            data=workspace.data,
            submissions=workspace.submissions,
        )
        for text in recipes
    ]
    _check_settings(recipes, [_resolve(plan, count) for plan in plans])
    return tuple(seed_plans(plan, chosen) for plan in plans)


def _find(text: str) -> RecipeFile:
    try:
        recipe = find_recipe(text)
    except PipelineError as error:
        reason = error.message.partition(": ")[2]
        raise PipelineError(f"RECIPES: {text}: {reason}", remedy=error.remedy) from None
    if read_members(recipe) is not None:
        raise PipelineError(
            f"RECIPES: {text} is an ensemble, which has no settings of its own to decide on",
            remedy="Name the recipes of networks, such as its members'.",
        )
    return recipe


def _resolve(plan: Plan, folds: int) -> Recipe:
    return read_recipe(plan.recipe, overrides=plan.overrides, fold=(0, folds))


def _check_settings(names: Sequence[str], recipes: Sequence[Recipe]) -> None:
    """Refuse recipes that cannot differ but by nothing, or are not measured on the same folds."""
    found = [recipe.model_dump(exclude={"description", "seed"}) for recipe in recipes]
    for number, (name, values) in enumerate(zip(names, found, strict=True)):
        if values in found[:number]:
            same = names[found.index(values)]
            raise PipelineError(f"RECIPES: {same} and {name} have the same settings")
        if values["split"]["seed"] != found[0]["split"]["seed"]:
            raise PipelineError(
                f"RECIPES: {name} cuts the digits into other folds than {names[0]} (split.seed)",
                remedy='Let both have the same: SET="split.seed=0"',
            )
