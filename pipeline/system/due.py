"""Whether an artefact is what its record says: made from the same, and with the bytes it had then.

This alone decides what a stage does again: neither times of files nor the code's bytes do.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.system.errors import PipelineError
from pipeline.system.files import read_json, sha256
from pipeline.system.records import Record, fault

Outputs = Callable[[dict[str, Any]], Mapping[Path, str]]


def current_record(
    path: Path,
    inputs: Mapping[str, Any],
    *,
    shape: type[Record] = Record,
    outputs: Outputs | None = None,
) -> dict[str, Any] | None:
    """Return the record at ``path`` if what it stands for is current, else None.

    It is if it was made from ``inputs`` and every output has the checksum of then: one that was
    emptied, cut short or overwritten since is to be made again.
    shape: a record that has not this shape is damaged, or of another version, and not current.
    outputs: from the record, the SHA-256 of each file; by default what ``checksums`` returned
    stands in the record as "outputs", of files beside it.
    """
    try:
        record = read_json(path)
        as_json = json.loads(json.dumps(inputs))
        if record.get("inputs") != as_json or fault(record, shape):
            return None
        found = outputs(record) if outputs else _beside(path, record)
        if all(has_checksum(file, checksum) for file, checksum in found.items()):
            return record
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (PipelineError, AttributeError, KeyError, TypeError):
        pass
    return None


def checksums(*paths: Path) -> dict[str, str]:
    """Return the SHA-256 of the files that are there, by name, for the record beside them."""
    return {path.name: sha256(path) for path in paths if path.exists()}


def has_checksum(path: Path, checksum: str) -> bool:
    """Whether a file is there and has this SHA-256."""
    return path.is_file() and sha256(path) == checksum


def _beside(path: Path, record: dict[str, Any]) -> dict[Path, str]:
    return {path.with_name(name): checksum for name, checksum in record["outputs"].items()}
