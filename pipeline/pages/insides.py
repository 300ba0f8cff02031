"""What a network sees while it learns, and what its first layer looks for, as pictures."""

from dataclasses import dataclass

import numpy as np

from pipeline.pages.evidence import FirstNetwork
from pipeline.pages.pictures import diverging, side_by_side, to_data_uri

# How each setting of a recipe's augmentation reads.
WORDS = {
    "shift_pixels": "shifted by up to {:g} px",
    "angle_degrees": "turned by up to {:g} degrees",
    "scale": "scaled by up to {:.0%}",
    "shear": "slanted by up to {:.0%}",
    "elastic_pixels": "bent by about {:g} px",
}
STRONG = 0.98  # the share of the weights that are not drawn in the full colour


@dataclass(frozen=True)
class Strip:
    """One digit as it is, and distorted ones side by side."""

    label: int
    original: str
    distorted: str
    count: int


@dataclass(frozen=True)
class Augmented:
    """sentence: how far digits are distorted; "" if they are not."""

    sentence: str
    strips: list[Strip]


@dataclass(frozen=True)
class Filter:
    """One filter or unit of the first layer.  number: from 0."""

    number: int
    picture: str


@dataclass(frozen=True)
class Filters:
    """kind: "conv2d" or "dense".  size: of a picture, in words."""

    kind: str
    size: str
    total: int
    shown: list[Filter]


def augmented(network: FirstNetwork) -> Augmented:
    """Return what the recipe's augmentation does to one digit of each class."""
    settings = network.augmentation or {}
    parts = [words.format(settings[name]) for name, words in WORDS.items() if settings.get(name)]
    return Augmented(
        sentence=", ".join(parts),
        strips=[
            Strip(
                item.label,
                to_data_uri(item.image),
                to_data_uri(side_by_side(item.copies)),
                len(item.copies),
            )
            for item in network.distorted
        ],
    )


def filters_of(network: FirstNetwork) -> Filters | None:
    """Return the first layer's weights on one scale; None if they can't be shown."""
    layer = network.layer
    if layer is None:
        return None
    # A few weights are far larger than the others; on their scale, all others would be pale.
    largest = float(np.quantile(np.abs(layer.pictures), STRONG)) or 1.0
    _, height, width = layer.pictures.shape
    return Filters(
        layer.kind,
        f"{height} by {width}",
        layer.total,
        [
            Filter(unit, to_data_uri(diverging(picture, largest=largest)))
            for unit, picture in zip(layer.units, layer.pictures, strict=True)
        ],
    )
