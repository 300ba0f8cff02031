"""The stage push against the stand-in: a notebook arrives once, and its address is kept."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.plan.plan import Plan, make_plan
from pipeline.stages.notebook import notebook
from pipeline.stages.push import push
from pipeline.system import files
from pipeline.system.errors import PipelineError
from tests.kaggle_api import SECRETS, Kaggle, Status
from tests.kaggle_server import KaggleServer

NAME = "ada/digit-recognizer-numpy-smoke"
ADDRESS = f"https://www.kaggle.com/code/{NAME}"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    plan = make_plan(source="practice", recipe="smoke", data=tmp_path / "data", environment={})
    notebook(plan)
    return plan


@pytest.fixture
def kaggle(kaggle_server: KaggleServer) -> Kaggle:
    return kaggle_server.kaggle


def test_the_notebook_arrives_as_it_was_written(plan: Plan, kaggle: Kaggle) -> None:
    result = push(plan)
    assert (result.unchanged, result.url, result.version) == (False, ADDRESS, 1)
    (sent,) = kaggle.notebooks[NAME]
    written = json.loads(plan.workspace.notebook("smoke").notebook.read_bytes())
    for cell in written["cells"]:
        cell["source"] = "".join(cell["source"])
    assert json.loads(sent["text"]) == written
    assert {name: value for name, value in sent.items() if name != "text"} == {
        "slug": NAME,
        "newTitle": "Digit Recognizer NumPy smoke",
        "language": "python",
        "kernelType": "notebook",
        "isPrivate": True,
        "enableGpu": False,
        "enableTpu": False,
        "enableInternet": False,
        "competitionDataSources": ["digit-recognizer"],
    }


def test_what_kaggle_knows_of_a_token_is_filled_in_and_recorded(plan: Plan, kaggle: Kaggle) -> None:
    folder = plan.workspace.notebook("smoke")
    assert files.read_json(folder.metadata)["id"] == "INSERT_USERNAME/digit-recognizer-numpy-smoke"
    result = push(plan)
    assert files.read_json(folder.metadata)["id"] == NAME
    record = files.read_json(folder.push)
    assert record["notebook_sha256"] == files.sha256(folder.notebook)
    assert (record["url"], record["version"]) == (ADDRESS, 1)
    assert record["pushed_at"] == result.pushed_at
    kept = "".join(path.read_text() for path in folder.folder.iterdir())
    assert not any(secret in kept for secret in SECRETS)
    assert notebook(plan).unchanged


def test_the_same_notebook_is_pushed_again_only_when_forced(plan: Plan, kaggle: Kaggle) -> None:
    first = push(plan)
    again = push(plan)
    assert (again.unchanged, again.version, again.pushed_at) == (True, 1, first.pushed_at)
    assert kaggle.count("SaveKernel") == 1
    assert push(plan, force=True).version == 2


def test_a_changed_notebook_is_a_new_version(plan: Plan, kaggle: Kaggle) -> None:
    push(plan)
    path = plan.workspace.notebook("smoke").notebook
    path.write_text(path.read_text().replace("Digit Recognizer, in NumPy", "Digits"))
    assert push(plan).version == 2
    assert "# Digits" in kaggle.notebooks[NAME][1]["text"]


def test_without_a_notebook_nothing_is_asked(tmp_path: Path, kaggle: Kaggle) -> None:
    plan = make_plan(source="practice", recipe="smoke", data=tmp_path / "none", environment={})
    with pytest.raises(PipelineError, match=r"no notebook of the recipe smoke .*\nRun: make noteb"):
        push(plan)
    assert kaggle.seen == []


def not_accepted(kaggle: Kaggle) -> None:
    kaggle.rules_accepted = False


def not_taken(kaggle: Kaggle) -> None:
    kaggle.notebook_error = f"The title is\nin use by {SECRETS[0]}"


def server_fault(kaggle: Kaggle) -> None:
    kaggle.fail("SaveKernel", Status(500, "Oops"), times=1)


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (
            not_accepted,
            r"without the competition's digits.*\n.*digit-recognizer/rules , then run the same",
        ),
        (not_taken, r'does not take the notebook .*: "The title is in use by \*\*\*"\.\nSee '),
        (server_fault, rf"done all the same is not known\.\nLook at {ADDRESS} "),
    ],
)
def test_after_a_failure_nothing_is_recorded_and_the_next_command_pushes(
    plan: Plan, kaggle: Kaggle, prepare: Callable[[Kaggle], None], expected: str
) -> None:
    prepare(kaggle)
    with pytest.raises(PipelineError) as caught:
        push(plan)
    assert re.search(expected, str(caught.value)), str(caught.value)
    assert not plan.workspace.notebook("smoke").push.exists()
    kaggle.rules_accepted, kaggle.notebook_error = True, ""
    assert not push(plan).unchanged


def test_no_credentials(plan: Plan, kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    with pytest.raises(PipelineError, match=r"no Kaggle credentials.*\n.*kaggle\.com/settings"):
        push(plan)
