"""Credentials in a home that is a temporary folder, and what is said of them."""

import json
from pathlib import Path

import pytest

from pipeline.kaggle.credential_files import CredentialsError
from pipeline.kaggle.credentials import find_credentials

KEY = json.dumps({"username": "ada", "key": "planted-key"})


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def refusal() -> str:
    """What is said of credentials that can't be used; without anything of them."""
    with pytest.raises(CredentialsError) as caught:
        find_credentials()
    text = str(caught.value)
    assert "planted" not in text
    assert len(text.splitlines()) == 2
    return text
