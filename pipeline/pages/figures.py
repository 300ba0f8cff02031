"""Figures for pages: drawn by matplotlib, put into the page as SVG, coloured by its style sheet.

A function that draws is pure: data in, a figure out, whose label says in a few words what it is.
"""

import hashlib
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from pipeline.pages.palette import STAND_INS, series, stand_in
from pipeline.training.fitting import History

# In inches of 72 points: on a small screen, or three in a row, a point is about a pixel.
SIZE = (4.2, 3.0)
SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
ET.register_namespace("", SVG)
ET.register_namespace("xlink", XLINK)
STYLE: Any = {  # matplotlib's own type lists hundreds of keys, which change with its version
    "axes.axisbelow": True,
    "axes.edgecolor": stand_in("quiet"),
    "axes.grid": True,
    "axes.labelcolor": stand_in("quiet"),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": ["DejaVu Sans"],  # matplotlib's own, so that every machine lays out alike
    "font.size": 10.0,
    "grid.color": stand_in("grid"),
    "grid.linewidth": 1.0,
    "legend.frameon": False,
    "legend.labelcolor": stand_in("ink"),
    "lines.linewidth": 2.0,
    "patch.linewidth": 0.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "digits",
    "text.color": stand_in("ink"),
    "xtick.color": stand_in("quiet"),
    "ytick.color": stand_in("quiet"),
}
NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
# The first run's marker, the second one's and so on; the legend of the page shows them as text.
MARKERS = tuple(zip("os^DvPX*", "●■▲◆▼✚✖★", strict=True))
_OWN_IDS = re.compile(r"url\(#([^)]+)\)")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b|#[0-9a-fA-F]{3}\b")


@contextmanager
def drawing(label: str, size: tuple[float, float] = SIZE) -> Iterator[tuple[Figure, Axes]]:
    """Yield a figure in the page's style with its axes; no state of pyplot is touched.

    label: what the figure shows, in a few words.  size: in inches.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained", facecolor="none", label=label)
        axes = figure.subplots()
        axes.set_facecolor("none")
        yield figure, axes


def to_svg(figure: Figure, *, title: str = "", description: str) -> Markup:
    """Return a figure as an ``svg`` element for a page; the same figure gives the same text.

    Its colours are custom properties, its texts are text in the page's font, its ids no other
    figure's, and its size is that of its container.
    title, description: for people who do not see it; plain text (title: its label if not given).
    Raises ValueError if something in it has a colour that is none of the palette's.
    """
    title = title or str(figure.get_label())
    stream = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format="svg", metadata=NO_METADATA)
    text = stream.getvalue()
    root = ET.fromstring(text)
    digest = hashlib.sha256("\n".join((title, description, text)).encode())
    prefix = f"f{digest.hexdigest()[:10]}-"
    _remove(root, {f"{{{SVG}}}metadata", f"{{{SVG}}}style"})
    _rename_ids(root, prefix)
    _colour_by_properties(root)
    _describe(root, prefix, title=title, description=description)
    return Markup(ET.tostring(root, encoding="unicode"))


def learning_curves(runs: Mapping[str, History]) -> list[Figure]:
    """Return loss, hold-out accuracy and learning rate over the epochs, one figure each.

    runs: their histories by name; the n-th one has the n-th colour and marker, which the macro
    ``legend`` of the templates explains. A training on all rows has no hold-out values: NaN.
    """
    with drawing("Loss") as (loss, axes):
        for number, history in enumerate(runs.values()):
            _draw(axes, history, "training_loss", number, dashed=True)
            _draw(axes, history, "hold_out_loss", number)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylabel("cross-entropy (log scale)")
        ink = stand_in("ink")
        styles = [Line2D([], [], color=ink, linestyle=style) for style in ("--", "-")]
        axes.legend(styles, ["training", "hold-out"])
    with drawing("Accuracy") as (accuracy, axes):
        for number, history in enumerate(runs.values()):
            _draw(axes, history, "hold_out_accuracy", number)
        axes.set_ylabel("hold-out accuracy")
    with drawing("Learning rate") as (rate, axes):
        for number, history in enumerate(runs.values()):
            _draw(axes, history, "learning_rate", number)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("learning rate")
    for figure in (loss, accuracy, rate):
        axes = figure.axes[0]
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return [loss, accuracy, rate]


def _draw(axes: Axes, history: History, name: str, number: int, *, dashed: bool = False) -> None:
    epochs = history.column("epoch")
    axes.plot(
        epochs,
        history.column(name),
        color=stand_in(series(number)),
        linestyle="--" if dashed else "-",
        linewidth=1.2 if dashed else 2.0,
        marker="" if dashed else MARKERS[number % len(MARKERS)][0],
        markersize=4.5,
        markevery=max(1, len(epochs) // 8),
    )


def _remove(element: ET.Element, tags: set[str]) -> None:
    for child in list(element):
        if child.tag in tags:
            element.remove(child)
        else:
            _remove(child, tags)


def _rename_ids(root: ET.Element, prefix: str) -> None:
    """Drop ids that nothing refers to, and make the others the figure's own."""
    href = f"{{{XLINK}}}href"
    used = {value[1:] for element in root.iter() if (value := element.get(href))}
    for element in root.iter():
        for value in element.attrib.values():
            used.update(_OWN_IDS.findall(value))
    for element in root.iter():
        name = element.attrib.pop("id", None)
        if name in used:
            element.set("id", prefix + name)
        for attribute, value in element.attrib.items():
            if attribute == href:
                element.set(href, f"#{prefix}{value[1:]}")
            else:
                element.set(attribute, _OWN_IDS.sub(rf"url(#{prefix}\1)", value))


def _describe(root: ET.Element, prefix: str, *, title: str, description: str) -> None:
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{prefix}title {prefix}desc")
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ET.Element(f"{{{SVG}}}{tag}", {"id": f"{prefix}{tag}"})
        element.text = text
        root.insert(place, element)


def _colour_by_properties(root: ET.Element) -> None:
    properties = {colour: f"var(--{name})" for name, colour in STAND_INS.items()}

    def replace(found: re.Match[str]) -> str:
        colour = found.group().lower()
        if colour not in properties:
            raise ValueError(f"the figure has the colour {colour}, which is not in the palette")
        return properties[colour]

    for element in root.iter():
        for attribute in {"style", "fill", "stroke"} & element.attrib.keys():
            element.set(attribute, _COLOUR.sub(replace, element.attrib[attribute]))
