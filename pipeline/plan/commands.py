"""What to type: command lines of make, to be pasted into a shell as they stand."""

import shlex
from pathlib import Path

from pipeline.plan.plan import Plan, make_plan, run_name
from pipeline.plan.workspace import Workspace
from pipeline.system.errors import PipelineError


def command(target: str, workspace: Workspace | None = None, **variables: object) -> str:
    """Return ``make target NAME=value ...``; what is None is left out.

    workspace: its folders follow where they are not the default ones.
    """
    if workspace is not None:
        for name in ("data", "submissions"):
            folder = getattr(workspace, name)
            variables[name.upper()] = None if folder == Path(name) else folder
    words = [f"{name}={shlex.quote(str(v))}" for name, v in variables.items() if v is not None]
    return " ".join(["make", target, *words])


def make_command(plan: Plan, target: str, **variables: object) -> str:
    """Return what to type for a target on the plan's run, without what is default."""
    workspace = plan.workspace
    try:
        same = make_plan(data=workspace.data, submissions=workspace.submissions).run == plan.run
    except PipelineError:
        same = False
    return command(target, workspace, RUN=None if same else plan.run, **variables)


def origin_command(plan: Plan, *, here: bool = True) -> str:
    """Return what to type to make the plan's run from nothing; one of several folds, with all.

    here: in the plan's own folders; False for readers elsewhere.
    """
    workspace = plan.workspace if here else None
    if plan.blend:
        return command("blend", workspace, RUNS=" ".join(plan.blend), RUN=plan.run)
    usual_name = run_name(
        plan.source,
        plan.recipe,
        seed=plan.seed,
        overrides=plan.overrides,
        folds=plan.folds,
        fold=plan.fold,
    )
    return command(
        "all",
        workspace,
        SOURCE=plan.source.text,
        RECIPE=plan.recipe.text,
        SEED=plan.seed,
        SET=" ".join(plan.overrides) or None,
        FOLDS=plan.folds,
        RUN=None if plan.run == usual_name else plan.run,
    )
