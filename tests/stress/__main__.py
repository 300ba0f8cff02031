"""Run the stress tests, and write what came of them into docs/reliability.md.

    python -m tests.stress [PART ...] [--seed N]

Without a PART all of them run. The page gets what each came to; build/stress gets every row.
Ends with exit code 1 if anything did not hold.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from docs.sections import write_section
from pipeline.system.files import write_text
from tests.practice_case import REPOSITORY
from tests.stress.conditions import conditions
from tests.stress.kaggle import kaggle
from tests.stress.killed import killed
from tests.stress.reading import reading
from tests.stress.secrets import secrets
from tests.stress.table import Part
from tests.stress.together import together

DOCUMENT = REPOSITORY / "docs" / "reliability.md"
ROWS = REPOSITORY / "build" / "stress"
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
        write_section(DOCUMENT, f"stress:{name}", f"{table.outcome()}\n\n{made}")
        write_text(ROWS / f"{name}.md", f"{table.markdown()}\n\n{made}\n")
        print(f"  {table.summary}", flush=True)
        for failure in table.failures:
            print(f"  did not hold: {failure}", flush=True)
        failed += len(table.failures)
    print(f"Written to {DOCUMENT.relative_to(REPOSITORY)}, and row by row to {ROWS}.")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
