import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.pages.comparison_page import comparison_page, notes
from tests.browser import (
    SCREENS,
    assert_keyboard_reaches_everything,
    assert_sound,
    visit,
)
from tests.comparison_case import ROWS, many_runs, resolved, two_runs

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of eight runs, which is the widest."""
    path = tmp_path_factory.mktemp("comparison") / "many.html"
    path.write_text(comparison_page(many_runs()), encoding="utf-8")
    return path


def texts_of(page: str) -> str:
    """What a reader sees, without markup and style, on one line."""
    body = page.partition("<body>")[2]
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


@pytest.mark.parametrize(("width", "mode"), SCREENS)
def test_the_page_is_sound_on_every_screen(
    page: Path, browser: "Browser", width: int, mode: str
) -> None:
    with visit(browser, page, width, mode) as found:
        assert_sound(found, page)


def test_the_keyboard_reaches_everything(page: Path, browser: "Browser") -> None:
    with visit(browser, page, 375, "light") as found:
        assert_keyboard_reaches_everything(found)


def test_it_is_one_small_file_and_the_same_each_time(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == comparison_page(many_runs())
    assert "<script" not in text
    assert "default-src 'none'" in text
    assert page.stat().st_size < 1_000_000


def test_two_runs_and_what_the_test_says_of_them() -> None:
    evidence = two_runs()
    text = texts_of(comparison_page(evidence))
    counts = evidence.comparison.pairs[0].counts
    assert text.count("quick and mlp") == 1
    assert f"Compared on {ROWS:,} practice digits, which both held out of training." in text
    assert (
        f"quick is right on {counts.first_only} digits where mlp is wrong, and wrong on "
        f"{counts.second_only} where mlp is right: p &lt; 0.0001, more than chance would do."
    ) in text
    assert "quick is better" in text
    assert "98.80 %" in text
    assert "0.97120 leaderboard" in text
    assert "corrected" not in text
    assert "All of these runs have the same settings, and come from the same code." in text


def test_every_digit_of_the_gallery_has_each_runs_answer() -> None:
    evidence = two_runs()
    page = comparison_page(evidence)
    digits = evidence.comparison.disagreements
    assert len(digits) > 40
    assert page.count('class="digit"') == 40
    told = f"{len(digits)} of the {ROWS:,} digits are not read alike. These 40 say most"
    assert told in texts_of(page)
    first = digits[0]
    card = texts_of("<body>" + page.partition('disagreement">')[2])
    assert f"labelled {first.label} row {first.row}" in card
    answers = [
        f"{reading.prediction} {'✓' if reading.prediction == first.label else '✗'}"
        for reading in first.readings
    ]
    assert re.findall(r"\d [✓✗]", card)[:2] == answers


def test_the_settings_that_differ_are_a_table() -> None:
    text = texts_of(comparison_page(two_runs(recipe=resolved("mlp", "training.epochs=3"))))
    epochs = resolved("mlp")["training"]["epochs"]
    assert f"training.epochs {epochs} 3" in text
    assert "training.batch_size" not in text


def test_what_is_written_in_a_recipe_is_no_markup() -> None:
    hostile = "<script>alert(1)</script>"
    recipe = {**resolved("mlp"), hostile: hostile}
    page = comparison_page(two_runs(recipe=recipe))
    assert hostile not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2


def test_what_must_be_known_to_be_fair() -> None:
    runs = many_runs().runs
    assert notes(runs[:6], ROWS) == []
    assert notes(runs[6:7], ROWS) == [
        "best reads each of these digits with 1 to 6 of its 6 networks, those that never saw it; "
        "a test digit is read by all 6."
    ]
    refit = replace(runs[0], training={**runs[0].training, "refit": {"model_sha256": "x"}})
    assert notes([refit], ROWS)[0].startswith(f"{refit.short} was trained once more, on all")
    assert notes(runs[:1], 900)[0].startswith(
        f"{runs[0].short} held out 1,000 digits; 100 of them were not held out by every run"
    )


def test_ensembles_have_no_curves(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "best is an ensemble: its members have learnt" in texts_of(text)
    legend = text.partition('class="legend"')[2].partition("</ul>")[0]
    assert legend.count("<li>") == 6
    assert "best" not in legend
