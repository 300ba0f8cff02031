"""A look into a network: what its first layer looks for, and what distorting does to its digits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.nn import Augmentation
from pipeline.pages.pictures import diverging
from pipeline.training.prediction import Model

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
class FirstLayer:
    """The weights of the first layer that has any, one picture for each filter or unit.

    pictures: (F, H, W) float32, in the order of the layer.  units: their numbers in it, from 0.
    total: how many the layer has; F may be fewer.
    """

    kind: Literal["conv2d", "dense"]
    pictures: NDArray[np.float32]
    units: tuple[int, ...]
    total: int

    @property
    def coloured(self) -> list[tuple[int, NDArray[np.uint8]]]:
        """Each unit with its weights in colours, (H, W, 4), all on one scale."""
        # A few weights are far larger than the others, which would all be pale beside them.
        largest = float(np.quantile(np.abs(self.pictures), STRONG)) or 1.0
        return [
            (unit, diverging(picture, largest=largest))
            for unit, picture in zip(self.units, self.pictures, strict=True)
        ]


@dataclass(frozen=True)
class Distorted:
    """What augmentation does to one digit.  image: (28, 28) uint8.  copies: (C, 28, 28)."""

    label: int
    image: NDArray[np.uint8]
    copies: NDArray[np.uint8]


@dataclass(frozen=True)
class FirstNetwork:
    """The network of a run, or an ensemble's first one, looked into.

    augmentation: the settings of its recipe, None if it has none; distorted: () without it.
    layer: None if its first layer can't be shown as pictures.
    """

    name: str
    augmentation: Mapping[str, Any] | None
    distorted: Sequence[Distorted]
    layer: FirstLayer | None

    @property
    def distortions(self) -> str:
        """How far digits are distorted, in words."""
        settings = self.augmentation or {}
        given = [
            words.format(settings[name]) for name, words in WORDS.items() if settings.get(name)
        ]
        return ", ".join(given)


def first_layer(model: Model, *, most: int) -> FirstLayer | None:
    """Return the first layer's weights; of more than ``most``, those with the largest ones.

    None if that layer is neither a convolution of the image itself nor a dense layer on it.
    """
    shape = model.network.input_shape
    for values, layer in zip(model.network.config, model.network.layers, strict=True):
        kind = values["kind"]
        if kind in ("conv2d", "dense"):
            weight = layer.values["weight"]
            if kind == "conv2d":
                if weight.shape[2] != 1:
                    return None
                pictures = weight[:, :, 0, :].transpose(2, 0, 1)
            else:
                pictures = weight.T.reshape(-1, *shape[:2])
            return _largest(kind, np.asarray(pictures, np.float32), most)
        if kind != "flatten":
            shape = layer.output_shape
        if len(shape) != 3 or shape[2] != 1:
            return None
    return None


def distort(
    images: NDArray[np.uint8],
    settings: Mapping[str, Any],
    *,
    copies: int,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Return distorted images (N, copies, H, W) uint8 of images (N, H, W) uint8.

    settings: those of a recipe's section ``augmentation``; training distorts in the same way.
    """
    repeated = np.repeat(images, copies, axis=0).astype(np.float32)[..., np.newaxis]
    distorted = Augmentation(**settings).distort(repeated, rng=rng)[..., 0]
    pixels = np.clip(np.round(distorted), 0, 255).astype(np.uint8)
    return pixels.reshape(len(images), copies, *images.shape[1:])


def _largest(
    kind: Literal["conv2d", "dense"], pictures: NDArray[np.float32], most: int
) -> FirstLayer:
    sizes = np.square(pictures).sum(axis=(1, 2))
    kept = np.sort(np.argsort(-sizes, kind="stable")[:most])
    return FirstLayer(kind, pictures[kept], tuple(kept.tolist()), len(pictures))
