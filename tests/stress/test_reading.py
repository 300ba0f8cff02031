"""The short form of ``tests.stress.reading``: some inputs for each reader, simplest first."""

import re
from pathlib import Path

import pytest

import pipeline
from tests.stress.fuzzing import Tally, attempt, each_input
from tests.stress.readers import READERS
from tests.stress.reading import QUICK_READERS

INPUTS = 40


@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_its_input_or_refuses_it_with_a_line(name: str, tmp_path: Path) -> None:
    reader = READERS[name](tmp_path)
    sound = Tally()
    for data in reader.seeds:
        attempt(reader, data, sound)
    assert (sound.accepted, sound.defects) == (len(reader.seeds), {})

    def look(data: bytes) -> None:
        tally = Tally()
        attempt(reader, data, tally, planted=tmp_path / "planted")
        assert not tally.defects

    each_input(reader, INPUTS, 0, look, shrink=True)


def test_readers_have_names_of_their_own() -> None:
    assert set(QUICK_READERS) <= set(READERS)
    assert all(READERS[name].name == name for name in READERS)  # type: ignore[attr-defined]


def test_nothing_is_ever_unpickled() -> None:
    forbidden = re.compile(
        r"allow_pickle=(?!False)|\b(pickle|joblib)\.loads?\b|import (pickle|joblib|dill|shelve)\b"
    )
    # What a cluster's scheduler and workers send each other is dask's, and is run by design.
    package = Path(pipeline.__file__).parent
    sources = {*package.rglob("*.py")} - {*(package / "training" / "executors").glob("dask_*.py")}
    found = [path for path in sources if forbidden.search(path.read_text(encoding="utf-8"))]
    assert sources and not found
