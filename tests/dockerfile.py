"""The Dockerfile and .dockerignore as values: as much of their grammar as ours make use of."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Instruction:
    """One instruction, such as RUN.

    flags: of ``--from=code``, {"from": "code"}.  text: what follows them, on one line.
    """

    name: str
    flags: dict[str, str]
    text: str


@dataclass(frozen=True)
class Stage:
    """What stands between one FROM and the next.

    name: "" if nothing refers to it.  base: an image, or the name of an earlier stage.
    """

    name: str
    base: str
    instructions: tuple[Instruction, ...]


def read_stages(dockerfile: Path) -> list[Stage]:
    """Return the stages in their order. Raises ValueError for what comes before the first FROM."""
    stages: list[Stage] = []
    for line in _whole_lines(dockerfile.read_text(encoding="utf-8")):
        name, _, text = line.partition(" ")
        flags: dict[str, str] = {}
        while found := re.match(r"--([a-z]+)=(\S+)\s+", text):
            flags[found[1]] = found[2]
            text = text[found.end() :]
        if name == "FROM":
            base, _, alias = text.partition(" AS ")
            stages.append(Stage(alias, base, ()))
        elif stages:
            last = stages[-1]
            instructions = (*last.instructions, Instruction(name, flags, text))
            stages[-1] = Stage(last.name, last.base, instructions)
        else:
            raise ValueError(f"before any FROM: {line}")
    return stages


def _whole_lines(text: str) -> list[str]:
    """Without comments, and with continued lines joined to one."""
    kept = [line.strip() for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(kept).replace("\\\n", "")
    return [re.sub(r"\s{2,}", " ", line) for line in joined.splitlines() if line]


def is_in_context(path: PurePosixPath, ignored: list[str]) -> bool:
    """Whether a file, named from the context's top, is sent to the build.

    ignored: the lines of .dockerignore, of which the last that fits the file or a folder above it
    decides.
    """
    names = [str(path), *map(str, path.parents)][:-1]
    inside = True
    for line in ignored:
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            fitting = re.compile(_as_expression(pattern.removeprefix("!")))
            if any(fitting.fullmatch(name) for name in names):
                inside = pattern.startswith("!")
    return inside


def _as_expression(pattern: str) -> str:
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.strip("/"))
    return "".join(wild.get(part, re.escape(part)) for part in parts)
