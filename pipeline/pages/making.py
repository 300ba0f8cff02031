"""How a run was made, and what makes it again: recipe, machine, digits, command."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.pages.evidence import RunEvidence
from pipeline.plan.plan import Plan, run_name


@dataclass(frozen=True)
class Making:
    """commands: lines for a shell.  is_dirty: whether the code differed from the commit.

    recipes: names and texts, one for each network.  environment, checksums: names and values.
    """

    commands: list[str]
    is_dirty: bool
    recipes: list[tuple[str, str]]
    environment: list[tuple[str, str]]
    checksums: list[tuple[str, str]]


def making_of(evidence: RunEvidence) -> Making:
    """Return what the record of the training says of its making."""
    training = evidence.training
    environment = training["environment"]
    commands = [evidence.command]
    if environment.get("commit"):
        commands.insert(0, f"git checkout {environment['commit']}")
    files = training["data"]["files"]
    return Making(
        commands=commands,
        is_dirty=bool(environment.get("dirty")),
        recipes=[(name, readable(recipe)) for name, recipe in evidence.recipes.items()],
        environment=[
            (_name(key), _value(value)) for key, value in environment.items() if value is not None
        ],
        checksums=[
            *((name, str(item["sha256"])) for name, item in files.items()),
            ("model", str(training["model_sha256"])),
        ],
    )


def command_of(plan: Plan) -> str:
    """Return what to type to make the plan's run from nothing."""
    if plan.blend:
        return f"make blend RUNS={shlex.quote(' '.join(plan.blend))} RUN={shlex.quote(plan.run)}"
    recipe = plan.recipe.text
    usual_name = run_name(
        plan.source,
        plan.recipe,
        seed=plan.seed,
        overrides=plan.overrides,
        folds=plan.folds,
        fold=plan.fold,
    )
    variables = [("SOURCE", plan.source.text), ("RECIPE", recipe)]
    if plan.seed is not None:
        variables.append(("SEED", str(plan.seed)))
    if plan.overrides:
        variables.append(("SET", " ".join(plan.overrides)))
    if plan.folds is not None:
        variables.append(("FOLDS", str(plan.folds)))
    if plan.run != usual_name:
        variables.append(("RUN", plan.run))
    return " ".join(["make all", *(f"{name}={shlex.quote(text)}" for name, text in variables)])


def readable(recipe: Mapping[str, Any]) -> str:
    """Return a resolved recipe as text: a heading for each section, a line for each setting.

    Settings that are not set are left out, and a layer is one line.
    """
    alone = [f"{key} = {_value(value)}" for key, value in recipe.items() if not _is_section(value)]
    blocks = ["\n".join(alone)]
    for key, section in recipe.items():
        if _is_section(section):
            lines = [line for name, value in section.items() for line in _lines(name, value)]
            blocks.append("\n".join([f"[{key}]", *lines]))
    return "\n\n".join(blocks)


def _lines(name: str, value: Any) -> list[str]:
    if value is None:
        return []
    if name == "layers":
        return [_layer(layer) for layer in value]
    return [f"{name} = {_value(value)}"]


def _layer(layer: Mapping[str, Any]) -> str:
    settings = [f"{key} {_value(value)}" for key, value in layer.items() if key != "kind"]
    return f"{layer['kind']:<16}{', '.join(settings)}".rstrip()


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        kind = value.get("kind")
        others = " ".join(f"{key} {_value(item)}" for key, item in value.items() if key != "kind")
        return " ".join(text for text in (str(kind or ""), others) if text)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "default" if value is None else str(value)


def _is_section(value: Any) -> bool:
    return isinstance(value, Mapping)


def _name(key: str) -> str:
    return {"numpy": "NumPy", "scipy": "SciPy", "python": "Python", "dirty": "changed since"}.get(
        key, key
    )
