"""The one exception that a user may see: what is wrong, where, and what to do about it."""

from pipeline.system.text import printable

MOST_LETTERS = 1_000


class PipelineError(Exception):
    """A failure that a user caused or can mend; the command line prints it without a traceback.

    message: what is wrong and in which file, in one line whatever it quotes.
    remedy: the command or address that mends it.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = in_one_line(message)
        self.remedy = "\n".join(in_one_line(line) for line in remedy.split("\n"))

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


def in_one_line(text: str) -> str:
    """Return a text that a terminal shows as it stands: no control characters, not too long.

    What files, archives and servers hold is quoted in messages, and might move the cursor.
    """
    text = printable(text).replace("\n", "\\n")
    if len(text) > MOST_LETTERS:
        text = f"{text[: MOST_LETTERS - 200]} ... {text[-200:]}"
    return text
