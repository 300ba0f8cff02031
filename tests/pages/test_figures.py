import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from pipeline.pages.figures import MARKERS, drawing, learning_curves, to_svg
from pipeline.pages.palette import stand_in
from tests.pages.evidence_case import history

SVG = "{http://www.w3.org/2000/svg}"


def draw(colour: str = "series-1", label: str = "a line") -> str:
    with drawing(label) as (figure, axes):
        axes.plot([1, 2], [3, 4], color=stand_in(colour), marker="o")
        axes.set_xlabel("some text")
    return to_svg(figure, title="Title", description="Description")


def ids_of(svg: str) -> set[str]:
    return set(re.findall(r'\bid="([^"]+)"', svg))


def test_the_same_figure_gives_the_same_text() -> None:
    assert draw() == draw()


def test_colours_are_those_of_the_page() -> None:
    svg = draw("series-3")
    assert "var(--series-3)" in svg
    assert "var(--quiet)" in svg
    assert not re.search(r"(?:fill|stroke)[:=] *\"?#", svg)


def test_a_foreign_colour_is_an_error() -> None:
    with drawing("a line") as (figure, axes):
        axes.plot([1, 2], color="#123456")
    with pytest.raises(ValueError, match="#123456, which is not in the palette"):
        to_svg(figure, title="Title", description="Description")


def test_text_stays_text() -> None:
    texts = [element.text for element in ET.fromstring(draw()).iter(f"{SVG}text")]
    assert "some text" in texts


def test_it_says_what_it_is_to_those_who_do_not_see_it() -> None:
    with drawing("a line") as (figure, _):
        pass
    root = ET.fromstring(to_svg(figure, title="A <b> & c", description="x < #123456"))
    assert root.get("role") == "img"
    named = (root.get("aria-labelledby") or "").split()
    texts = {element.get("id"): element.text for element in root}
    assert [texts[name] for name in named] == ["A <b> & c", "x < #123456"]
    assert root.get("width") is None
    assert root.get("viewBox")


def test_ids_of_two_figures_differ_and_lead_somewhere() -> None:
    first, second = draw("series-1"), draw("series-2")
    assert ids_of(first)
    assert not ids_of(first) & ids_of(second)
    for svg in (first, second):
        used = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg)
        assert used
        assert {one or other for one, other in used} <= ids_of(svg)


def test_nothing_in_it_reaches_beyond_itself() -> None:
    svg = draw()
    assert "<style" not in svg
    assert "metadata" not in svg
    assert not re.findall(r'href="(?!#)', svg)


def test_curves_show_what_the_histories_say() -> None:
    loss, accuracy, rate = learning_curves({"one": history(0.5, 0.25), "two": history(0.4)})
    lines = loss.axes[0].get_lines()
    assert [np.asarray(line.get_ydata()).tolist() for line in lines] == [
        [1.0, 0.5],
        [0.5, 0.25],
        [0.8],
        [0.4],
    ]
    assert [line.get_linestyle() for line in lines] == ["--", "-", "--", "-"]
    assert [np.asarray(line.get_ydata()).tolist() for line in accuracy.axes[0].get_lines()] == [
        [0.95, 0.975],
        [0.96],
    ]
    assert [np.asarray(line.get_xdata()).tolist() for line in rate.axes[0].get_lines()] == [
        [1, 2],
        [1],
    ]
    assert [figure.get_label() for figure in (loss, accuracy, rate)] == [
        "Loss",
        "Accuracy",
        "Learning rate",
    ]


def test_runs_are_told_apart_by_colour_and_marker() -> None:
    runs = {str(number): history(0.5, 0.25) for number in range(8)}
    lines = learning_curves(runs)[1].axes[0].get_lines()
    assert len({line.get_color() for line in lines}) == 8
    assert [line.get_marker() for line in lines] == [marker for marker, _ in MARKERS]
