"""What every test shares: no sloppy arithmetic, no credentials of the person who runs it."""

import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _strict_arithmetic():
    """Overflow, division by zero and NaN are failures; underflow to zero is what exp does."""
    with np.errstate(all="raise", under="ignore"):
        yield


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and an environment without credentials, proxies or settings of ours."""
    folder = tmp_path_factory.mktemp("home")
    for variable in list(os.environ):
        if variable.startswith(("KAGGLE_", "DIGITS_")) or variable.lower().endswith("_proxy"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("DIGITS_KAGGLE_INPUT", str(folder / "no-kaggle-input"))
    return folder
