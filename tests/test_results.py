"""The tables of results, and the markers between which a script writes."""

import sys
from pathlib import Path
from typing import Any

import pytest

from docs import make_results
from docs.make_results import (
    ResultRow,
    collect,
    decision_table,
    notebook_table,
    recipe_table,
    write_claims,
)
from docs.sections import write_section
from pipeline.plan.plan import Source
from pipeline.plan.workspace import Workspace
from pipeline.runs.spread import Spread, spread
from pipeline.system import files
from tests.decision_case import make_decision, make_three
from tests.run_files import Digits, change_json, make_digits, make_run, write_score


@pytest.fixture
def digits(tmp_path: Path) -> Digits:
    return make_digits(tmp_path)


def only(digits: Digits) -> ResultRow:
    rows = collect(digits.workspace)
    assert len(rows) == 1
    return rows[0]


def test_spread_by_hand() -> None:
    assert spread([0.5]) == Spread(0.5, None, 0.5, 0.5, 1)
    found = spread([1.0, 2.0, 6.0])
    assert (found.mean, found.low, found.high, found.count) == (3.0, 1.0, 6.0, 3)
    assert found.deviation == pytest.approx(7**0.5)  # (4 + 1 + 9) / 2


def test_runs_that_differ_by_seed_alone_are_one_row(digits: Digits) -> None:
    for seed, accuracy in enumerate([0.9, 0.8, 1.0]):
        make_run(
            digits,
            name=f"run{seed}",
            seed=seed,
            accuracy=accuracy,
            seconds=10.0 + seed,
            cores=2 + 2 * (seed == 2),
        )
    write_score(digits.workspace, "run1", 0.7)
    row = only(digits)
    assert (row.recipe, row.kind) == ("mlp", "competition")
    assert row.hold_out.mean == pytest.approx(0.9)
    assert row.hold_out.deviation == pytest.approx(0.1)
    assert (row.hold_out.low, row.hold_out.high, row.hold_out.count) == (0.8, 1.0, 3)
    assert row.score == Spread(0.7, None, 0.7, 0.7, 1)
    assert row.seconds == 11.0
    assert row.cores == (2, 4)
    assert (row.training_rows, row.hold_out_rows) == (80, 20)


def test_of_an_edited_recipe_only_the_newest_runs_count(digits: Digits) -> None:
    def run(name: str, seed: int, day: int, epochs: int, accuracy: float) -> None:
        make_run(
            digits,
            name=name,
            seed=seed,
            resolved={"training": {"epochs": epochs}},
            accuracy=accuracy,
            finished_at=f"2026-01-{day:02d}T00:00:00+00:00",
        )

    run("a", seed=0, day=1, epochs=5, accuracy=0.1)
    run("b", seed=1, day=2, epochs=5, accuracy=0.2)
    run("c", seed=0, day=3, epochs=6, accuracy=0.8)
    assert only(digits).hold_out == spread([0.8])


def test_of_one_seed_only_the_newest_run_counts(digits: Digits) -> None:
    make_run(digits, name="b-early", accuracy=0.1, finished_at="2026-01-01T00:00:00+00:00")
    make_run(digits, name="a-late", accuracy=0.9, finished_at="2026-01-02T00:00:00+00:00")
    assert only(digits).hold_out == spread([0.9])


@pytest.mark.parametrize(
    "settings", [{"overrides": "training.epochs=5"}, {"recipe_text": "/home/me/mlp.toml"}]
)
def test_overrides_and_recipes_of_the_user_stay_out(
    digits: Digits, settings: dict[str, Any]
) -> None:
    make_run(digits, **settings)
    assert collect(digits.workspace) == []


@pytest.mark.parametrize("name", ["../../elsewhere", "a | b", "mlp | b", "mlp, 5 folds | b", ""])
def test_names_of_no_built_in_recipe_stay_out(digits: Digits, name: str) -> None:
    plan = make_run(digits)
    change_json(plan.workspace.run(plan.run).training, recipe_name=name)
    assert collect(digits.workspace) == []


def test_kinds_of_digits_are_apart_and_notebooks_come_in_their_order(
    digits: Digits, tmp_path: Path
) -> None:
    practice = make_digits(tmp_path / "b", source=Source("practice", "practice"), kind="practice")
    practice.workspace = digits.workspace
    for name in ("raw", "processed"):
        (tmp_path / "b" / "data" / name / "practice").rename(
            digits.workspace.data / name / "practice"
        )
    make_run(practice, name="p", recipe="mlp")
    make_run(digits, name="k", recipe="mlp")
    make_run(digits, name="c", recipe="notebook-class")
    make_run(digits, name="n", recipe="notebook-100")
    make_run(digits, name="s", recipe="smoke")
    assert [(row.recipe, row.kind) for row in collect(digits.workspace)] == [
        ("notebook-100", "competition"),
        ("notebook-class", "competition"),
        ("mlp", "competition"),
        ("mlp", "practice"),
        ("smoke", "competition"),
    ]


def test_recipes_open_with_what_was_measured(digits: Digits, tmp_path: Path) -> None:
    recipe = tmp_path / "mlp.toml"
    recipe.write_text('description = "first line"\nrest = 1\n', encoding="utf-8")
    for seed, accuracy in enumerate([0.9, 0.8, 1.0]):
        make_run(digits, name=f"run{seed}", seed=seed, accuracy=accuracy, seconds=10.0, cores=2)
    assert write_claims(collect(digits.workspace), tmp_path) == ["mlp"]
    assert recipe.read_text(encoding="utf-8") == (
        "# Measured: 0.9000 ± 0.1000 of 20 held-out competition digits over 3 seeds; "
        '10 s on 2 cores\ndescription = "first line"\nrest = 1\n'
    )
    assert write_claims(collect(digits.workspace), tmp_path) == []
    # A new measurement takes the place of the line, and nothing else moves.
    make_run(digits, name="run3", seed=3, accuracy=0.9, seconds=10.0, cores=2)
    write_claims(collect(digits.workspace), tmp_path)
    first, *others = recipe.read_text(encoding="utf-8").splitlines()
    assert "over 4 seeds" in first
    assert others == ['description = "first line"', "rest = 1"]


def test_what_all_folds_say_comes_before_a_hold_out(digits: Digits, tmp_path: Path) -> None:
    recipe = tmp_path / "mlp.toml"
    recipe.write_text('# Measured: long ago\ndescription = "first line"\n', encoding="utf-8")
    make_run(digits, name="one", accuracy=0.8)
    for seed, accuracy in enumerate([0.9, 0.92]):
        plan = make_run(digits, name=f"f{seed}", seed=seed, accuracy=accuracy, seconds=50.0)
        training = plan.workspace.run(plan.run).training
        split = files.read_json(training)["split"] | {"hold_out_rows": 10_000}
        change_json(training, recipe_name="mlp, 5 folds", split=split)
    assert write_claims(collect(digits.workspace), tmp_path) == ["mlp"]
    assert recipe.read_text(encoding="utf-8") == (
        "# Measured: 0.9100 (0.9042 to 0.9155) out-of-fold on 10,000 competition digits over "
        '2 seeds; 10 s on 2 cores\ndescription = "first line"\n'
    )
    # Where there are no runs of the folds, the claim stays.
    make_run(digits, name="other", seed=9, accuracy=0.7)
    for seed in range(2):
        (digits.workspace.run(f"f{seed}").training).unlink()
    assert write_claims(collect(digits.workspace), tmp_path) == []


def test_markdown_of_a_notebook(digits: Digits) -> None:
    for seed, accuracy in enumerate([0.84, 0.86]):
        make_run(digits, name=f"run{seed}", recipe="notebook-class", seed=seed, accuracy=accuracy)
    rows = collect(digits.workspace)
    assert recipe_table(rows) == ""
    assert notebook_table(rows).splitlines() == [
        "| recipe | digits | reported by the notebook | hold-out accuracy | min to max | seeds "
        "| test score | training | cores | trained on / held out |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        "| `notebook-class` | competition | 0.845 | 0.8500 ± 0.0141 | 0.8400 to 0.8600 | 2 "
        "|  | 10.0 s | 2 | 80 / 20 |",
    ]


def test_the_script_writes_both_pages_and_leaves_a_table_without_runs(
    digits: Digits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pages = {"README.md": "recipes", "docs/notebooks.md": "notebooks"}
    for page, name in pages.items():
        (tmp_path / page).parent.mkdir(exist_ok=True)
        (tmp_path / page).write_text(f"<!-- results:{name} -->\nold\n<!-- /results:{name} -->\n")
    monkeypatch.setattr(make_results, "ROOT", tmp_path)
    monkeypatch.setattr(make_results, "write_claims", lambda _: [])
    monkeypatch.setattr(sys, "argv", ["make_results", "--data", str(digits.workspace.data)])
    with pytest.raises(SystemExit, match="no finished runs of built-in recipes"):
        make_results.main()
    make_run(digits, recipe="notebook-10")
    make_results.main()
    assert "README.md: as it was\ndocs/notebooks.md: written\n" in capsys.readouterr().out
    # What was measured elsewhere stays, beside what was measured here.
    notebooks = tmp_path / "docs/notebooks.md"
    text = notebooks.read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| `notebook-10`"))
    other = row.replace("notebook-10", "notebook-100")
    notebooks.write_text(
        text.replace(row, f"{row.replace('0.9', '0.1')}\n{other}"), encoding="utf-8"
    )
    make_results.main()
    assert notebooks.read_text(encoding="utf-8") == text.replace(row, f"{row}\n{other}")
    assert "\nold\n" in (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| `notebook-10` |" in (tmp_path / "docs/notebooks.md").read_text(encoding="utf-8")


def test_the_script_writes_what_was_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "docs" / "experiments.md"
    page.parent.mkdir()
    page.write_text("<!-- decisions -->\nold\n<!-- /decisions -->\n", encoding="utf-8")
    workspace = Workspace(tmp_path / "data", tmp_path / "submissions")
    files.write_json(workspace.decision("a"), make_decision().model_dump(mode="json"))
    monkeypatch.setattr(make_results, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["make_results", "--data", str(workspace.data)])
    make_results.main()
    assert "docs/experiments.md: written\n" in capsys.readouterr().out
    table = decision_table([make_decision()])
    assert page.read_text("utf-8") == f"<!-- decisions -->\n{table}\n<!-- /decisions -->\n"
    files.write_json(workspace.decision("b"), {})
    with pytest.raises(SystemExit, match=r"^Error: .*b.json is damaged"):
        make_results.main()


# ---- the markers between which all tables stand -------------------------------------------------
MARKED = "# Title\n<!-- a -->\nold\n<!-- /a -->\nbetween\n<!-- b --><!-- /b -->\nthe end\n"


def test_a_section_is_replaced_and_nothing_else_moves(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(MARKED, encoding="utf-8")
    assert write_section(page, "a", r"new \1")
    assert page.read_text(encoding="utf-8") == MARKED.replace("old", r"new \1")
    assert not write_section(page, "a", r"new \1")


@pytest.mark.parametrize(
    "broken",
    [
        MARKED.replace("<!-- /a -->", ""),
        MARKED.replace("<!-- a -->", "<!-- aa -->"),
        MARKED + "<!-- a --><!-- /a -->",
        MARKED.replace("between", "<!-- a --> between"),
        "<!-- /a --><!-- a -->",
    ],
)
def test_markers_must_be_there_once_and_in_order(tmp_path: Path, broken: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(broken, encoding="utf-8")
    with pytest.raises(ValueError, match="must hold the markers <!-- a -->"):
        write_section(page, "a", "new")
    assert page.read_text(encoding="utf-8") == broken


# ---- decisions -----------------------------------------------------------------------------------
def test_each_comparison_is_a_line() -> None:
    assert decision_table([]) == ""
    table = decision_table([make_decision(), make_three()]).splitlines()
    assert len(table) == 2 + 1 + 2
    assert table[2] == (
        "| 2026-02-03 | `mine` | `quick` | training.epochs 8 → 12; network.layers "
        "| 35,000 competition | 3, 2 | 149.5, 175.5 | 0.01611, 0.01702 "
        "| -0.00091 (-0.00182 to +0.00000) | -26.0 (-52.0 to +0.0) | mine is better by log loss |"
    )
    # Of another recipe only what it has otherwise than the first one.
    assert [line.split(" | ")[3] for line in table[3:]] == ["training.epochs 8 → 12", ""]


def test_of_many_settings_a_few_are_named() -> None:
    settings = [{"key": f"a.{number}", "values": ["1|2", ""]} for number in range(6)]
    [line] = decision_table([make_decision(settings=settings)]).splitlines()[2:]
    assert line.split(" | ")[3] == (
        "; ".join(rf"a.{number} 1\|2 → none" for number in range(4)) + "; 2 more"
    )
