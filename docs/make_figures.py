"""Make the pictures of the documents from the code's own values, into docs/figures.

python -m docs.make_figures            all of them
python -m docs.make_figures learning   those named

A picture is a function in FIGURES that returns a matplotlib Figure. Same code and libraries, same
bytes: nothing in a file tells of the time or the machine.
"""

import argparse
import io
import re
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from docs import learning_figures
from pipeline.system.files import write_text

FOLDER = Path(__file__).parent / "figures"
FIGURES: dict[str, Callable[[], Figure]] = {
    "one-digit": learning_figures.one_digit,
    "learning": learning_figures.learning,
}


def svg(draw: Callable[[], Figure]) -> str:
    """Return the figure that ``draw`` makes as SVG, with text as outlines.

    Its ground is white, so that it can be read on a dark page as well. Settings that the user has
    made for matplotlib have no part in it.
    """
    stream = io.StringIO()
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rc("svg", hashsalt="digits", fonttype="path")
        draw().savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(r' d="[^"]*"', lambda path: _shorten(path[0]), stream.getvalue())


def _shorten(path: str) -> str:
    """A hundredth of a point is finer than any screen; level lines need one coordinate less."""
    path = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.2f}", path)
    path = path.replace(" \n", "")
    return re.sub(r"M (\S+) ([^\sL]+)L (\S+) \2(?=[M\"])", r"M\1 \2H\3", path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FIGURES))
    names = parser.parse_args().names
    if unknown := set(names) - set(FIGURES):
        parser.error(
            f"no such figure: {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}"
        )
    for name in names or FIGURES:
        write_text(FOLDER / f"{name}.svg", svg(FIGURES[name]))
        print(FOLDER / f"{name}.svg")


if __name__ == "__main__":
    main()
