"""How a run was made, and what makes it again: recipe, machine, digits, command."""

from dataclasses import dataclass
from typing import Any

from pipeline.pages.evidence import RunEvidence
from pipeline.recipes.toml_text import toml_text


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
        recipes=[(name, toml_text(recipe)) for name, recipe in evidence.recipes.items()],
        environment=[
            (_name(key), _value(value)) for key, value in environment.items() if value is not None
        ],
        checksums=[
            *((name, str(item["sha256"])) for name, item in files.items()),
            ("model", str(training["model_sha256"])),
        ],
    )


def _value(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _name(key: str) -> str:
    return {"numpy": "NumPy", "scipy": "SciPy", "python": "Python", "dirty": "changed since"}.get(
        key, key
    )
