"""Two pairs of commands at once: one that trains beside itself, and beside another."""

import shutil
from pathlib import Path

import pytest

from tests.make_case import Built
from tests.stress.together import BESIDE, TWICE, together

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")

CHOSEN = ("train | train", "preprocess FORCE=1 | train FORCE=1")


@pytest.mark.stress
def test_the_second_waits_and_ends_as_if_it_had_come_later(built: Built, tmp_path: Path) -> None:
    pairs = [pair for pair in TWICE + BESIDE if str(pair) in CHOSEN]
    assert len(pairs) == len(CHOSEN)
    table = together(tmp_path, seed=0, tell=lambda _: None, pairs=pairs, built=built.checkout)
    assert table.failures == []
    assert [row[2] for row in table.rows] == ["waited, and said for whom"] * 2
    assert table.rows[0][4] == "went on"
