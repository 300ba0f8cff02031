"""Where trials are kept: what is wrong with a database is a line, and a password is never shown."""

import sqlite3
from pathlib import Path

import pytest
from optuna.study import StudyDirection
from sqlalchemy.exc import OperationalError

from pipeline.system.errors import PipelineError
from pipeline.training.search.storage import Place

SECRET = "s3cr3t/+word"
QUOTED = "s3cr3t%2F%2Bword"


def failure(place: Place) -> PipelineError:
    with pytest.raises(PipelineError) as caught:
        place.open()
    assert "\n" not in caught.value.message
    assert caught.value.remedy
    return caught.value


def test_a_file_at_any_path(tmp_path: Path) -> None:
    path = tmp_path / "a {b} 100% ?x=1 #é" / "study.sqlite3"
    first = Place(None, path).open()
    first.create_new_study([StudyDirection.MINIMIZE], "kept")
    assert [path.name for path in path.parent.glob("*.sqlite3")] == ["study.sqlite3"]
    again = Place(None, path)
    assert [study.study_name for study in again.open().get_all_studies()] == ["kept"]
    assert again.text == str(path)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite3"
    path.write_bytes(b"my holiday photos" * 1000)
    error = failure(Place(None, path))
    assert str(error) == (
        f"{path}: file is not a database\n"
        "It is damaged, or no SQLite file: remove it, and the search begins anew."
    )
    assert path.read_bytes() == b"my holiday photos" * 1000
    assert "file is not a database" in failure(Place(f"sqlite:///{path}", tmp_path)).message


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    before = path.read_bytes()
    error = failure(Place(f"sqlite:///{path}", tmp_path))
    assert "holds the tables of another program (customers)" in error.message
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    error = failure(Place(f"sqlite:///{tmp_path}/none/study.db", tmp_path))
    assert "unable to open database file" in error.message


@pytest.mark.parametrize("address", [f"user:{SECRET}@host", f"://{SECRET}", SECRET])
def test_no_address_is_not_repeated(address: str, tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        Place(address, tmp_path)
    assert SECRET not in str(caught.value)
    assert "Example: STORAGE=postgresql://" in caught.value.remedy


def test_an_unknown_kind_and_a_driver_that_is_missing(tmp_path: Path) -> None:
    error = failure(Place(f"nosuch://user:{QUOTED}@host/db", tmp_path))
    assert (
        error.message == "nosuch://user:***@host/db: Can't load plugin: sqlalchemy.dialects:nosuch"
    )
    error = failure(Place(f"mssql+pymssql://user:{QUOTED}@host/db", tmp_path))
    assert error.message == (
        "STORAGE=mssql+pymssql://user:***@host/db needs the package pymssql, which is not installed"
    )


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://user:{QUOTED}@host/db",
        f"postgresql://user@host/db?password={QUOTED}",
        f"postgresql://user@host/db?sslpassword={QUOTED}&x=1",
    ],
)
def test_a_password_is_hidden_wherever_it_stands(address: str, tmp_path: Path) -> None:
    place = Place(address, tmp_path)
    for form in (SECRET, QUOTED):
        assert form not in place.text
        assert form not in repr(place)
        message = f"connection with {form} to {address} failed\nmore {form}"
        with pytest.raises(PipelineError) as caught, place.guarded():
            raise OperationalError("SELECT 1", {}, Exception(message)) from Exception(message)
        assert form not in str(caught.value)
        assert caught.value.__cause__ is None
        assert "connection with *** to" in caught.value.message


def test_a_file_that_others_write_to_for_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.training.search.storage.LOCKED_SECONDS", 0.2)
    path = tmp_path / "study.sqlite3"
    storage = Place(None, path).open()
    storage.remove_session()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(PipelineError) as caught, Place(None, path).guarded():
        storage.create_new_study([StudyDirection.MINIMIZE], "waits")
    other.close()
    assert caught.value.remedy == "The same command goes on from here."
    assert "other processes were writing to it" in caught.value.message
