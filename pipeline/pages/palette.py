"""The colours of pages and figures, each for light and for dark, told apart by colour-blind too.

A page's style sheet declares them as custom properties, once for each mode. A figure is drawn
with stand-ins, which ``figures.to_svg`` replaces by these properties: one drawing serves both.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Colour:
    """One colour by its role.  light, dark: what it is in each mode, as "#rrggbb"."""

    light: str
    dark: str


# Series after Okabe and Ito, "Color Universal Design" (2008); darker on paper, lighter at night.
COLOURS: Mapping[str, Colour] = {
    "paper": Colour("#faf9f6", "#15181d"),
    "card": Colour("#ffffff", "#1d2127"),
    "ink": Colour("#1e2329", "#e6e8eb"),
    "quiet": Colour("#575f6a", "#a4adb9"),
    "line": Colour("#dcdad4", "#353b44"),
    "grid": Colour("#e6e4df", "#2c323a"),
    "link": Colour("#0a5c94", "#6cbcf0"),
    "notice": Colour("#fdf0d5", "#3a2f16"),
    "hollow": Colour("#efede8", "#272c34"),
    "heat-1": Colour("#fadfcd", "#40302a"),
    "heat-2": Colour("#f7cbb0", "#553626"),
    "heat-3": Colour("#f1a881", "#744327"),
    "heat-4": Colour("#e88655", "#92502a"),
    "series-1": Colour("#0072b2", "#56b4e9"),
    "series-2": Colour("#b54d00", "#f5a25d"),
    "series-3": Colour("#007f5f", "#2fc29a"),
    "series-4": Colour("#a8497f", "#e392bf"),
    "series-5": Colour("#7a6a00", "#e5d84a"),
    "series-6": Colour("#5a4fcf", "#a9a2ff"),
    "series-7": Colour("#8a4b2a", "#cf9d7d"),
    "series-8": Colour("#4d565f", "#b9c0c8"),
}
SERIES = tuple(name for name in COLOURS if name.startswith("series-"))

# What a figure is drawn with instead: a colour for each role that occurs nowhere else.
STAND_INS: Mapping[str, str] = {
    name: f"#fe{number:02x}01" for number, name in enumerate(COLOURS, start=1)
}


def stand_in(name: str) -> str:
    """Return the colour to draw a figure with, for a role in ``COLOURS``."""
    return STAND_INS[name]


def series(number: int) -> str:
    """Return the role of the series with this number, from 0; after the last they begin anew."""
    return SERIES[number % len(SERIES)]


def custom_properties() -> str:
    """Return the style sheet's declarations of all colours: light, and dark where it is asked for.

    Print is always light.
    """
    light = "".join(f"--{name}:{colour.light};" for name, colour in COLOURS.items())
    dark = "".join(f"--{name}:{colour.dark};" for name, colour in COLOURS.items())
    return (
        f":root{{color-scheme:light dark;{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    )
