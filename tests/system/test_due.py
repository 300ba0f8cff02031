"""A record is current with its inputs and with the very bytes of its outputs."""

from pathlib import Path

import pytest

from pipeline.system import due
from pipeline.system.files import sha256, write_json
from pipeline.system.records import Record

INPUTS = {"sha": "abc", "shape": (28, 28)}


class Shape(Record):
    """With a key of its own."""

    value: int


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A record with one output beside it."""
    output = tmp_path / "model.npz"
    output.write_bytes(bytes(range(200)))
    path = tmp_path / "record.json"
    write_json(path, {"inputs": INPUTS, "outputs": due.checksums(output), "value": 1})
    return path


def test_it_is_current_and_returned(record: Path) -> None:
    found = due.current_record(record, INPUTS)
    assert found is not None
    assert found["value"] == 1
    assert due.current_record(record, INPUTS, shape=Shape) == found


@pytest.mark.parametrize("inputs", [{**INPUTS, "sha": "abd"}, {**INPUTS, "seed": 1}, {}])
def test_other_inputs(record: Path, inputs: dict[str, object]) -> None:
    assert due.current_record(record, inputs) is None


@pytest.mark.parametrize(
    "content", [b"", bytes(range(100)), bytes(200), bytes(range(199)) + b"\0", None]
)
def test_an_output_that_was_changed_behind_its_back(record: Path, content: bytes | None) -> None:
    output = record.with_name("model.npz")
    if content is None:
        output.unlink()
    else:
        output.write_bytes(content)
    assert due.current_record(record, INPUTS) is None


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"inputs": {}}', '{"inputs": {}, "outputs": 3}', "\0" * 300],
)
def test_a_damaged_record(record: Path, content: str) -> None:
    record.write_text(content)
    assert due.current_record(record, {}) is None


def test_a_record_that_is_not_there(tmp_path: Path) -> None:
    assert due.current_record(tmp_path / "record.json", {}) is None


def test_a_record_of_another_shape(record: Path) -> None:
    write_json(record, {"inputs": INPUTS, "outputs": {}, "value": "one"})
    assert due.current_record(record, INPUTS, shape=Shape) is None


def test_outputs_named_otherwise(record: Path) -> None:
    output = record.with_name("model.npz")
    right = {output: sha256(output)}
    assert due.current_record(record, INPUTS, outputs=lambda _: right)
    assert due.current_record(record, INPUTS, outputs=lambda _: {output: "0" * 64}) is None
