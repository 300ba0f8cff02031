"""The stage notebook: the files that it writes, and when it has nothing to do."""

from pathlib import Path

import pytest

from pipeline.plan.plan import make_plan
from pipeline.stages.notebook import NotebookResult, notebook
from pipeline.system import files, provenance
from tests.notebook_case import parse


def write(folder: Path, *, force: bool = False, recipe: str = "smoke") -> NotebookResult:
    plan = make_plan(source="practice", recipe=recipe, data=folder / "data", environment={})
    return notebook(plan, force=force)


def owner(result: NotebookResult) -> str:
    return str(files.read_json(result.metadata)["id"].partition("/")[0])


def test_the_notebook_and_what_kaggle_is_to_know_stand_side_by_side(tmp_path: Path) -> None:
    result = write(tmp_path)
    assert result.path == tmp_path / "data/notebook/smoke/digit-recognizer-numpy.ipynb"
    assert result.metadata == result.path.with_name("kernel-metadata.json")
    assert files.read_json(result.metadata)["code_file"] == result.path.name
    notebook = parse(result.path.read_text(encoding="utf-8"))
    assert f"Made from {result.commit}." in notebook.cells[0].source
    assert not result.unchanged


def test_it_names_the_code_that_it_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made_by(commit: str | None, dirty: bool | None) -> str:
        made = {"commit": commit, "dirty": dirty, "no_commit": "git was not there"}
        monkeypatch.setattr(provenance, "environment", lambda: made)
        return write(tmp_path).commit

    assert made_by("0123456789", False) == "commit 0123456"
    assert made_by("0123456789", True) == "commit 0123456, with changes"
    assert made_by(None, None) == "a copy of the code without its history (git was not there)"


def test_it_is_written_anew_when_something_changed(tmp_path: Path) -> None:
    first = write(tmp_path)
    content = first.path.read_bytes()
    assert write(tmp_path).unchanged
    assert not write(tmp_path, force=True).unchanged
    for path in (first.path, first.metadata):
        path.write_text("damaged")
        assert not write(tmp_path).unchanged
        assert first.path.read_bytes() == content
        path.unlink()
        assert not write(tmp_path).unchanged
    assert write(tmp_path).unchanged
    assert not write(tmp_path, recipe="mlp").unchanged


def test_the_account_is_that_of_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert owner(write(tmp_path)) == "INSERT_USERNAME"
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    monkeypatch.setenv("KAGGLE_KEY", "planted-key")
    result = write(tmp_path)
    assert owner(result) == "ada"
    assert b"planted-key" not in result.path.read_bytes() + result.metadata.read_bytes()


def test_an_account_that_was_filled_in_stays(tmp_path: Path) -> None:
    result = write(tmp_path)
    metadata = files.read_json(result.metadata)
    files.write_json(result.metadata, metadata | {"id": "ada/digit-recognizer-numpy-smoke"})
    assert write(tmp_path).unchanged
    assert owner(result) == "ada"
