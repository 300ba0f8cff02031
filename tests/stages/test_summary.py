import os
from pathlib import Path

import pytest

from pipeline.plan.commands import make_command
from pipeline.plan.plan import Plan, Source
from pipeline.stages.submission import submission
from pipeline.stages.summary import summary
from pipeline.stages.validate import validate
from pipeline.system import files
from pipeline.system.errors import PipelineError
from tests.run_files import (
    change_json,
    make_digits,
    make_run,
    use_stand_in_network,
    write_submitted,
)

PRACTICE = Source("practice", "practice")


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    return use_stand_in_network(monkeypatch)


def practice_plan(folder: Path) -> Plan:
    plan = make_run(
        make_digits(
            folder, source=PRACTICE, kind="practice", wrong_test=[0, 1, 2], answer_key=True
        ),
        name="practice-mlp",
    )
    validate(plan)
    submission(plan)
    return plan


def competition_plan(folder: Path, *, name: str = "kaggle-mlp", overrides: str = "") -> Plan:
    plan = make_run(make_digits(folder, test_rows=28_000), name=name, overrides=overrides)
    validate(plan)
    submission(plan)
    return plan


def test_practice_is_scored_by_the_answer_key_and_cannot_be_overlooked(tmp_path: Path) -> None:
    plan = practice_plan(tmp_path)
    result = summary(plan)
    assert result.answer_key is not None
    assert (result.answer_key.correct, result.answer_key.rows) == (27, 30)
    score = files.read_json(plan.workspace.run(plan.run).score)
    assert score["accuracy"]["value"] == 0.9
    assert score["accuracy"]["low"] < 0.9 < score["accuracy"]["high"]
    text = result.path.read_text(encoding="utf-8")
    assert text == result.text
    first, second, third = text.splitlines()[:3]
    assert first == third == "!" * len(second)
    assert "PRACTICE DIGITS" in second
    assert "cannot be submitted" in second
    assert "practice (100 digits with labels, 30 to read)" in text
    assert "1.0000 accuracy on 20 digits (95 % interval 0.8389 to 1.0000)" in text
    assert "0.9000 accuracy on 30 digits" in text
    assert str(plan.workspace.submission(plan.run)) in text
    assert "make all SOURCE=kaggle" in text
    assert "kaggle.com/settings" in text
    assert "make submit" not in text


def test_with_credentials_nobody_is_told_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "secret-token")
    text = summary(practice_plan(tmp_path)).text
    assert "kaggle.com/settings" not in text
    assert "make all SOURCE=kaggle" in text
    assert "secret-token" not in text


def test_credentials_that_cant_be_used_are_told_of(tmp_path: Path, home: Path) -> None:
    (home / ".kaggle").mkdir()
    (home / ".kaggle" / "kaggle.json").write_text('{"username": "ada"}')
    for plan in (practice_plan(tmp_path / "a"), competition_plan(tmp_path / "b")):
        text = summary(plan).text
        assert "The Kaggle credentials in ~/.kaggle/kaggle.json can't be used: it holds no" in text


def test_the_competition_s_next_step_is_to_submit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = competition_plan(tmp_path)
    result = summary(plan)
    assert result.notice == ""
    assert result.answer_key is None
    assert not plan.workspace.run(plan.run).score.exists()
    assert "get Kaggle credentials" in result.text
    assert "kaggle.com/settings" in result.text
    monkeypatch.setenv("KAGGLE_API_TOKEN", "secret-token")
    text = summary(plan).text
    assert text.splitlines()[-1] == f"Next: {make_command(plan, 'submit')}"
    assert len(text.splitlines()) <= 10


def test_inside_a_notebook_the_next_step_is_kaggle_s_own_button(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source("kaggle-notebook", "kaggle-notebook")
    plan = make_run(make_digits(tmp_path, source=source, test_rows=28_000), name="in-a-notebook")
    validate(plan)
    submission(plan)
    assert "make submit" in summary(plan).text  # the same digits preloaded in a container
    monkeypatch.setenv("DIGITS_NOTEBOOK", "1")
    text = summary(plan).text
    assert text.splitlines()[-1].startswith("Next: save a version of this notebook; ")
    assert "make " not in text


def test_another_number_of_test_digits_is_not_the_competition(tmp_path: Path) -> None:
    plan = make_run(make_digits(tmp_path))
    validate(plan)
    submission(plan)
    text = summary(plan).text
    assert "30 test digits, not the competition's 28,000" in text
    assert "make submit" not in text


def test_a_score_from_the_leaderboard_is_shown(tmp_path: Path) -> None:
    plan = competition_plan(tmp_path)
    csv = files.sha256(plan.workspace.submission(plan.run))
    write_submitted(plan.workspace, csv, "one", public_score=0.98765)
    result = summary(plan)
    assert result.leaderboard == 0.98765
    assert "leaderboard  0.98765" in result.text
    assert "Submitted." in result.text


def test_overrides_are_told(tmp_path: Path) -> None:
    plan = competition_plan(tmp_path, overrides="training.epochs=5")
    assert "recipe      mlp, seed 0, with training.epochs=5" in summary(plan).text


def test_a_second_time_nothing_is_done(tmp_path: Path) -> None:
    plan = practice_plan(tmp_path)
    first = summary(plan)
    score = plan.workspace.run(plan.run).score
    scored = score.read_bytes()
    os.utime(first.path, (1, 1))
    again = summary(plan)
    assert not first.unchanged
    assert again.unchanged
    assert again.answer_key == first.answer_key
    assert first.path.stat().st_mtime == 1
    assert score.read_bytes() == scored


def test_another_answer_key_is_scored_anew(tmp_path: Path) -> None:
    plan = practice_plan(tmp_path)
    summary(plan)
    key = plan.workspace.raw("practice").answer_key
    key.write_bytes(plan.workspace.submission(plan.run).read_bytes())
    found = summary(plan).answer_key
    assert found is not None
    assert found.value == 1.0


def test_what_is_missing_names_its_stage(tmp_path: Path) -> None:
    plan = practice_plan(tmp_path)
    csv = plan.workspace.submission(plan.run)
    csv.write_text(csv.read_text(encoding="utf-8") + "31,0\n", encoding="utf-8")
    with pytest.raises(PipelineError, match="was changed after it was predicted"):
        summary(plan)
    csv.unlink()
    with pytest.raises(PipelineError, match="no submission of run practice-mlp") as failure:
        summary(plan)
    assert failure.value.remedy == "Run: make submission"
    plan.workspace.run(plan.run).validation.unlink()
    with pytest.raises(PipelineError, match="has not been validated"):
        summary(plan)
    plan.workspace.run(plan.run).model.unlink()
    with pytest.raises(PipelineError, match="no finished run"):
        summary(plan)
    assert not plan.workspace.run(plan.run).summary.exists()


def test_the_csv_of_an_earlier_model_does_not_count(tmp_path: Path) -> None:
    plan = practice_plan(tmp_path)
    run = plan.workspace.run(plan.run)
    run.model.write_bytes(b"trained again")
    change_json(run.training, model_sha256=files.sha256(run.model))
    validate(plan)
    with pytest.raises(PipelineError, match="no submission of run"):
        summary(plan)
