"""Zip files: the competition's, a user's own, and what Kaggle sends."""

import contextlib
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from random import Random

from pipeline.digits.sources import ANSWER_KEY, SAMPLE_SUBMISSION, TEST, TRAIN, local
from pipeline.system import archive
from tests import csv_files
from tests.stress.mutations import NUMBERS, change_bytes, change_member, pack

WANTED = (TRAIN, TEST)
NAMES = (
    *(TRAIN, TEST, SAMPLE_SUBMISSION, "mnist_train.csv", "mnist_test.csv", "a/train.csv"),
    *("a/b/train.csv", "../train.csv", "/train.csv", "C:\\train.csv", "..\\test.csv", "train.csv/"),
    *("a//test.csv", "./test.csv", "é/test.csv", "\x1b[31mtest.csv", "a\nb.csv", "x" * 300),
    *("TRAIN.CSV", "train.csv ", "a\\test.csv", ".", "con", "__MACOSX/._train.csv"),
)


NUMBERS_IN_TARS = (b"00000000000", b"77777777777", b"\x80" + bytes(10), b"\xff" * 11, b"LKxgS12")


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
            archive.extract(
                self.path, self.into, takes=(*WANTED, SAMPLE_SUBMISSION).__contains__, wanted=WANTED
            )
            return {path.name: path.read_bytes() for path in self.into.iterdir()}
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

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        lines = {TRAIN: csv_files.lines(2, labelled=True), TEST: csv_files.lines(1, labelled=False)}
        self.digits = {name: "\n".join(text).encode() for name, text in lines.items()}
        contents = list(self.digits.items())
        return [
            pack(contents, zipfile.ZIP_DEFLATED),
            pack([(f"a/b/{name}", content) for name, content in contents], zipfile.ZIP_DEFLATED),
            pack([(f"{name}.gz", gzip.compress(content, mtime=0)) for name, content in contents]),
            pack([("digit-recognizer.zip", pack(contents, zipfile.ZIP_DEFLATED))]),
        ]

    def read(self, data: bytes) -> dict[str, bytes]:
        self.path.write_bytes(data)
        try:
            local.fetch(self.path, self.into)
            return {path.name: path.read_bytes() for path in self.into.iterdir() if path.is_file()}
        finally:
            for file in self.into.iterdir():
                file.unlink()

    def check(self, data: bytes, found: dict[str, bytes]) -> None:
        known = {TRAIN, TEST, SAMPLE_SUBMISSION, ANSWER_KEY}
        assert {TRAIN, TEST} <= set(found) <= known, "other files"
        contents = list(_inside(data))
        assert found[TRAIN] in contents, "another content"
        # A labelled one is written anew without its labels.
        assert ANSWER_KEY in found or found[TEST] in contents, "another content"
        assert not (self.path.parent / TRAIN).exists(), "written elsewhere"


class OwnTar(OwnZip):
    """A tar that a user names as the source."""

    name = "tar, as a source"

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        _ = super().seeds
        tars = []
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            stream = io.BytesIO()
            with tarfile.open(fileobj=stream, mode="w", format=form) as tar:
                for name, content in self.digits.items():
                    member = tarfile.TarInfo(f"{'a' * 90}/é/{name}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
            tars.append(stream.getvalue())
        return [*tars, gzip.compress(tars[-1], mtime=0), lzma.compress(tars[0])]

    def mutate(self, data: bytes, rng: Random) -> bytes:
        if data.startswith(b"\x1f\x8b") and rng.randrange(3):
            with contextlib.suppress(OSError, EOFError, zlib.error):
                return gzip.compress(self.mutate(gzip.decompress(data), rng), mtime=0)
        # Most of a tar is content; what is told of it stands in blocks of 512 bytes.
        at = rng.randrange(1 + len(data) // 512) * 512
        return (
            data[:at] + change_bytes(data[at : at + 512], rng, NUMBERS_IN_TARS) + data[at + 512 :]
        )


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


def _inside(data: bytes) -> Iterator[bytes]:
    """What is packed in some bytes, by the standard library alone, and what is packed in that."""
    yield data
    parts: list[bytes] = []
    for decompress in (gzip.decompress, lzma.decompress):
        with contextlib.suppress(Exception):
            parts.append(decompress(data))
    with contextlib.suppress(Exception), zipfile.ZipFile(io.BytesIO(data)) as packed:
        parts += [content for item in packed.infolist() if (content := _content(packed, item))]
    with contextlib.suppress(Exception), tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        for member in tar:
            if file := tar.extractfile(member):
                parts.append(file.read())
    for part in parts:
        yield from _inside(part)


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
