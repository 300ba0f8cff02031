import html
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.analysis.report import report
from pipeline.pages.run_page import run_page
from pipeline.plan.plan import Plan
from pipeline.recipes.toml_text import toml_text
from tests.browser import SCREENS, assert_keyboard_reaches_everything, assert_sound, visit
from tests.pages.evidence_case import RECIPE, make_evidence, readings
from tests.practice_case import copy_practice, plan_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def page(practice_run: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small run of the practice digits."""
    workspace = copy_practice(practice_run.workspace, tmp_path_factory.mktemp("report"))
    return report(plan_of(workspace)).path


@pytest.mark.parametrize(("width", "mode"), SCREENS)
def test_the_page_is_sound_on_every_screen(
    page: Path, browser: "Browser", width: int, mode: str
) -> None:
    with visit(browser, page, width, mode) as found:
        assert_sound(found, page)


def test_the_keyboard_reaches_everything(page: Path, browser: "Browser") -> None:
    with visit(browser, page, 1440, "light") as found:
        assert_keyboard_reaches_everything(found)


def test_it_is_one_file_without_scripts(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "default-src 'none'" in text
    assert page.stat().st_size < 2_000_000


def test_it_says_how_the_run_was_made_and_can_be_again() -> None:
    evidence = make_evidence([1], readings({1: 0.9}))
    text = html.unescape(run_page(evidence))
    assert "<pre>git checkout 0123456789abcdef\nmake all\n</pre>" in text
    assert f"<pre>{toml_text(RECIPE)}</pre>" in text
    for checksum in ("a" * 64, "f" * 64):
        assert f"<code>{checksum}</code>" in text
    environment = {"commit": None, "dirty": None, "cores": 1}
    training = {**evidence.training, "environment": environment}
    elsewhere = run_page(make_evidence([1], readings({1: 0.9}), training=training))
    assert "<pre>make all\n</pre>" in elsewhere
