"""Templates to pages: one HTML file that needs nothing beside it."""

from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from pipeline.pages.palette import custom_properties
from pipeline.pages.pictures import side_by_side, to_data_uri
from pipeline.recipes.toml_text import toml_text
from pipeline.runs.metrics import Accuracy


def render(template: str, **values: Any) -> str:
    """Return the page of a template, filled with values; what they say is text, never markup.

    template: the name of a file in ``templates``.  Only what is ``Markup`` already, such as a
    figure's SVG, goes in as it is.
    Raises jinja2.UndefinedError if the template asks for a value that is not given.
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline.pages"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "interval": interval,
        "percent": percent,
        "picture": to_data_uri,
        "side_by_side": side_by_side,
        "toml": toml_text,
    }
    style = resources.files("pipeline.pages").joinpath("templates/style.css")
    environment.globals["style"] = Markup(custom_properties() + style.read_text("utf-8"))
    return environment


def percent(share: float) -> str:
    """Return a share from 0 to 1 as it is written on pages, "99.60 %"."""
    return f"{100 * share:.2f} %"


def interval(accuracy: Accuracy) -> str:
    """Return the 95 % interval of a share as it is written on pages."""
    return f"{100 * accuracy.low:.2f} to {100 * accuracy.high:.2f} %"
