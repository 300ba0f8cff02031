"""The commands that look at digits: what they print, and how they fail."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.digits.picture import write_png
from pipeline.plan.plan import Plan
from pipeline.stages.validate import validate
from tests.practice_case import command, copy_practice, digits, environment, plan_of

OPTIONS = ("--source", "practice", "--recipe", "smoke")


@pytest.fixture(scope="module")
def plan(practice_run: Plan, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(copy_practice(practice_run.workspace, tmp_path_factory.mktemp("cli")))


def run(plan: Plan, name: str, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [name, *words(plan), *map(str, arguments)])


def words(plan: Plan) -> list[str]:
    return [*OPTIONS, "--data", str(plan.workspace.data)]


def test_a_digit_that_was_looked_at_and_saved_is_read_alike(plan: Plan, tmp_path: Path) -> None:
    saved = tmp_path / "digit.png"
    shown = digits(
        *("look", *words(plan), "7", "--test", "--save", str(saved)),
        LC_ALL="C",  # the plainest of locales
        PYTHONIOENCODING="ascii",
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("look: row 7 of test.csv, ImageId 8\n")
    read = run(plan, "predict", saved, saved, "--json")
    assert (read.exit_code, read.stderr) == (0, "")
    first, second = (json.loads(line) for line in read.stdout.splitlines())
    assert first == second
    assert first["file"] == str(saved)
    assert np.argmax(first["probabilities"]) == first["prediction"]
    share = first["probabilities"][first["prediction"]]
    assert f"read as  {first['prediction']} ({share:.3f})\n" in shown.stdout


def test_errors_are_shown(plan: Plan) -> None:
    found = validate(plan).metrics.worst_errors
    shown = run(plan, "errors", "--count", "3")
    assert (shown.exit_code, shown.stderr) == (0, "")
    for answer in found[:3]:
        assert f"row {answer.row}: {answer.label} read as {answer.prediction}" in shown.stdout
    assert shown.stdout.count("read as") == 3


def test_a_picture_that_cannot_be_read_stops_no_other(plan: Plan, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    write_png(good, np.load(plan.workspace.processed("practice").test_images)[0])
    bad.write_bytes(b"no picture")
    done = run(plan, "predict", tmp_path / "none.png", bad, good, tmp_path)
    assert done.exit_code == 1
    assert done.stdout.startswith(f"{good}: reads ")
    assert done.stdout.count(": reads ") == 1
    messages = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert [message.split(" ")[1].rstrip(":") for message in messages] == [
        str(tmp_path / "none.png"),
        str(bad),
        str(tmp_path),
    ]
    assert "Traceback" not in done.stderr


def test_doubts_stand_beside_the_answer(plan: Plan, tmp_path: Path) -> None:
    images = np.load(plan.workspace.processed("practice").test_images)
    path = tmp_path / "two.png"
    write_png(path, np.hstack([np.pad(image, 10) for image in images[:2]]))
    shown = run(plan, "predict", path)
    assert shown.exit_code == 0
    headline, doubts = shown.stdout.splitlines()[:2]
    assert headline.startswith(f"{path}: reads ")
    said = "there are 2 shapes in the picture, and the largest was read"
    assert doubts.startswith(f"  Doubtful: {said}")
    assert json.loads(run(plan, "predict", path, "--json").stdout)["doubts"][0] == said


def test_a_picture_from_standard_input(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "digit.png"
    write_png(path, np.load(plan.workspace.processed("practice").test_images)[0])
    with path.open("rb") as stream:
        done = subprocess.run(
            command("predict", *words(plan), "-", "--json"),
            env=environment(),
            stdin=stream,
            capture_output=True,
            text=True,
            check=True,
        )
    named = run(plan, "predict", path, "--json")
    assert json.loads(done.stdout) == {**json.loads(named.stdout), "file": "-"}


def test_what_make_exports_is_taken(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tmp_path / "my digit.png"
    write_png(picture, np.load(plan.workspace.processed("practice").test_images)[0])
    given = {"DIGITS_INDEX": "3", "DIGITS_IMAGE": str(picture)}
    given |= {"DIGITS_SOURCE": "practice", "DIGITS_RECIPE": "smoke"}
    for name, value in {**given, "DIGITS_DATA": str(plan.workspace.data)}.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["look"])
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("look: row 3 of train.csv")
    done = CliRunner().invoke(main, ["predict"])
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{picture}: reads ")


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("look", ["3000"], "Error: There is no row 3000 in train.csv: it has rows 0 to 2999\n"),
        ("look", ["1", "--save", "x.jpg"], "Error: x.jpg: the name of a PNG file ends in .png\n"),
        ("errors", ["--seed", "5"], "Error: There is no finished run practice-smoke-seed5"),
    ],
)
def test_what_cannot_be_shown(plan: Plan, name: str, arguments: list[str], text: str) -> None:
    done = run(plan, name, *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(text)
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("look", []), ("look", ["-1"]), ("look", ["x"]), ("predict", []), ("errors", ["--as", "10"])],
)
def test_usage(plan: Plan, name: str, arguments: list[str]) -> None:
    done = run(plan, name, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: ")
