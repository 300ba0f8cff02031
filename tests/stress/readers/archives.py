"""Zip files: the competition's, a user's own, and what Kaggle sends."""

import contextlib
import struct
import zipfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from random import Random

from pipeline.digits.sources import SAMPLE_SUBMISSION, TEST, TRAIN, local
from pipeline.system import archive
from tests.stress.mutations import NUMBERS, change_bytes, change_member, pack

WANTED = (TRAIN, TEST)
NAMES = (
    *(TRAIN, TEST, SAMPLE_SUBMISSION, "mnist_train.csv", "mnist_test.csv", "a/train.csv"),
    *("a/b/train.csv", "../train.csv", "/train.csv", "C:\\train.csv", "..\\test.csv", "train.csv/"),
    *("a//test.csv", "./test.csv", "é/test.csv", "\x1b[31mtest.csv", "a\nb.csv", "x" * 300),
    *("TRAIN.CSV", "train.csv ", "a\\test.csv", ".", "con", "__MACOSX/._train.csv"),
)


class CompetitionZip:
    """The competition's zip, taken apart."""

    name = "zip, extracted"
    most_megabytes = 60

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "in" / "input.zip"
        self.path.parent.mkdir()
        self.into = folder / "into"
        self.into.mkdir()

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        contents = [(TRAIN, b"label\n1\n" * 9), (TEST, b"x\n" * 9), (SAMPLE_SUBMISSION, b"I,L\n")]
        inside = [(f"digit-recognizer/{name}", content) for name, content in contents]
        large = [(TRAIN, b"0" * (1 << 16)), (TEST, b"")]
        return [
            pack(contents),
            pack(contents, zipfile.ZIP_DEFLATED),
            pack(inside, zipfile.ZIP_DEFLATED),
            pack(large, zipfile.ZIP_BZIP2),
            pack(contents, zipfile.ZIP_LZMA),
        ]

    def mutate(self, data: bytes, rng: Random) -> bytes:
        if rng.randrange(2):
            return _change_header(data, rng)
        return change_member(data, rng, lambda _, content, r: change_bytes(content, r), NAMES)

    def read(self, data: bytes) -> dict[str, bytes]:
        self.path.write_bytes(data)
        try:
            found = archive.extract_members(
                self.path, WANTED, self.into, optional=[SAMPLE_SUBMISSION]
            )
            return {path.name: path.read_bytes() for path in found}
        finally:
            for file in self.into.iterdir():
                file.unlink()

    def check(self, data: bytes, found: dict[str, bytes]) -> None:
        assert set(WANTED) <= set(found) <= {*WANTED, SAMPLE_SUBMISSION}, "other files"
        with zipfile.ZipFile(self.path) as packed:
            for name, content in found.items():
                same = [item for item in packed.infolist() if Path(item.filename).name == name]
                assert content in [_content(packed, item) for item in same], "another content"
        assert not (self.path.parent / TRAIN).exists(), "written elsewhere"


def _content(packed: zipfile.ZipFile, item: zipfile.ZipInfo) -> bytes | None:
    """What a member holds; None of one that cannot be read, which nobody wanted."""
    with contextlib.suppress(Exception):
        return packed.read(item)
    return None


class OwnZip(CompetitionZip):
    """A zip that a user names as the source."""

    name = "zip, as a source"

    def read(self, data: bytes) -> dict[str, bytes]:
        self.path.write_bytes(data)
        try:
            local.fetch(self.path, self.into)
            return {path.name: path.read_bytes() for path in self.into.iterdir() if path.is_file()}
        finally:
            for file in self.into.iterdir():
                file.unlink()


class KaggleZip(CompetitionZip):
    """A download: every byte of it must be readable."""

    name = "zip, downloaded"

    def read(self, data: bytes) -> dict[str, bytes]:
        self.path.write_bytes(data)
        archive.check_whole(self.path)
        return {}

    def check(self, data: bytes, found: dict[str, bytes]) -> None:
        with zipfile.ZipFile(self.path) as packed:
            files = [item for item in packed.infolist() if not item.filename.endswith("/")]
            assert all(_content(packed, item) is not None for item in files), "a damaged member"


def _change_header(data: bytes, rng: Random) -> bytes:
    """Change a field of a member's headers, in the list at the end or before the member itself."""
    mark = rng.choice((b"PK\x01\x02", b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"))
    places = [at for at in range(len(data) - 46) if data[at : at + 4] == mark]
    if not places:
        return change_bytes(data, rng)
    at = rng.choice(places) + 4 + rng.randrange(42)
    number = rng.choice(NUMBERS)
    form, most = rng.choice((("<B", 1 << 8), ("<H", 1 << 16), ("<I", 1 << 32)))
    new = struct.pack(form, number % most)
    return data[:at] + new + data[at + len(new) :]
