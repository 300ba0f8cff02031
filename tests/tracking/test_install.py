"""make installs the client of the service that is asked for, and no other."""

import re
from pathlib import Path

import pytest

from tests.make_case import Checkout, copy_code


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return copy_code(tmp_path_factory.mktemp("make") / "checkout")


@pytest.mark.parametrize("service", ["mlflow", "wandb"])
def test_a_service_brings_its_package(checkout: Checkout, service: str) -> None:
    output = checkout.make("-n", "train", f"TRACK={service}", "VENV=.venv").output
    assert re.search(rf'installation "\$DIGITS_VENV" {service} *\n.* -m pipeline train\n', output)
    at_hand = checkout.make("-n", "install", f"TRACK={service}", "VENV=").output
    assert re.search(rf'installation "\$DIGITS_VENV" {service} *\n', at_hand)


@pytest.mark.parametrize("service", ["", "comet"])
def test_without_one_there_is_no_other_package(checkout: Checkout, service: str) -> None:
    output = checkout.make("-n", "train", f"TRACK={service}", "VENV=.venv").output
    at_hand = checkout.make("-n", "install", f"TRACK={service}", "VENV=").output
    for said in (output, at_hand):
        assert len(re.findall(r'installation "\$DIGITS_VENV" *\n', said)) == 1


def test_the_variable_reaches_the_command(checkout: Checkout, tmp_path: Path) -> None:
    outcome = checkout.make("train", "TRACK=comet", f"DATA={tmp_path}", "SOURCE=practice")
    assert outcome.code != 0
    assert "Error: TRACK=comet: no such tracking service" in outcome.errors
