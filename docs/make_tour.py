"""Make the README's tour: pictures of what the commands print and write, into docs/figures.

python -m docs.make_tour

The pipeline runs on the practice digits in a folder of its own; the pages and the terminal's text
are then shown by the Chromium or Chrome on this machine, whose fonts decide some of the looks.
"""

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from pipeline.system.files import atomic_write

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "figures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTH = 1000  # of the pages, in pixels
COLUMNS = 98  # of the terminal
COLOURS = 64  # enough for flat colours and smooth edges, at a quarter of the size
RUNS = ("practice-quick", "practice-mlp")

# Half blocks touch where a line is exactly as high as the font's own line.
TERMINAL = """<!DOCTYPE html><meta charset="utf-8">
<style>body {{ margin: 0; background: {background} }}
pre {{ margin: 0; padding: 16px; width: max-content; color: {foreground};
font: 14px/16px "DejaVu Sans Mono", monospace }}</style>
<pre>{code}</pre>"""


def main() -> None:
    """Run the pipeline, then take the pictures."""
    with tempfile.TemporaryDirectory() as folder, _browser() as browser:
        data, submissions = Path(folder) / "data", Path(folder) / "submissions"

        def digits(*arguments: str) -> str:
            where = ("--data", str(data), "--submissions", str(submissions))
            return _digits(*arguments, *where)

        for recipe in ("quick", "mlp"):
            asked = ("--source", "practice", "--recipe", recipe)
            for stage in ("download", "preprocess", "train", "validate", "submission", "summary"):
                digits(stage, *asked)
        digits("report", "--run", RUNS[0])
        digits("compare", *RUNS)
        report = data / "runs" / RUNS[0] / "report.html"
        compare = data / "comparisons" / f"{'~'.join(RUNS)}.html"
        for mode in ("light", "dark"):
            _picture_page(browser, report, f"tour-report-{mode}", mode=mode, until="#confusion")
            _picture_page(browser, compare, f"tour-compare-{mode}", mode=mode, until="#curves")
        _picture_text(browser, digits("errors", "--run", RUNS[0], "--count", "3"), "tour-errors")


def _digits(*arguments: str) -> str:
    """What a command prints on a terminal with colours."""
    colours = {"FORCE_COLOR": "1", "COLORTERM": "truecolor", "COLUMNS": str(COLUMNS)}
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=ROOT,
        env=os.environ | colours,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


@contextmanager
def _browser() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  (for developers only)

    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        sys.exit(f"Error: none of {', '.join(BROWSERS)} is on the PATH")
    with sync_playwright() as playwright:
        as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(
            executable_path=path, args=["--disable-gpu", "--no-proxy-server", *as_root]
        )
        try:
            yield browser
        finally:
            browser.close()


def _picture_page(browser: "Browser", path: Path, name: str, *, mode: str, until: str) -> None:
    """Save the page down to the element ``until``, which is left out."""
    page = browser.new_page(
        viewport={"width": WIDTH, "height": WIDTH},
        color_scheme="dark" if mode == "dark" else "light",
    )
    page.goto(path.as_uri())
    box = page.locator(until).bounding_box()
    if box is None:
        sys.exit(f"Error: {path} has no {until}")
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": box["y"]}
    _save(page.screenshot(full_page=True, clip=clip), name)  # type: ignore[arg-type]
    page.close()


def _picture_text(browser: "Browser", text: str, name: str) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text.rstrip("\n")))
    page = browser.new_page()
    page.set_content(console.export_html(theme=MONOKAI, code_format=TERMINAL, inline_styles=True))
    _save(page.locator("pre").screenshot(), name)
    page.close()


def _save(png: bytes, name: str) -> None:
    path = FOLDER / f"{name}.png"
    with Image.open(io.BytesIO(png)) as picture, atomic_write(path) as stream:
        picture.convert("RGB").quantize(COLOURS).save(stream, "PNG", optimize=True)
    print(path)


if __name__ == "__main__":
    main()
