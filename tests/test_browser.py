"""The checks of pages find what they are there to find."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.pages.pictures import to_data_uri
from tests.browser import (
    FAULTS,
    assert_keyboard_reaches_everything,
    assert_sound,
    open_browser,
    visit,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PIXEL = to_data_uri(np.zeros((1, 1), np.uint8))
SOUND = f'<h1>A</h1><h2>B</h2><p>text</p><img src="{PIXEL}" alt="a pixel">'
FAULTY = {
    "broken_images": '<img src="data:image/png;base64,AAAA" alt="nothing">',
    "overflow": '<div style="width:600px">far too wide</div>',
    "clipped": '<div style="width:3em;overflow:hidden;white-space:nowrap">cut off here</div>',
    "unreachable": '<div style="overflow-x:auto" aria-label="a box">scrolls</div>',
    "without_text": f'<img src="{PIXEL}">',
    "headings": "<h4>two levels down</h4>",
    "contrast": '<p style="color:#888">pale</p>',
}


def page_of(folder: Path, body: str) -> Path:
    path = folder / "page.html"
    path.write_text(
        '<!DOCTYPE html><html lang="en"><link rel="icon" href="data:,">'
        f'<body style="background:#fff;color:#000">'
        f'<a class="skip" href="#content">skip</a>{body}</body></html>',
        encoding="utf-8",
    )
    return path


def test_a_sound_page_has_no_faults(tmp_path: Path, browser: "Browser") -> None:
    path = page_of(tmp_path, SOUND)
    with visit(browser, path, 375, "light") as found:
        assert_sound(found, path)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found(tmp_path: Path, browser: "Browser", name: str) -> None:
    with visit(browser, page_of(tmp_path, SOUND + FAULTY[name]), 375, "light") as found:
        assert found.check(name)


def test_what_is_folded_away_is_looked_at(tmp_path: Path, browser: "Browser") -> None:
    path = page_of(
        tmp_path, f"{SOUND}<details><summary>more</summary>{FAULTY['contrast']}</details>"
    )
    with visit(browser, path, 375, "light") as found:
        assert found.check("contrast") == []
        with pytest.raises(AssertionError, match="contrast"):
            assert_sound(found, path)


@pytest.mark.parametrize(
    "body", ["<script>nothing.here()</script>", "<img src='other.png' alt='x'>"]
)
def test_messages_and_requests_are_heard(tmp_path: Path, browser: "Browser", body: str) -> None:
    path = page_of(tmp_path, SOUND + body)
    with visit(browser, path, 375, "light") as found, pytest.raises(AssertionError):
        assert_sound(found, path)


def test_what_tab_passes_over_is_missed(tmp_path: Path, browser: "Browser") -> None:
    link = '<p><a href="#content">link</a> <a href="#second" {}>link</a></p>'
    with visit(browser, page_of(tmp_path, link.format("")), 375, "light") as found:
        assert_keyboard_reaches_everything(found)
    path = page_of(tmp_path, link.format('tabindex="-1"'))
    with visit(browser, path, 375, "light") as found, pytest.raises(AssertionError):
        assert_keyboard_reaches_everything(found)


def test_without_a_browser_tests_are_skipped_or_fail_where_it_is_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("tests.browser.REQUIRED", False)
    with pytest.raises(pytest.skip.Exception, match="no browser on this machine"), open_browser():
        pass
    monkeypatch.setattr("tests.browser.REQUIRED", True)
    with pytest.raises(pytest.fail.Exception, match="DIGITS_BROWSER=required"), open_browser():
        pass
