"""The stand-in speaks as the package expects: the real command, unmodified, works against it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.kaggle_api import KEY, TOKEN, USERNAME
from tests.kaggle_server import KaggleServer


@pytest.fixture
def small_zip(tmp_path: Path) -> Path:
    path = tmp_path / "small.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("train.csv", "label,pixel0\n" * 1000)
    return path


def kaggle_command(server: KaggleServer, home: Path, *words: str, **variables: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), **server.environment, **variables}
    done = subprocess.run(
        [sys.executable, "-m", "kaggle", *words],
        capture_output=True,
        check=False,
        cwd=home,
        env=environment,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "credentials",
    [{"KAGGLE_API_TOKEN": TOKEN}, {"KAGGLE_USERNAME": USERNAME, "KAGGLE_KEY": KEY}],
    ids=["token", "key"],
)
def test_the_package_s_own_command_works_against_it(
    kaggle_server: KaggleServer, home: Path, small_zip: Path, credentials: dict[str, str]
) -> None:
    kaggle_server.kaggle.competition_zip = small_zip
    words = ("competitions", "download", "digit-recognizer")
    kaggle_command(kaggle_server, home, *words, **credentials)
    assert (home / "digit-recognizer.zip").read_bytes() == small_zip.read_bytes()
    storage = [seen for seen in kaggle_server.kaggle.seen if seen.method == "GET"]
    assert [seen.authorization for seen in storage] == [None]


def test_the_package_s_own_submission_arrives_and_is_listed(
    kaggle_server: KaggleServer, home: Path
) -> None:
    (home / "mine.csv").write_text("ImageId,Label\n1,2\n")
    submit = ("competitions", "submit", "digit-recognizer", "-f", "mine.csv", "-m", "hello")
    told = kaggle_command(kaggle_server, home, *submit, KAGGLE_API_TOKEN=TOKEN)
    assert "Successfully submitted to Digit Recognizer" in told
    assert list(kaggle_server.kaggle.uploads.values()) == [b"ImageId,Label\n1,2\n"]
    submissions = ("competitions", "submissions", "digit-recognizer", "--csv")
    listed = kaggle_command(kaggle_server, home, *submissions, KAGGLE_API_TOKEN=TOKEN)
    assert "1001,submission.csv" in listed
    assert "hello" in listed
