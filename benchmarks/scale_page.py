"""The measurements of benchmarks/scale.py as a section of docs/scale.md and a picture."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from docs.sections import write_section
from pipeline.pages.figures import MARKERS, drawing, to_svg
from pipeline.pages.palette import custom_properties, series, stand_in
from pipeline.system.files import write_text
from pipeline.system.provenance import environment

DOCS = Path(__file__).parents[1] / "docs"
PAGE, FIGURE = DOCS / "scale.md", DOCS / "figures" / "scale.svg"
INFIMNIST_ROWS = 8_100_000
FLAT = 1.2
PICTURE = "Two charts: seconds of each stage rise with its rows, and its own memory stays level"
MEGABYTE, GIGABYTE = 1e6, 1e9


@dataclass(frozen=True)
class Point:
    """One stage on one number of digits.  rows: those that the stage goes through."""

    stage: str
    rows: int
    seconds: float
    own_bytes: int
    resident_bytes: int


@dataclass(frozen=True)
class Size:
    """All stages on one number of digits, and the disk that its files take.

    hold_out_accuracy: of the dense network after its one epoch.
    """

    training_rows: int
    test_rows: int
    points: tuple[Point, ...]
    raw_bytes: int
    array_bytes: int
    hold_out_accuracy: float


def summary(point: Point) -> str:
    """Return one measurement as a line of text."""
    return (
        f"{point.stage:16} {point.rows:>9,} rows {point.seconds:8.1f} s "
        f"{point.own_bytes / MEGABYTE:6.0f} MB of its own "
        f"{point.resident_bytes / MEGABYTE:6.0f} MB resident"
    )


def write_page(sizes: Sequence[Size], *, page: Path, figure: Path) -> None:
    """Put tables and facts between the page's markers, and draw the picture.

    sizes: two or more, in rising order. Raises ValueError if the page has no such markers.
    """
    picture = f"![{PICTURE}]({os.path.relpath(figure, page.parent)})"
    write_section(page, "scale", f"{picture}\n\n{_section(sizes)}")
    write_text(figure, draw(sizes))


def by_stage(sizes: Sequence[Size]) -> dict[str, list[Point]]:
    """Return each stage's measurements, from the smallest size up."""
    found: dict[str, list[Point]] = {}
    for size in sizes:
        for point in size.points:
            found.setdefault(point.stage, []).append(point)
    return found


def seconds_at(points: Sequence[Point], rows: int) -> float:
    """Return the time at so many rows, on the line through the measurements.

    The line of least squared relative errors: a second at the smallest size counts for more.
    """
    measured = np.array([point.seconds for point in points])
    slope, start = np.polyfit([point.rows for point in points], measured, 1, w=1.0 / measured)
    return float(start + slope * rows)


def own_bytes_at(points: Sequence[Point], rows: int) -> float:
    """Return the stage's own memory at so many rows, on the line through the two largest sizes."""
    before, last = points[-2:]
    slope = (last.own_bytes - before.own_bytes) / (last.rows - before.rows)
    return last.own_bytes + max(0.0, slope) * (rows - last.rows)


def _section(sizes: Sequence[Size]) -> str:
    facts = environment()
    last = sizes[-1]
    lines = [
        f"{facts['cores']} cores ({facts['cpu']}), Python {facts['python']}, "
        f"NumPy {facts['numpy']}.",
        "",
        *_table(
            ("stage", "rows", "seconds", "µs a row", "own memory", "to the smallest", "resident"),
            _measurements(sizes),
        ),
        "",
        f"After its one epoch of {last.training_rows:,} digits, the held-out tenth among them, the "
        f"dense network reads {last.hold_out_accuracy:.4f} of those held out right; of "
        f"{sizes[0].training_rows:,} it was {sizes[0].hold_out_accuracy:.4f}. {_flatness(sizes)} "
        f"{_linearity(sizes)}",
        "",
        f"InfiMNIST's {INFIMNIST_ROWS:,} digits as labelled ones, with test digits and held-out "
        "ones in the same shares, on the lines through these measurements:",
        "",
        *_table(("stage", "rows", "time", "own memory"), _extrapolations(sizes)),
        "",
        f"On disk the CSV file would have {_at_infimnist(last, last.raw_bytes):.1f} GB, the arrays "
        f"{_at_infimnist(last, last.array_bytes):.1f} GB.",
    ]
    return "\n".join(lines)


def _measurements(sizes: Sequence[Size]) -> list[tuple[str, ...]]:
    return [
        (
            stage if point is points[0] else "",
            f"{point.rows:,}",
            f"{point.seconds:.1f}",
            f"{1e6 * point.seconds / point.rows:.0f}",
            f"{point.own_bytes / MEGABYTE:.0f} MB",
            f"{point.own_bytes / points[0].own_bytes:.2f}",
            f"{point.resident_bytes / MEGABYTE:.0f} MB",
        )
        for stage, points in by_stage(sizes).items()
        for point in points
    ]


def _flatness(sizes: Sequence[Size]) -> str:
    """Say which stages stay within a fifth of the memory that they take at first."""
    grown = [
        f"{stage} ({points[-1].own_bytes / points[0].own_bytes:.2f})"
        for stage, points in by_stage(sizes).items()
        if points[-1].own_bytes > FLAT * points[0].own_bytes
    ]
    if not grown:
        return "No stage's own memory grows by more than a fifth."
    return f"The own memory of these grows by more than a fifth: {', '.join(grown)}."


def _linearity(sizes: Sequence[Size]) -> str:
    """Say how the time a row changes between the two largest sizes of each stage."""
    ratios = [
        (points[-1].seconds / points[-1].rows) / (points[-2].seconds / points[-2].rows)
        for points in by_stage(sizes).values()
        if len(points) > 1
    ]
    return (
        "From each stage's last but one number of rows to its last, a row takes at most "
        f"{max(ratios):.2f} times as long; where the start of a process weighs, it takes less."
    )


def _extrapolations(sizes: Sequence[Size]) -> list[tuple[str, ...]]:
    """Each stage on its share of InfiMNIST; memory only where the largest size was measured."""
    found: list[tuple[str, ...]] = []
    for stage, points in by_stage(sizes).items():
        if len(points) > 1:
            size = sizes[len(points) - 1]
            rows = INFIMNIST_ROWS * points[-1].rows // size.training_rows
            memory = f"{own_bytes_at(points, rows) / MEGABYTE:.0f} MB"
            is_whole = size is sizes[-1]
            found.append(
                (
                    stage,
                    f"{rows:,}",
                    _duration(seconds_at(points, rows)),
                    memory if is_whole else "",
                )
            )
    return found


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _at_infimnist(size: Size, measured_bytes: int) -> float:
    """Scale bytes of a size to InfiMNIST's number of digits, in gigabytes."""
    rows = size.training_rows + size.test_rows
    return measured_bytes * INFIMNIST_ROWS / rows / GIGABYTE


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (columns, ["---"] * len(columns), *rows)]


def draw(sizes: Sequence[Size]) -> str:
    """Return the picture as SVG: time and own memory of each stage against its rows.

    The same measurements give the same bytes. It is dark where dark is asked for.
    """
    with drawing("Time and memory of each stage", (9.0, 4.0)) as (figure, axes):
        axes.remove()
        time, memory = figure.subplots(1, 2)
        for number, (stage, points) in enumerate(by_stage(sizes).items()):
            rows = [point.rows for point in points]
            style = {
                "color": stand_in(series(number)),
                "marker": MARKERS[number % len(MARKERS)][0],
                "label": stage.replace("`", ""),
            }
            time.plot(rows, [point.seconds for point in points], **style)
            memory.plot(rows, [point.own_bytes / MEGABYTE for point in points], **style)
        time.set_yscale("log")
        time.set_ylabel("seconds")
        memory.set_ylim(bottom=0)
        memory.set_ylabel("own memory, MB")
        for part in (time, memory):
            part.set_facecolor("none")
            part.set_xscale("log")
            part.set_xlabel("rows")
        time.legend()
    svg = to_svg(
        figure,
        title="Time and memory of each stage against its rows",
        description="On logarithmic axes the times rise along straight lines; memory stays level.",
    )
    ground = (
        f'<style>{custom_properties()}</style><rect width="100%" height="100%" fill="var(--card)"/>'
    )
    return '<?xml version="1.0" encoding="utf-8"?>\n' + re.sub(
        r"(</desc>)", lambda found: found[0] + ground, str(svg), count=1
    )
