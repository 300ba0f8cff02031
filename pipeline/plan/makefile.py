"""The names of the files that the Makefile's rules are about: ``python -m pipeline.makefile``.

A file name may hold spaces and much else that means something to make; so make gets the names
from here, escaped, and not from pieces that it puts together itself.
"""

import os
import re
import sys
from pathlib import Path

from pipeline.plan.members import members_of, recipe_files
from pipeline.plan.plan import Plan, make_plan, parse_folds, parse_seed
from pipeline.system.errors import PipelineError
from pipeline.system.text import printable

# With these in a name, make takes it for a pattern or something else, however it is escaped.
UNUSABLE = re.compile(r"[\\%*?\[\]|\n]|\)$")


def make_variables(plan: Plan) -> dict[str, list[str]]:
    """Return the variables that the Makefile's rules use, each a list of escaped names.

    Raises PipelineError for a name that cannot be escaped.
    """
    workspace, run = plan.workspace, plan.workspace.run(plan.run)
    members = [workspace.run(member.run).training for member in members_of(plan)]
    paths = {
        "ORIGIN": _origin(plan),
        "RAW": [workspace.raw(plan.source.name).manifest],
        "PROCESSED": [workspace.processed(plan.source.name).manifest],
        "RECIPE_FILE": recipe_files(plan),
        "MEMBERS": [record for record in members if record.exists()],
        "REQUEST": [run.request] if run.request.exists() else [],
        "TRAINING": [run.training],
        "VALIDATION": [run.validation],
        "SUBMISSION": [workspace.submission(plan.run)],
        "SUMMARY": [run.summary],
    }
    variables = {name: [escape(path) for path in listed] for name, listed in paths.items()}
    if not plan.is_recorded or not all(record.exists() for record in members):
        variables["REQUEST"].append("other-request")
    return variables


def escape(path: Path) -> str:
    """Return a path as a Makefile's rule writes it. Raises PipelineError if that cannot be done."""
    text = str(path)
    if found := UNUSABLE.search(text):
        raise PipelineError(
            f"make cannot work with {found.group()!r} in the name {text}",
            remedy="Rename it, or run the stages themselves: python -m pipeline --help",
        )
    return re.sub(r"([ \t#:;])", r"\\\1", text.replace("$", "$$"))


def _origin(plan: Plan) -> list[Path]:
    """The user's own files, which are taken in again when they change."""
    path = plan.source.path
    if path is None or not path.exists():
        return []
    return [path] if path.is_file() else sorted(path.glob("*.csv"))


def main() -> None:
    """Print the variables as assignments, with ``;;`` between them because make joins lines."""
    environment = os.environ
    try:
        plan = make_plan(
            source=environment.get("DIGITS_SOURCE"),
            recipe=environment.get("DIGITS_RECIPE"),
            run=environment.get("DIGITS_RUN"),
            seed=parse_seed(environment.get("DIGITS_SEED")),
            overrides=environment.get("DIGITS_SET"),
            folds=parse_folds(environment.get("DIGITS_FOLDS")),
            data=environment.get("DIGITS_DATA") or "data",
            submissions=environment.get("DIGITS_SUBMISSIONS") or "submissions",
        )
        variables = make_variables(plan)
    except (PipelineError, OSError) as error:
        print(printable(f"Error: {error}"), file=sys.stderr)
        sys.exit(1)
    text = ";;".join(f"{name} := {' '.join(names)}" for name, names in variables.items())
    sys.stdout.buffer.write(os.fsencode(f"{text}\n"))


if __name__ == "__main__":
    main()
