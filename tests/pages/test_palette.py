from typing import Literal

import pytest

from pipeline.pages.palette import COLOURS, SERIES, STAND_INS, custom_properties

Mode = Literal["light", "dark"]
SURFACES = ("paper", "card", "hollow")
TEXTS = [(text, surface) for text in ("ink", "quiet", "link") for surface in SURFACES] + [
    ("ink", surface) for surface in ("notice", "heat-1", "heat-2", "heat-3", "heat-4")
]
# Lines and bars could do with 3, but their markers stand in legends as text.
TEXTS += [(colour, surface) for colour in SERIES for surface in ("paper", "card")]


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    total = 0.0
    for share, start in ((0.2126, 1), (0.7152, 3), (0.0722, 5)):
        value = int(colour[start : start + 2], 16) / 255
        linear = value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        total += share * linear
    return total


def contrast(first: str, second: str, mode: Mode) -> float:
    low, high = sorted(luminance(getattr(COLOURS[name], mode)) for name in (first, second))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert luminance("#ffffff") == pytest.approx(1)
    assert luminance("#000000") == 0
    assert luminance("#777777") == pytest.approx(0.1845, abs=1e-4)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(("text", "surface"), TEXTS)
def test_text_stands_out(text: str, surface: str, mode: Mode) -> None:
    assert contrast(text, surface, mode) >= 4.5


def test_every_colour_has_a_stand_in_of_its_own() -> None:
    assert STAND_INS.keys() == COLOURS.keys()
    assert len(set(STAND_INS.values())) == len(COLOURS)
    own = {colour for both in COLOURS.values() for colour in (both.light, both.dark)}
    assert not own & set(STAND_INS.values())


def test_both_modes_are_declared_and_print_is_light() -> None:
    light, dark = custom_properties().splitlines()
    for name, colour in COLOURS.items():
        assert f"--{name}:{colour.light};" in light
        assert f"--{name}:{colour.dark};" in dark
    assert dark.startswith("@media screen and (prefers-color-scheme:dark)")
