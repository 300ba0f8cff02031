"""Records say where they come from, and tell when they no longer hold."""

import os
import platform
import re
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest

from pipeline.system import cores, provenance
from pipeline.system.files import sha256
from tests.practice_case import REPOSITORY

COMMIT_AS = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, in place of the project's own."""
    git(tmp_path, "init", "--quiet", ".")
    (tmp_path / "code.py").write_text("1\n")
    git(tmp_path, "add", "code.py")
    git(tmp_path, *COMMIT_AS, "commit", "--quiet", "-m", "one")
    monkeypatch.setattr(provenance, "_REPOSITORY", tmp_path.resolve())
    return tmp_path


def test_now_is_utc_to_the_second() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", provenance.now())


def test_commit_versions_and_machine(clone: Path) -> None:
    found = provenance.environment()
    assert re.fullmatch(r"[0-9a-f]{40}", found["commit"])
    assert found["dirty"] is False
    assert found["numpy"] == np.__version__
    assert found["cores"] >= 1
    assert found["python"] == platform.python_version()
    assert found["blas"]["version"] in str(np.show_config(mode="dicts"))
    assert found["blas"]["threads"] >= 1
    assert found["cpu"]
    assert found["memory_bytes"] > 2**28


def test_of_two_blas_libraries_that_of_numpy_is_on_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rest = {"user_api": "blas", "internal_api": "openblas", "num_threads": 2}
    libraries = [
        {**rest, "version": "1", "filepath": "/numpy-lovers/lib/scipy.libs/a.so"},
        {**rest, "version": "2", "filepath": "/numpy-lovers/lib/numpy.libs/b.so"},
        {**rest, "version": "3", "filepath": "/lib/c.so", "user_api": "openmp"},
    ]
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: libraries)
    expected = {"name": "openblas", "version": "2", "threads": 2, "kernels": None}
    assert cores.blas_library() == expected
    libraries.clear()
    assert cores.blas_library() is None


def test_every_package_that_is_asked_for_is_on_record(clone: Path) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked_for = [re.match(r"[\w-]+", text) for text in project["dependencies"]]
    found = provenance.environment()
    for name in asked_for:
        assert name
        assert re.match(r"\d+\.", found[name.group()]), name


def test_a_file_of_the_clone_and_one_that_git_does_not_keep(
    clone: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    code, mine = clone / "code.py", clone / "mine.toml"
    mine.write_text("seed = 1\n")
    assert provenance.file_record(code, sha256(code)) == {
        "path": "code.py",
        "sha256": sha256(code),
        "in_git": True,
    }
    assert provenance.file_record(mine, sha256(mine))["in_git"] is False
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "gone.toml"
    assert provenance.file_record(elsewhere, None) == {
        "path": str(elsewhere),
        "sha256": None,
        "in_git": False,
    }


def test_which_commits_are_in_the_clone(clone: Path) -> None:
    assert provenance.has_commit(provenance.environment()["commit"])
    assert not provenance.has_commit("0" * 40)


def test_differences_are_of_what_both_records_tell() -> None:
    then = {"numpy": "1", "cpu": "a", "commit": "x", "memory_bytes": 1, "six": None}
    now = {"numpy": "2", "cpu": "a", "commit": "y", "memory_bytes": 2, "rich": "3", "six": "1"}
    assert provenance.differences(then, now) == {"numpy": ("1", "2"), "six": (None, "1")}


def test_a_changed_file_is_dirty_and_a_new_one_is_not(clone: Path) -> None:
    (clone / "notes.txt").write_text("mine")
    assert provenance.environment()["dirty"] is False
    (clone / "code.py").write_text("2\n")
    assert provenance.environment()["dirty"] is True


def test_inside_somebody_else_s_repository_there_is_no_commit(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clone / "site-packages").mkdir()
    monkeypatch.setattr(provenance, "_REPOSITORY", (clone / "site-packages").resolve())
    found = provenance.environment()
    assert found["commit"] is None
    assert found["dirty"] is None


def test_a_hook_s_variables_do_not_lead_astray(
    clone: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    commit = provenance.environment()["commit"]
    monkeypatch.setenv("GIT_DIR", str(tmp_path_factory.mktemp("elsewhere")))
    assert provenance.environment()["commit"] == commit


def test_without_git_there_is_no_commit(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(clone / "nothing"))
    found = provenance.environment()
    assert found["commit"] is None
    assert found["no_commit"] == "git was not there: not installed, or not on PATH"


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (
            "fatal: detected dubious ownership in repository at '/x'",
            "git refused the clone, because its folder belongs to another user",
        ),
        ("fatal: bad config line 1", "git failed (fatal: bad config line 1)"),
    ],
)
def test_a_git_that_refuses(
    clone: Path, monkeypatch: pytest.MonkeyPatch, says: str, reason: str
) -> None:
    commit = provenance.environment()["commit"]
    assert provenance.environment()["no_commit"] is None
    tools = clone / "tools"
    tools.mkdir()
    (tools / "git").write_text(f'#!/bin/sh\necho "{says}" >&2\nexit 128\n')
    (tools / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    found = provenance.environment()
    assert (found["commit"], found["dirty"], found["no_commit"]) == (None, None, reason)
    assert not provenance.has_commit(commit)


def test_without_a_clone_it_does_not_matter_whether_there_is_git(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clone / ".git").rename(clone / "gone")
    monkeypatch.setenv("PATH", str(clone / "nothing"))
    assert provenance.environment()["no_commit"] == "the code was in no clone"


def test_without_git_a_variable_may_name_the_commit(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = provenance.environment()["commit"]
    monkeypatch.setenv("DIGITS_COMMIT", "1" * 40)
    assert provenance.environment()["commit"] == commit
    monkeypatch.setenv("PATH", str(clone / "nothing"))
    assert provenance.environment()["commit"] == "1" * 40
    assert provenance.environment()["dirty"] is None
    monkeypatch.setenv("DIGITS_COMMIT", "")
    assert provenance.environment()["commit"] is None
