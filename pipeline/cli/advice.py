"""Advice that can be pasted: commands in it get the variables that the user gave."""

import os
from collections.abc import Mapping
from typing import Any

import click

from pipeline.plan.commands import complete

_MEANT = "pipeline.meant"
_PREFIX = "DIGITS_"  # of the environment variables in which make hands on its own


def advice(text: str) -> str:
    """Return a text in which every ``make target`` is about what the running command is about.

    Whoever writes such a text need not know what was typed: it gets those of the user's variables
    that the target takes, unless it names others itself.
    """
    context = click.get_current_context(silent=True)
    return text if context is None else complete(text, lambda target: _given(context, target))


def mean(**variables: str) -> None:
    """Let advice name these from now on, instead of what the running command was given."""
    click.get_current_context().meta[_MEANT] = variables


def _given(context: click.Context, target: str) -> Mapping[str, str]:
    """The variables with which to type a target, of those that were given to the command."""
    group = context.find_root().command
    known = group.commands.get(target) if isinstance(group, click.Group) else None
    here = {parameter.name: parameter.envvar for parameter in context.command.params}
    typed = {here[name]: _text(value) for name, value in context.params.items() if here.get(name)}
    typed |= {f"{_PREFIX}{name}": text for name, text in context.meta.get(_MEANT, {}).items()}
    found = {}
    for parameter in known.params if known else ():
        variable = parameter.envvar
        # Doing it again is for each command anew; what this one does not take, make exports.
        if not isinstance(variable, str) or variable == f"{_PREFIX}FORCE":
            continue
        text = typed.get(variable, os.environ.get(variable, ""))
        if text and text != parameter.default:
            found[variable.removeprefix(_PREFIX)] = text
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
