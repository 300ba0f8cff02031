from pathlib import Path
from typing import Any

import pytest

from pipeline.analysis.results import ResultRow, collect, notebook_table, recipe_table, results
from pipeline.plan.plan import Source
from pipeline.runs.spread import Spread, spread
from pipeline.system.errors import PipelineError
from tests.run_files import Digits, change_json, make_digits, make_run, write_score

MARKED = """# Title
<!-- results:notebooks -->
<!-- /results:notebooks -->
between
<!-- results:recipes -->
old table
<!-- /results:recipes -->
the end
"""


@pytest.fixture
def digits(tmp_path: Path) -> Digits:
    return make_digits(tmp_path)


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    path = tmp_path / "README.md"
    path.write_text(MARKED, encoding="utf-8")
    return path


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
    digits: Digits, readme: Path, settings: dict[str, Any]
) -> None:
    make_run(digits, **settings)
    assert collect(digits.workspace) == []
    with pytest.raises(PipelineError, match="no finished runs of built-in recipes"):
        results(digits.workspace, readme=readme, recipes=readme.parent)
    assert readme.read_text(encoding="utf-8") == MARKED


@pytest.mark.parametrize("name", ["../../elsewhere", "a | b", "<b>", "[a](b)", "", "a\nb"])
def test_names_that_are_no_recipes_stay_out(digits: Digits, name: str) -> None:
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


def test_tables_stand_between_their_markers_and_nothing_else_moves(
    digits: Digits, readme: Path
) -> None:
    make_run(digits, name="m", recipe="mlp", accuracy=0.98)
    make_run(digits, name="n", recipe="notebook-100", accuracy=0.85)
    result = results(digits.workspace, readme=readme, recipes=readme.parent)
    text = readme.read_text(encoding="utf-8")
    notebooks = notebook_table(result.tables["notebooks"])
    recipes = recipe_table(result.tables["recipes"])
    assert text == (
        "# Title\n<!-- results:notebooks -->\n"
        + notebooks
        + "\n<!-- /results:notebooks -->\nbetween\n<!-- results:recipes -->\n"
        + recipes
        + "\n<!-- /results:recipes -->\nthe end\n"
    )
    assert not result.unchanged
    assert results(digits.workspace, readme=readme, recipes=readme.parent).unchanged
    assert readme.read_text(encoding="utf-8") == text


def test_recipes_open_with_what_was_measured(digits: Digits, readme: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mlp.toml"
    recipe.write_text('description = "first line"\nrest = 1\n', encoding="utf-8")
    for seed, accuracy in enumerate([0.9, 0.8, 1.0]):
        make_run(digits, name=f"run{seed}", seed=seed, accuracy=accuracy, seconds=10.0, cores=2)
    found = results(digits.workspace, readme=readme, recipes=tmp_path)
    assert found.claims == ["mlp"]
    assert recipe.read_text(encoding="utf-8") == (
        "# Measured: 0.9000 ± 0.1000 of 20 held-out competition digits over 3 seeds; "
        '10 s on 2 cores\ndescription = "first line"\nrest = 1\n'
    )
    again = results(digits.workspace, readme=readme, recipes=tmp_path)
    assert again.unchanged
    assert again.claims == []
    # A new measurement takes the place of the line, and nothing else moves.
    make_run(digits, name="run3", seed=3, accuracy=0.9, seconds=10.0, cores=2)
    results(digits.workspace, readme=readme, recipes=tmp_path)
    first, *others = recipe.read_text(encoding="utf-8").splitlines()
    assert "over 4 seeds" in first
    assert others == ['description = "first line"', "rest = 1"]


def test_a_table_without_runs_stays_as_it_was(digits: Digits, readme: Path) -> None:
    make_run(digits, recipe="notebook-10")
    result = results(digits.workspace, readme=readme, recipes=readme.parent)
    assert result.tables["recipes"] == []
    assert "\nold table\n" in readme.read_text(encoding="utf-8")


def test_markdown_of_a_notebook(digits: Digits) -> None:
    for seed, accuracy in enumerate([0.84, 0.86]):
        make_run(digits, name=f"run{seed}", recipe="notebook-class", seed=seed, accuracy=accuracy)
    assert notebook_table(collect(digits.workspace)).splitlines() == [
        "| recipe | digits | reported by the notebook | hold-out accuracy | min to max | seeds "
        "| test score | training | cores | trained on / held out |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        "| `notebook-class` | competition | 0.845 | 0.8500 ± 0.0141 | 0.8400 to 0.8600 | 2 "
        "|  | 10.0 s | 2 | 80 / 20 |",
    ]


@pytest.mark.parametrize(
    "broken",
    [
        MARKED.replace("<!-- /results:recipes -->", ""),
        MARKED.replace("<!-- results:recipes -->", "<!-- result:recipes -->"),
        MARKED + "<!-- results:recipes --><!-- /results:recipes -->",
        MARKED.replace("between", "<!-- results:recipes --> between"),
        MARKED.replace("<!-- results:recipes -->", "x").replace(
            "<!-- /results:recipes -->", "<!-- /results:recipes --><!-- results:recipes -->"
        ),
    ],
)
def test_markers_must_be_there_once_and_in_order(digits: Digits, readme: Path, broken: str) -> None:
    make_run(digits)
    readme.write_text(broken, encoding="utf-8")
    with pytest.raises(PipelineError, match="must hold the markers <!-- results:recipes -->"):
        results(digits.workspace, readme=readme, recipes=readme.parent)
    assert readme.read_text(encoding="utf-8") == broken


def test_a_missing_readme_is_one_line(digits: Digits, tmp_path: Path) -> None:
    make_run(digits)
    with pytest.raises(PipelineError, match=r"none.md: there is no such file"):
        results(digits.workspace, readme=tmp_path / "none.md", recipes=tmp_path)
