"""What a message quotes never moves the cursor, adds lines, or fills the screen."""

import pytest

from pipeline.system.errors import PipelineError


@pytest.mark.parametrize(
    ("quoted", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\ud800", "\\ud800"),
        ("a\u202eb", "a\\u202eb"),
        ("ÿ é ✓ 日本\u3000語\xa0x", "ÿ é ✓ 日本\u3000語\xa0x"),
    ],
)
def test_a_message_is_one_line_of_plain_letters(quoted: str, shown: str) -> None:
    assert PipelineError(f"bad: {quoted}").message == f"bad: {shown}"


def test_a_remedy_keeps_its_lines() -> None:
    assert PipelineError("bad", remedy="first\n  second\t").remedy == "first\n  second\\t"


def test_a_long_message_keeps_its_start_and_its_end() -> None:
    message = PipelineError(f"file: {'x' * 9_000} the end").message
    assert len(message) < 1_010
    assert message.startswith("file: xxx") and message.endswith("the end")
