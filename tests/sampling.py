"""Tables of cases that are much alike: the suite tries some of them, ``make stress`` all."""

from collections.abc import Container, Sequence
from typing import Any

import pytest


def sampled(rows: Sequence[Any], kept: Container[int]) -> list[Any]:
    """Return rows for ``parametrize``; those at other places than ``kept`` wait for make stress.

    A row that is a tuple has a value for each argument.
    """
    return [
        row
        if place in kept
        else pytest.param(*(row if isinstance(row, tuple) else (row,)), marks=pytest.mark.stress)
        for place, row in enumerate(rows)
    ]
