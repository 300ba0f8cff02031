"""A checkout of one's own, in which a test types make."""

import hashlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pipeline.plan.workspace import Workspace
from tests.practice_case import REPOSITORY, copy_quickly, environment

FILES = ("Makefile", "pyproject.toml", "constraints.txt")
# Absolute names, because only they are free of the settings of whoever runs the tests.
TOOLS = (f"PYTHON={sys.executable}", "VENV=")


@dataclass(frozen=True)
class Outcome:
    """What make said, and how it ended.

    stages: those that it ran, in order; with -n, those that it would have run.
    """

    code: int
    output: str
    errors: str
    stages: list[str]


@dataclass(frozen=True)
class Checkout:
    """The code in a folder."""

    folder: Path

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.folder / "data", self.folder / "submissions")

    def make(self, *arguments: str, recipe: str | None = "smoke", **variables: str) -> Outcome:
        """Type make with the recipe ``smoke``, the interpreter of the tests, and no .venv."""
        given = [f"RECIPE={recipe}"] if recipe else []
        done = subprocess.run(
            ["make", *TOOLS, *given, *arguments],
            cwd=self.folder,
            env=environment(**variables),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
        pattern = r"-m pipeline (\w+)" if "-n" in arguments else r"^([a-z]+): "
        stages = re.findall(pattern, done.stdout, re.MULTILINE)
        return Outcome(done.returncode, done.stdout, done.stderr, stages)

    def state(self, *parts: str) -> dict[str, tuple[str, int]]:
        """Checksum and time of each artefact (below one folder of them)."""
        folders = [self.folder.joinpath(*parts)] if parts else self._artefacts()
        return {
            str(path.relative_to(self.folder)): (
                hashlib.sha256(path.read_bytes()).hexdigest(),
                path.stat().st_mtime_ns,
            )
            for folder in folders
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix != ".lock"
        }

    def _artefacts(self) -> list[Path]:
        return [self.workspace.data, self.workspace.submissions]


def copy_code(folder: Path) -> Checkout:
    """A checkout without artefacts."""
    folder.mkdir(parents=True)
    for name in FILES:
        shutil.copy2(REPOSITORY / name, folder / name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "pipeline", folder / "pipeline", ignore=ignored)
    return Checkout(folder)


def write_script(path: Path, text: str) -> Path:
    """A shell script, to be typed instead of an interpreter."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def copy_checkout(checkout: Checkout, folder: Path) -> Checkout:
    """A checkout with its artefacts, and with the times of all files."""
    return Checkout(shutil.copytree(checkout.folder, folder, copy_function=copy_quickly))


@dataclass(frozen=True)
class Built:
    """A checkout with all artefacts, and what make said on the way."""

    checkout: Checkout
    outcome: Outcome


def make_all_from_nothing(folder: Path) -> Built:
    """Type make -j4 all in a new checkout, in a locale in which names are mere bytes."""
    checkout = copy_code(folder)
    return Built(checkout, checkout.make("-j4", "all", "SOURCE=practice", LC_ALL="C", LANG="C"))
