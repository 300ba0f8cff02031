"""A disk of which is known what a power cut would leave."""

import os
from pathlib import Path

import pytest


class Disk:
    """Raises AssertionError if something gets its name before it is all there.

    Everything that is renamed into its place must have been synced since it was changed last, and
    so must the names that others got before.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.named: list[Path] = []
        self._synced: set[tuple[int, int]] = set()
        self._waiting: set[int] = set()  # folders with names that are not on the disk
        sync, replace = os.fsync, Path.replace

        def fsync(descriptor: int) -> None:
            sync(descriptor)
            status = os.fstat(descriptor)
            self._synced.add((status.st_ino, status.st_mtime_ns))
            self._waiting.discard(status.st_ino)

        def rename(path: Path, target: Path) -> None:
            if target.suffix != ".old":  # what is moved aside is about to go
                self.assert_names_are_there()
                for file in (path, *path.rglob("*")) if path.is_dir() else (path,):
                    status = file.stat()
                    known = (status.st_ino, status.st_mtime_ns) in self._synced
                    assert known, f"{file} is not on the disk, but gets the name {target}"
                self._waiting.add(target.parent.stat().st_ino)
                self.named.append(target)
            replace(path, target)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(Path, "replace", rename)

    def assert_names_are_there(self) -> None:
        assert not self._waiting, f"the name {self.named[-1]} is not on the disk"

    def has(self, folder: Path) -> bool:
        """Whether a folder's names are on the disk, as they are now."""
        status = folder.stat()
        return (status.st_ino, status.st_mtime_ns) in self._synced
