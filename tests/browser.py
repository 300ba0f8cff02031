"""Pages as people see them: in a real browser, without a window, on small and large screens."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Read here, because tests run in an environment without settings of ours.
REQUIRED = os.environ.get("DIGITS_BROWSER") == "required"
# Nothing of its own on the network, and none of the machine's proxies.
QUIETLY = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
)
# Each width and each mode once: what overflows does so in both colours, and what is pale on both.
SCREENS = [(375, "dark"), (1440, "light")]
# What no page may have: the checks in browser_checks.js.
FAULTS = (
    "broken_images",
    "overflow",
    "clipped",
    "unreachable",
    "without_text",
    "headings",
    "contrast",
)
CHECKS = Path(__file__).with_name("browser_checks.js").read_text(encoding="utf-8")


@contextmanager
def open_browser() -> Iterator["Browser"]:
    """Yield the machine's Chromium; without one the test is skipped, or fails where CI asks so.

    One at a time, and not for the whole session: while it is open, a loop of asyncio runs.
    """
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        reason = f"no browser on this machine: none of {', '.join(NAMES)} is on the PATH"
        if REQUIRED:
            pytest.fail(f"DIGITS_BROWSER=required, but {reason}")
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIETLY, *as_root])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """A page in the browser, and what went on while it was opened.

    messages: of the console, exceptions included.  requests: all addresses but those of data.
    failed: those that came to nothing.
    """

    page: "Page"
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def check(self, name: str) -> list[Any]:
        """Return the faults that one of the checks in browser_checks.js finds."""
        found: list[Any] = self.page.evaluate(f"{CHECKS}\nchecks.{name}()")
        return found

    def tab_stops(self, most: int = 400) -> list[str]:
        """Press Tab until it comes round; return what had the focus, as "tag.class#id" or href."""
        stops: list[str] = []
        for _ in range(most):
            self.page.keyboard.press("Tab")
            stop: str = self.page.evaluate(f"{CHECKS}\nchecks.focused()")
            if not stop:
                return stops
            stops.append(stop)
        raise AssertionError(f"more than {most} stops")


@contextmanager
def visit(browser: "Browser", path: Path, width: int, mode: Any) -> Iterator[Visit]:
    """Open a file on a screen so many pixels wide; mode: light or dark."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=mode, offline=True
    )
    try:
        page = context.new_page()
        found = Visit(page)
        page.on("console", lambda message: found.messages.append(message.text))
        page.on("pageerror", lambda error: found.messages.append(str(error)))
        page.on("requestfailed", lambda request: found.failed.append(request.url[:200]))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith("data:")
                else found.requests.append(request.url[:200])
            ),
        )
        page.goto(path.as_uri())
        yield found
    finally:
        context.close()


def assert_sound(found: Visit, path: Path) -> None:
    """Assert what holds for each of our pages on each screen, with all its details unfolded."""
    assert found.messages == []
    assert found.failed == []
    assert found.requests == [path.as_uri()]
    found.check("unfold")
    for name in FAULTS:
        assert found.check(name) == [], name


def assert_keyboard_reaches_everything(found: Visit) -> None:
    """Assert that Tab stops at the skip link first, and at each link, box that scrolls, details."""
    stops = found.tab_stops()
    assert stops[0] == "a.skip #content"
    assert stops == found.check("focusable")
