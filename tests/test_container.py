"""The Dockerfile holds what README promises of the image; no docker is needed to see it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from pipeline.plan.plan import find_source
from pipeline.plan.workspace import Workspace
from tests.dockerfile import Instruction, Stage, is_in_context, read_stages
from tests.kaggle_api import TOKEN
from tests.kaggle_server import KaggleServer
from tests.practice_case import REPOSITORY, environment

STAGES = read_stages(REPOSITORY / "Dockerfile")
NAMES = {stage.name for stage in STAGES}
IGNORED = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
SECRET = "/run/secrets/kaggle_token"


def named(name: str) -> list[Instruction]:
    """All instructions of a name, over all stages."""
    return [each for stage in STAGES for each in stage.instructions if each.name == name]


def ancestry(stage: Stage) -> list[Instruction]:
    """What a stage does, from its base image on."""
    below = [other for other in STAGES if other.name == stage.base]
    return [*(ancestry(below[0]) if below else []), *stage.instructions]


def test_base_images_are_pinned_to_a_patch_version() -> None:
    images = [stage.base for stage in STAGES if stage.base not in NAMES]
    assert images
    for image in images:
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", image)


def test_packages_are_the_tested_ones_and_nothing_is_built() -> None:
    (install,) = [run.text for run in named("RUN") if re.search(r"\bpip\b.*install", run.text)]
    assert "--constraint constraints.txt" in install
    assert "--only-binary :all:" in install


def test_it_runs_as_a_numbered_user_who_is_not_root() -> None:
    image = ancestry(STAGES[-1])
    (user,) = [each.text for each in image if each.name == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    after = image[[each.name for each in image].index("USER") + 1 :]
    assert not {each.name for each in after} & {"RUN", "COPY", "ADD"}


def test_its_command_is_make_all() -> None:
    assert [json.loads(command.text) for command in named("CMD")] == [["make", "all"]]
    assert not named("ENTRYPOINT")


def test_make_uses_the_interpreter_of_the_image() -> None:
    (settings,) = [each.text for each in named("ENV") if "PATH=" in each.text]
    assert settings.startswith("PATH=/opt/venv/bin:$PATH")
    assert 'VENV=""' in settings.split()


def test_nothing_comes_from_an_address() -> None:
    assert not named("ADD")
    for copy in named("COPY"):
        assert "://" not in copy.text
        assert copy.flags.get("from", "packages") in NAMES


# ---- the context -------------------------------------------------------------------------------
def test_all_that_is_copied_is_in_the_context() -> None:
    sources = [
        source
        for copy in named("COPY")
        if "from" not in copy.flags
        for source in copy.text.split()[:-1]
    ]
    assert "pipeline" in sources
    for source in sources:
        path = REPOSITORY / source
        files = [each for each in path.rglob("*.*") if each.suffix != ".pyc"]
        for file in files if path.is_dir() else [path]:
            assert file.is_file() or file.is_dir(), file
            assert is_in_context(PurePosixPath(file.relative_to(REPOSITORY)), IGNORED), file


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".env",
        "kaggle.json",
        ".kaggle/access_token",
        "data/raw/kaggle/train.csv",
        "data/.gitkeep",
        "submissions/ledger.jsonl",
        ".venv/bin/python",
        "pipeline/__pycache__/plan.cpython-311.pyc",
        "pipeline/nn/__pycache__/conv.cpython-311.pyc",
        "tests/container.py",
        "digit-recognizer.zip",
    ],
)
def test_artefacts_history_and_secrets_are_not(path: str) -> None:
    assert not is_in_context(PurePosixPath(path), IGNORED)


def test_the_last_line_that_fits_decides() -> None:
    lines = ["# a comment", "*", "!kept", "**/cache", "kept/?.txt"]
    inside = {
        name: is_in_context(PurePosixPath(name), lines)
        for name in ("kept/a/b", "kept/a/cache/b", "kept/a.txt", "kept/ab.txt", "other", "keptx")
    }
    assert [name for name, sent in inside.items() if sent] == ["kept/a/b", "kept/ab.txt"]


# ---- the secret and the digits -----------------------------------------------------------------
def test_the_token_is_a_file_in_one_step_alone() -> None:
    assert not [each for each in named("ARG") + named("ENV") if "TOKEN" in each.text.upper()]
    (step,) = [each for each in named("RUN") if "mount" in each.flags]
    assert step.flags == {"mount": "type=secret,id=kaggle_token"}
    assert f"KAGGLE_API_TOKEN={SECRET} " in step.text
    users = [each for each in named("RUN") if "kaggle_token" in each.text]
    assert users == [step]
    # Nothing of the step but the digits comes into the image.
    (stage,) = [each for each in STAGES if step in each.instructions]
    assert step not in ancestry(STAGES[-1])
    assert [each.text for each in named("COPY") if each.flags.get("from") == stage.name] == [
        "/kaggle /kaggle"
    ]


def preload(folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the step that takes the secret, with all its folders below ``folder``."""
    (step,) = [each for each in named("RUN") if "mount" in each.flags]
    script = step.text.replace(SECRET, str(folder / "secret"))
    script = re.sub(r"(?<=\s)/(kaggle|build)\b", rf"{folder}/\1", script)
    # In the image, python is the one with the packages.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=REPOSITORY,
        env=environment(PATH=path, **variables),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )


def test_without_a_secret_there_are_no_digits_and_a_line(tmp_path: Path) -> None:
    done = preload(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("There is no secret kaggle_token")
    assert list((tmp_path / "kaggle/input/digit-recognizer").iterdir()) == []


def test_a_secret_brings_digits_that_a_run_finds(tmp_path: Path, competition_zip: Path) -> None:
    (tmp_path / "secret").write_text(TOKEN)
    with KaggleServer() as server:
        server.kaggle.competition_zip = competition_zip
        done = preload(tmp_path, **server.environment)
        assert done.returncode == 0, done.stderr
        assert {seen.authorization for seen in server.kaggle.seen[1:]} >= {f"Bearer {TOKEN}"}
    assert TOKEN not in done.stdout + done.stderr
    folder = tmp_path / "kaggle/input"
    files = sorted(path.name for path in (folder / "digit-recognizer").iterdir())
    assert files == ["sample_submission.csv", "test.csv", "train.csv"]
    # With an empty data folder and no credentials, as in a container that has just begun.
    found = find_source("auto", Workspace(tmp_path, tmp_path), {"DIGITS_KAGGLE_INPUT": str(folder)})
    assert found.kind == "kaggle-notebook"


def test_a_token_that_is_refused_ends_the_build(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("another-token-0123456789")
    with KaggleServer() as server:
        done = preload(tmp_path, **server.environment)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Kaggle does not accept the credentials")
    assert "another-token" not in done.stdout + done.stderr
