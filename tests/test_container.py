"""The Dockerfile's steps are Make targets that work, and what they need is let into the image."""

import re
import tomllib
from pathlib import Path

from tests.make_case import copy_code
from tests.practice_case import REPOSITORY

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")


def test_what_the_installation_needs_is_let_in() -> None:
    first, *kept = [
        line
        for line in (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if not line.startswith(("#", "**/"))
    ]
    assert first == "*"
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {"Makefile", "pyproject.toml", "constraints.txt", "pipeline"}
    assert {line.removeprefix("!") for line in kept} == {
        *needed,
        *project["license-files"],
        project["readme"],
    }


def test_the_token_is_in_no_layer_and_the_user_is_not_root() -> None:
    assert not re.search(r"^(ARG|ENV|COPY) .*(TOKEN|token|kaggle)", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", DOCKERFILE, re.MULTILINE)


def test_its_make_targets_bring_the_digits(tmp_path: Path) -> None:
    steps = re.findall(r"^(?:RUN|    )\s*make ([a-z]+)", DOCKERFILE, re.MULTILINE)
    assert steps == ["install", "download"]
    assert DOCKERFILE.endswith('CMD ["make", "all"]\n')
    checkout = copy_code(tmp_path / "app")  # into whose interpreter all is installed
    done = checkout.make(*steps[1:])
    assert done.code == 0, done.errors
    assert (checkout.workspace.data / "raw" / "practice" / "train.csv").exists()
