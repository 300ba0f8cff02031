"""The generated parts of a page: each stands between two markers, and only a script writes it."""

import re
from pathlib import Path

from pipeline.system.files import write_text


def read_section(page: Path, name: str) -> str:
    """Return what stands between ``<!-- name -->`` and ``<!-- /name -->``; "" without markers."""
    text = page.read_text(encoding="utf-8")
    return text.partition(f"<!-- {name} -->\n")[2].partition(f"\n<!-- /{name} -->")[0]


def write_section(page: Path, name: str, text: str) -> bool:
    """Put the text between ``<!-- name -->`` and ``<!-- /name -->``; return whether it changed.

    Raises ValueError unless the page has both markers once, in this order.
    """
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before = page.read_text(encoding="utf-8")
    section = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if [before.count(start), before.count(end), len(section.findall(before))] != [1, 1, 1]:
        raise ValueError(f"{page} must hold the markers {start} and {end} once each, in this order")
    after = section.sub(lambda _: f"{start}\n{text}\n{end}", before)
    if after != before:
        write_text(page, after)
    return after != before
