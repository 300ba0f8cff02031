"""What there is not is refused with a line that says what there is."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.nn import make_optimizer, make_schedule
from pipeline.nn.initializers import make_initializer
from tests.nn.networks import make_network


def make_layer(config: dict[str, Any]) -> None:
    make_network([config])


@pytest.mark.parametrize("config", [{"kind": "dens"}, {"scale": 1.0}], ids=str)
@pytest.mark.parametrize(
    ("make", "what", "choices"),
    [
        (make_layer, "layer", "flatten, dense, relu"),
        (make_initializer, "initializer", "constant, normal, uniform, he, glorot"),
        (make_optimizer, "optimizer", "sgd, adamw, muon"),
        (make_schedule, "schedule", "constant, step, exponential, cosine, one_cycle"),
    ],
)
def test_an_unknown_kind_is_named_with_the_choices(
    make: Callable[[dict[str, Any]], Any], what: str, choices: str, config: dict[str, Any]
) -> None:
    with pytest.raises(
        ValueError, match=f"unknown {what} {config.get('kind')!r}; there are {choices}"
    ):
        make(config)
