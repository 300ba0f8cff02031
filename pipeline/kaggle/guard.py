"""Guards around the kaggle package: what it does to its process, what it takes for a download."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.kaggle.errors import DamagedDownloadError
from pipeline.system import archive
from pipeline.system.errors import PipelineError


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what the package prints from the terminal, and our stdin from what it closes."""
    stdin, sys.stdin = sys.stdin, io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        sys.stdin = stdin


@contextlib.contextmanager
def empty_home() -> Iterator[None]:
    """Hide credentials for a moment, and wishes for debug output: that prints the credentials.

    The home is this very folder: it is there, holds no credentials, and leaves nothing behind when
    the process is killed. The package only looks into it.
    """
    hidden = ("KAGGLE_", "VERBOSE", "HOME", "USERPROFILE")
    kept = {name: value for name, value in os.environ.items() if name.startswith(hidden)}
    home = str(Path(__file__).parent)
    for name in kept:
        del os.environ[name]
    os.environ.update(HOME=home, USERPROFILE=home, KAGGLE_CONFIG_DIR=home)
    try:
        yield
    finally:
        for name in ("HOME", "USERPROFILE", "KAGGLE_CONFIG_DIR"):
            del os.environ[name]
        os.environ.update(kept)


def only_sound_zip(folder: Path) -> Path:
    """Return the one file in ``folder``, a zip of which every byte could be read.

    The package takes a body that was cut short, or an error page, for a finished download.
    Raises DamagedDownloadError saying what it is instead.
    """
    files = [path for path in folder.rglob("*") if path.is_file()]
    if len(files) != 1:
        raise DamagedDownloadError("left no file")
    try:
        archive.check_whole(files[0])
    except PipelineError as error:
        what = error.message.removeprefix(str(files[0])).strip()
        raise DamagedDownloadError(f"is refused{what}" if what[0] == ":" else what) from None
    return files[0]
