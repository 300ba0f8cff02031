"""Run the stress tests and write what came of them into docs/reliability.md.

    python -m tests.stress [PART ...] [--seed N]

Without a PART all of them run. Ends with exit code 1 if anything did not hold.
"""

import argparse
import os
import platform
import re
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.practice_case import REPOSITORY
from tests.stress.conditions import conditions
from tests.stress.kaggle import kaggle
from tests.stress.killed import killed
from tests.stress.reading import reading
from tests.stress.secrets import secrets
from tests.stress.table import Part
from tests.stress.together import together

DOCUMENT = REPOSITORY / "docs" / "reliability.md"
PARTS: dict[str, Part] = {
    "killed": killed,
    "kaggle": kaggle,
    "reading": reading,
    "conditions": conditions,
    "together": together,
    "secrets": secrets,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    failed = 0
    for name in arguments.parts or PARTS:
        print(f"{name}:", flush=True)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"stress-{name}-") as folder:
            table = PARTS[name](
                Path(folder), seed=arguments.seed, tell=lambda line: print(f"  {line}", flush=True)
            )
        seconds = round(time.monotonic() - began)
        made = (
            f"`python -m tests.stress {name} --seed {arguments.seed}`: {seconds} s on "
            f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
            f"NumPy {np.__version__}."
        )
        write_section(name, f"{table.markdown()}\n\n{made}")
        print(f"  {table.summary}", flush=True)
        for failure in table.failures:
            print(f"  did not hold: {failure}", flush=True)
        failed += len(table.failures)
    print(f"Written to {DOCUMENT.relative_to(REPOSITORY)}.")
    sys.exit(failed > 0)


def write_section(name: str, text: str, document: Path = DOCUMENT) -> None:
    """Put the text between the markers of the part's section."""
    begin, end = f"<!-- stress:{name} -->", f"<!-- /stress:{name} -->"
    whole = document.read_text(encoding="utf-8")
    section = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    written, count = section.subn(lambda _: f"{begin}\n{text}\n{end}", whole)
    if count != 1:
        sys.exit(f"{document} has no section {begin} ... {end}")
    document.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
