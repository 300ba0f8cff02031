"""Texts of others made safe to show: no commands to the terminal, no passwords."""

import re
import unicodedata
from collections.abc import Iterator


def printable(text: str) -> str:
    """Return the text with every character escaped that no one sees, apart from line ends.

    That goes for escape sequences, carriage returns, and marks that turn the writing around;
    a file's name can still be told from others.
    """
    if text.isprintable():
        return text
    return "".join(_escaped(text))


def one_line(text: str) -> str:
    """Return the text in one line, with single blanks, and without characters that no one sees."""
    line = " ".join(text.split())
    return "".join(character for character in line if character.isprintable())


def as_message(text: str, longest: int = 1_000) -> str:
    """Return the text in one line whatever it quotes: escaped, and cut in the middle if long.

    What files, archives and servers hold is quoted in messages, and might move the cursor.
    """
    text = printable(text).replace("\n", "\\n")
    return text if len(text) <= longest else f"{text[: longest - 200]} ... {text[-200:]}"


def shortened(text: str, longest: int = 300) -> str:
    """Return the text, cut after ``longest`` characters."""
    return text if len(text) <= longest else f"{text[:longest]} ..."


def _escaped(text: str) -> Iterator[str]:
    for character in text:
        # Other blanks than the plain one count as not printable; what they do is seen.
        if character.isprintable() or character == "\n" or unicodedata.category(character) == "Zs":
            yield character
        else:
            yield character.encode("unicode_escape").decode("ascii")


# Up to the last "@", as a password may hold one itself, or a "/" that should have been quoted.
_LOGIN = re.compile(r"(\b[A-Za-z][\w.+-]*:/{1,2})(?:[^\s/:@]+@|[^\s/:@]*:\S*@)")


def without_password(text: str) -> str:
    """Return a text in which no address has a user's name or password.

    ``postgresql://ada:secret@host/runs`` becomes ``postgresql://host/runs``.
    """
    return _LOGIN.sub(r"\1", text)


def as_shown(text: str) -> str:
    """Return a text as a terminal may have it: nothing to obey, and no password of an address."""
    return printable(without_password(text))
