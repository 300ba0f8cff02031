"""Addresses as they may be shown: without what somebody else could log in with."""

import re

# Up to the last "@", as a password may hold one itself, or a "/" that should have been quoted.
_LOGIN = re.compile(r"(\b[A-Za-z][\w.+-]*:/{1,2})(?:[^\s/:@]+@|[^\s/:@]*:\S*@)")


def without_password(text: str) -> str:
    """Return a text in which no address has a user's name or password.

    ``postgresql://ada:secret@host/runs`` becomes ``postgresql://host/runs``.
    """
    return _LOGIN.sub(r"\1", text)
