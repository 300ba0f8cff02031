"""Runs of the practice digits side by side: with one split, with others, and as ensembles."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.analysis.compare import compare, page_name
from pipeline.plan.members import plan_blend
from pipeline.plan.workspace import Workspace
from pipeline.runs.metrics import Metrics
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system import files
from pipeline.system.errors import PipelineError
from tests.practice_case import arrays_of, copy_practice, plan_of
from tests.run_files import change_json, write_score

FIRST, SECOND = "practice-smoke", "practice-smoke-seed1"


@pytest.fixture(scope="module")
def made(practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two seeds and their blend, another split, two folds. A test that writes copies it."""
    workspace = copy_practice(practice_workspace, tmp_path_factory.mktemp("compare"))
    for plan in (
        plan_of(workspace),
        plan_of(workspace, seed=1),
        plan_of(workspace, overrides="split.seed=7", run="other-split"),
        plan_of(workspace, folds=2),
    ):
        train(plan)
        validate(plan)
    blend = plan_blend(workspace, [FIRST, SECOND], run="both")
    train(blend)
    validate(blend)
    return workspace


@pytest.fixture
def workspace(made: Workspace, tmp_path: Path) -> Workspace:
    return copy_practice(made, tmp_path)


def rows_of(workspace: Workspace, run: str) -> set[int]:
    return set(arrays_of(workspace.run(run).hold_out)["rows"].tolist())


def pages(workspace: Workspace) -> list[Path]:
    return sorted(workspace.data.rglob("*.html"))


# ---- what is compared ----------------------------------------------------------------------------
def test_runs_with_one_split_have_their_own_metrics(workspace: Workspace) -> None:
    write_score(workspace, SECOND, 0.75)
    result = compare(workspace, [FIRST, SECOND])
    assert result.comparison.rows == 600
    assert [run.name for run in result.runs] == [FIRST, SECOND]
    assert [run.short for run in result.runs] == ["smoke", "smoke-seed1"]
    for run in result.runs:
        validated = Metrics.model_validate(files.read_json(workspace.run(run.name).validation))
        assert result.comparison.metrics[run.name] == validated
        assert run.hold_out == validated.accuracy
    assert [run.score.value if run.score else None for run in result.runs] == [None, 0.75]
    counts = result.comparison.pairs[0].counts
    first, second = (result.comparison.metrics[name].accuracy.correct for name in (FIRST, SECOND))
    assert counts.both + counts.first_only == first
    assert counts.both + counts.second_only == second
    assert result.path == workspace.comparison(f"{FIRST}~{SECOND}")
    assert result.size == result.path.stat().st_size


def test_the_page_is_the_same_each_time(workspace: Workspace) -> None:
    first = compare(workspace, [FIRST, SECOND]).path.read_bytes()
    assert compare(workspace, [FIRST, SECOND]).path.read_bytes() == first


def test_of_another_split_only_what_both_held_out_counts(workspace: Workspace) -> None:
    common = rows_of(workspace, FIRST) & rows_of(workspace, "other-split")
    result = compare(workspace, [FIRST, "other-split"])
    assert 0 < len(common) < 600
    assert result.comparison.rows == len(common)
    assert {digit.row for digit in result.comparison.disagreements} <= common
    held_out = arrays_of(workspace.run("other-split").hold_out)
    shared = np.isin(held_out["rows"], list(common))
    right = held_out["probabilities"].argmax(axis=1) == held_out["labels"]
    found = result.comparison.metrics["other-split"].accuracy
    assert (found.correct, found.rows) == (int(right[shared].sum()), len(common))
    assert result.runs[1].hold_out.rows == 600


def test_ensembles_stand_beside_networks(workspace: Workspace) -> None:
    result = compare(workspace, ["both", FIRST, "practice-smoke-folds2"])
    assert result.comparison.rows == 600
    both, first, folds = result.runs
    assert (both.history, folds.history) == (None, None)
    assert first.history is not None
    assert (both.networks, both.readers) == (2, (2, 2))
    assert (folds.networks, folds.readers) == (2, (1, 1))


# ---- what cannot be compared ---------------------------------------------------------------------
def test_a_comparison_needs_two_runs(made: Workspace) -> None:
    for runs in ([], [FIRST]):
        with pytest.raises(PipelineError, match="at least two runs") as failure:
            compare(made, runs)
        assert "make compare RUNS=" in failure.value.remedy
    with pytest.raises(PipelineError, match=f"{FIRST} is named twice"):
        compare(made, [FIRST, SECOND, FIRST])
    assert pages(made) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("seed1", "Did you mean practice-smoke-seed1? See: make runs"),
        ("practise-smoke-sede1", "Did you mean practice-smoke-seed1 "),
        ("xyz", "See: make runs"),
        ("../both", "Did you mean both? See: make runs"),
    ],
)
def test_an_unknown_run_is_named_with_what_is_near(made: Workspace, name: str, meant: str) -> None:
    with pytest.raises(PipelineError, match=r"no finished run .* in ") as failure:
        compare(made, [FIRST, name])
    assert failure.value.remedy.startswith(meant)


def test_a_run_that_was_not_validated_names_the_command(workspace: Workspace) -> None:
    workspace.run(SECOND).validation.unlink()
    with pytest.raises(PipelineError, match=f"{SECOND} has not been validated") as failure:
        compare(workspace, [FIRST, SECOND])
    assert failure.value.remedy == f"Run: make validate RUN={SECOND}"
    assert pages(workspace) == []


def test_what_was_validated_of_another_model_does_not_count(workspace: Workspace) -> None:
    record = files.read_json(workspace.run(SECOND).validation)
    change_json(workspace.run(SECOND).validation, inputs={**record["inputs"], "model": "other"})
    with pytest.raises(PipelineError, match="has not been validated"):
        compare(workspace, [FIRST, SECOND])


def test_other_digits_are_named(workspace: Workspace) -> None:
    training = files.read_json(workspace.run(SECOND).training)
    data = {**training["inputs"]["data"], "train_labels": "another"}
    change_json(workspace.run(SECOND).training, inputs={**training["inputs"], "data": data})
    with pytest.raises(PipelineError, match="checksums of train_labels differ") as failure:
        compare(workspace, [FIRST, SECOND])
    assert FIRST in failure.value.message
    assert SECOND in failure.value.message


def test_folds_have_no_digit_in_common(made: Workspace) -> None:
    folds = ["practice-smoke-fold0of2", "practice-smoke-fold1of2"]
    with pytest.raises(PipelineError, match="no digit that all of these runs held out") as failure:
        compare(made, folds)
    assert "fold0of2: fold 0 of 2, split seed 0" in failure.value.message
    assert "FOLDS=5" in failure.value.remedy
    assert pages(made) == []


def test_damaged_probabilities_are_one_line(workspace: Workspace) -> None:
    path = workspace.run(SECOND).hold_out
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(PipelineError, match=r"hold_out.npz is damaged") as failure:
        compare(workspace, [FIRST, SECOND])
    assert failure.value.remedy == f"Run: make validate RUN={SECOND} FORCE=1"


def test_a_model_changed_afterwards_is_not_compared(workspace: Workspace) -> None:
    workspace.run(SECOND).model.write_bytes(b"something else")
    with pytest.raises(PipelineError, match="not the model that training wrote") as failure:
        compare(workspace, [FIRST, SECOND])
    assert failure.value.remedy == f"Run: make train RUN={SECOND} FORCE=1"


# ---- the page's name -----------------------------------------------------------------------------
def test_each_choice_of_runs_has_a_page_of_its_own() -> None:
    long = [f"{letter * 40}" for letter in "abc"]
    choices = [["a", "b"], ["b", "a"], ["a", "b", "c"], long, long[::-1], [*long[:2], "d" * 40]]
    names = [page_name(choice) for choice in choices]
    assert names[0] == "a~b"
    assert len(set(names)) == len(names)
    assert all(len(name) <= 100 for name in names)
    assert names[3].startswith("3-runs-")
