import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.analysis.report import report
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import RECIPE_FOLDER
from pipeline.stages.summary import summary
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system.errors import PipelineError
from pipeline.training import prediction
from tests.listeners import heard
from tests.practice_case import arrays_of, copy_practice, plan_of, temporaries
from tests.run_files import change_json

HOSTILE = "<script>alert('1')</script> & \"quoted\""


@pytest.fixture(scope="module")
def reported(practice_run: Plan, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A small run of the practice digits with a CSV and a page. A test that writes copies it."""
    workspace = copy_practice(practice_run.workspace, tmp_path_factory.mktemp("report"))
    shutil.copytree(practice_run.workspace.submissions, workspace.submissions)
    plan = plan_of(workspace)
    report(plan)
    return plan


@pytest.fixture
def plan(reported: Plan, tmp_path: Path) -> Plan:
    workspace = copy_practice(reported.workspace, tmp_path)
    shutil.copytree(reported.workspace.submissions, workspace.submissions)
    return plan_of(workspace)


def count_predictions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of digits that are read from now on, one for each time."""
    counts: list[int] = []
    predict: Callable[..., prediction.Array] = prediction.predict

    def counted(
        model: prediction.Model, images: prediction.Array, rows: prediction.Array
    ) -> prediction.Array:
        counts.append(len(rows))
        return predict(model, images, rows)

    monkeypatch.setattr(prediction, "predict", counted)
    return counts


def test_the_same_run_gives_the_same_page(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = count_predictions(monkeypatch)
    path = plan.workspace.run(plan.run).report
    page = path.read_bytes()
    path.unlink()
    result = report(plan)
    assert (result.path, result.size) == (path, len(page))
    assert path.read_bytes() == page
    assert counts == []
    with heard() as told:
        report(plan, force=True)
    assert path.read_bytes() == page
    assert (told, counts) == (["Reading all 3,000 labelled digits once."], [3000])
    assert temporaries(plan.workspace.data) == []


def test_what_is_kept_is_what_the_model_reads(plan: Plan) -> None:
    run = plan.workspace.run(plan.run)
    kept, held_out = np.load(run.train_probabilities), arrays_of(run.hold_out)
    # The recipe reads in one view, so that the held-out digits are read just as they were before.
    np.testing.assert_array_equal(kept[held_out["rows"]], held_out["probabilities"])


def test_the_page_says_what_is_missing_and_shows_it_later(plan: Plan) -> None:
    text = plan.workspace.run(plan.run).report.read_text("utf-8")
    assert "Of 2,000 test digits" in text
    assert "make submission" not in text
    assert "PRACTICE DIGITS" in text
    assert "not measured yet" in text
    scored = summary(plan).answer_key
    assert scored is not None
    text = report(plan).path.read_text("utf-8")
    assert "not measured yet" not in text
    assert "by the source&#39;s own answer key" in text
    assert f"{100 * scored.value:.2f} %" in text


def test_the_stage_before_it_is_named(plan: Plan) -> None:
    run = plan.workspace.run(plan.run)
    run.report.unlink()
    run.validation.unlink()
    with pytest.raises(PipelineError, match="has not been validated") as failure:
        report(plan)
    assert failure.value.remedy == f"Run: make validate RUN={plan.run}"
    run.training.unlink()
    with pytest.raises(PipelineError, match="no finished run") as failure:
        report(plan)
    assert failure.value.remedy == "Run: make train"
    assert not run.report.exists()


@pytest.mark.parametrize("name", ["hold_out", "history"])
def test_a_damaged_file_is_named_with_what_makes_it_anew(plan: Plan, name: str) -> None:
    path: Path = getattr(plan.workspace.run(plan.run), name)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(PipelineError, match=f"{path.name} is damaged") as failure:
        report(plan)
    assert failure.value.remedy.endswith("FORCE=1")


def test_damaged_probabilities_are_read_again_or_count_as_not_there(plan: Plan) -> None:
    run = plan.workspace.run(plan.run)
    kept = run.train_probabilities.read_bytes()
    for path in (run.train_probabilities, run.test_probabilities):
        os.truncate(path, path.stat().st_size // 2)
    page = report(plan).path.read_text("utf-8")
    assert run.train_probabilities.read_bytes() == kept
    assert f"make submission RUN={plan.run}" in page


def test_predictions_of_another_model_do_not_count(plan: Plan) -> None:
    run = plan.workspace.run(plan.run)
    change_json(run.test_record, inputs={"model": "another"})
    assert f"make submission RUN={plan.run}" in report(plan).path.read_text("utf-8")


def test_texts_of_the_user_s_are_no_markup(practice_workspace: Workspace, tmp_path: Path) -> None:
    recipe = tmp_path / "<b>.toml"
    text = (RECIPE_FOLDER / "smoke.toml").read_text("utf-8")
    _, _, rest = text.partition("\n")
    recipe.write_text(f"description = '''{HOSTILE}'''\n{rest}", encoding="utf-8")
    plan = plan_of(copy_practice(practice_workspace, tmp_path), recipe=str(recipe), run="mine")
    train(plan)
    validate(plan)
    page = report(plan).path.read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &#34;quoted&#34;" in page
    assert "<b>" not in page
    assert "/&lt;b&gt;.toml" in page


def test_an_ensemble_shows_its_networks(practice_workspace: Workspace, tmp_path: Path) -> None:
    plan = plan_of(copy_practice(practice_workspace, tmp_path), folds=2)
    train(plan)
    validate(plan)
    run = plan.workspace.run(plan.run)
    page = report(plan).path.read_text("utf-8")
    for fold in (0, 1):
        assert f"Recipe of practice-smoke-fold{fold}of2, as resolved" in page
    assert "of practice-smoke-fold0of2, the ensemble's first network" in page
    assert "Only held-out digits are looked at." in page
    assert not run.train_probabilities.exists()
