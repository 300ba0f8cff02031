"""A recipe's TOML file, read once for all who want to know of it."""

import hashlib
import re
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.system.errors import PipelineError
from pipeline.system.files import expand, parse_toml

RECIPE_FOLDER = Path(__file__).parent
DEFAULT_RECIPE = "quick"


@dataclass(frozen=True)
class RecipeFile:
    """The file of a recipe, which need not be there as long as nobody reads it."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def is_built_in(self) -> bool:
        return self.path.parent == RECIPE_FOLDER

    @property
    def text(self) -> str:
        """What to give as RECIPE to get this recipe again."""
        return self.name if self.is_built_in else str(self.path)

    def values(self) -> dict[str, Any]:
        """Return a copy of the file's values, to be changed at will.

        Raises PipelineError if the file can't be read or is no TOML.
        """
        return deepcopy(self._values)

    @cached_property
    def sha256(self) -> str | None:
        """The checksum of the content that ``values`` is made of; None if there is no file."""
        return hashlib.sha256(self._content).hexdigest() if self.path.is_file() else None

    @cached_property
    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise PipelineError(f"{self.path}: cannot be read ({error.strerror})") from None

    @cached_property
    def _values(self) -> dict[str, Any]:
        try:
            return parse_toml(self._content.decode("utf-8"))
        except ValueError as error:
            raise PipelineError(f"{self.path}: not valid TOML: {error}") from None

    def __str__(self) -> str:
        return str(self.path)


def find_recipe(text: str) -> RecipeFile:
    """Return the built-in recipe of this name, or the one at a path ending in .toml."""
    if text.endswith(".toml"):
        path = expand(text).absolute()
        if not path.is_file():
            raise PipelineError(
                f"RECIPE={text}: no such file", remedy="Give a path to a recipe's TOML file."
            )
        return RecipeFile(path)
    path = RECIPE_FOLDER / f"{text}.toml"
    if not re.fullmatch(r"[\w-]+", text) or not path.is_file():
        names = ", ".join(sorted(found.stem for found in RECIPE_FOLDER.glob("*.toml")))
        raise PipelineError(
            f"RECIPE={text}: no recipe of that name",
            remedy=f"Give one of {names}; or a path ending in .toml.",
        )
    return RecipeFile(path)
