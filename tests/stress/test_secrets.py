"""The short form: one failure and one crash, and the search itself."""

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.kaggle_api import KEY, TOKEN, USERNAME, Status, zip_bytes
from tests.kaggle_server import KaggleServer
from tests.stress.kaggle_case import RUN, prepare
from tests.stress.secrets import CRASHING, PLANTED, Place, contents, found_in


@pytest.mark.parametrize("name", PLANTED)
def test_a_secret_is_found_however_it_is_spelled(name: str) -> None:
    secret = PLANTED[name]
    for spelled in (
        secret,
        json.dumps({"a": secret}),
        f"http://x:{quote(secret, safe='')}@host",
        f"Basic {base64.b64encode(f'someone:{secret}'.encode()).decode()}",
        base64.b64encode(f"y{secret}".encode()).decode(),
    ):
        assert name in found_in(f"before {spelled} after".encode()), spelled
    assert found_in(b"nothing of that kind") == []


def test_a_key_is_found_as_the_header_has_it() -> None:
    assert found_in(base64.b64encode(f"{USERNAME}:{KEY}".encode())) == ["key"]


def test_failures_and_crashes_leave_no_secret(tmp_path: Path) -> None:
    for name in ("home", "temporary"):
        (tmp_path / "place" / name).mkdir(parents=True)
    small = tmp_path / "small.zip"
    small.write_bytes(zip_bytes())
    prepare(tmp_path / "place", small)
    with KaggleServer() as server:
        place = Place(tmp_path / "place", server)
        server.kaggle.fail("CreateSubmission", Status(418, "x" * 280 + f"Bearer {TOKEN}"))
        submit = ("submit", "--run", RUN, "--timeout", "2")
        place.run(*submit, codes=(1,))
        place.run(*submit, before=CRASHING.replace("STAGE", "submit"), codes=(1,))
    assert place.faults == []
    assert any("418" in line for line in place.said)
    assert any("RuntimeError: forced" in line for line in place.said)
    assert found_in("\n".join(place.said).encode()) == []
    assert [where for where, content in contents(place.folder, []) if found_in(content)] == []
