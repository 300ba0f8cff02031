"""What to type: command lines of make, to be pasted into a shell as they stand."""

import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.plan.plan import Plan, make_plan, run_name
from pipeline.plan.workspace import Workspace
from pipeline.system.errors import PipelineError

# A target with its variables, as ``command`` writes it and as people write it in a sentence.
_COMMAND = re.compile(r"""\bmake ([a-z]+)((?: [A-Z]+=(?:'[^']*'|"[^"]*"|[^\s'"`();,])*)*)""")
_ORIGIN = {"SOURCE", "RECIPE", "SEED", "SET", "FOLDS"}  # what makes a run, apart from its name


def command(target: str, workspace: Workspace | None = None, **variables: object) -> str:
    """Return ``make target NAME=value ...``; what is None is left out.

    workspace: its folders follow where they are not the default ones.
    """
    if workspace is not None:
        for name in ("data", "submissions"):
            folder = getattr(workspace, name)
            variables[name.upper()] = None if folder == Path(name) else folder
    return " ".join(["make", target, *_words(variables)])


def complete(text: str, given: Callable[[str], Mapping[str, object]]) -> str:
    """Return the text with every command in it made to mean what the user's own one meant.

    given: from a target, the variables that it takes of those that the user gave.
    A command that names a variable keeps it. One that names a run, or a recipe, is about that one,
    and gets no more than folders and the like; one that names another source, say, is about
    another run, and does not get the name of the user's.
    """

    def completed(found: re.Match[str]) -> str:
        named = set(re.findall(r" ([A-Z]+)=", found[2]))
        unwanted = set(named)
        if named & {"RUN", "RUNS", "RECIPE"}:
            unwanted |= _ORIGIN
        if named & {"RUNS", *_ORIGIN}:
            unwanted.add("RUN")
        more = {name: value for name, value in given(found[1]).items() if name not in unwanted}
        return " ".join([found[0], *_words(more)])

    return _COMMAND.sub(completed, text)


def make_command(plan: Plan, target: str, **variables: object) -> str:
    """Return what to type for a target on the plan's run, without what is default."""
    workspace = plan.workspace
    try:
        same = make_plan(data=workspace.data, submissions=workspace.submissions).run == plan.run
    except PipelineError:
        same = False
    return command(target, workspace, RUN=None if same else plan.run, **variables)


def origin_command(plan: Plan, *, here: bool = True, source: str | None = None) -> str:
    """Return what to type to make the plan's run from nothing; one of several folds, with all.

    here: in the plan's own folders; False for readers elsewhere.
    source: other digits, from which the run of the same settings has its own name.
    """
    workspace = plan.workspace if here else None
    if plan.blend and source:
        return command("all", workspace, SOURCE=source)
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
        SOURCE=source or plan.source.text,
        RECIPE=plan.recipe.text,
        SEED=plan.seed,
        SET=" ".join(plan.overrides) or None,
        FOLDS=plan.folds,
        RUN=None if source or plan.run == usual_name else plan.run,
    )


def _words(variables: Mapping[str, object]) -> list[str]:
    return [f"{name}={_quoted(str(v))}" for name, v in variables.items() if v is not None]


def _quoted(text: str) -> str:
    """The text for a shell; what cannot be shown is written as bash, zsh and ksh read it."""
    if text.isprintable():
        return shlex.quote(text)
    plain = set(range(32, 127)) - set(b"\\'")
    letters = (chr(byte) if byte in plain else f"\\x{byte:02x}" for byte in os.fsencode(text))
    return f"$'{''.join(letters)}'"
