"""What it costs to train as tasks of a dask cluster on this machine, beside training without it.

    python -m benchmarks.executors            four seeds of the recipe quick, on practice digits
    python -m benchmarks.executors --write    and put the table into docs/several-machines.md

Each round does the same command with both executors, one after the other and in alternating
order, from an empty folder of runs to the last validation; start and end of the cluster count.
The table gives the median of the rounds' ratios and their range. All models must be the same bytes.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from docs.sections import write_section
from pipeline.plan.plan import make_plan
from pipeline.stages.download import download
from pipeline.stages.preprocess import preprocess
from pipeline.system import files
from pipeline.system.cores import available_cores

DOCUMENT = Path("docs/several-machines.md")
NAMES = ("local", "dask")


def train(folder: Path, executor: str, recipe: str, seeds: int) -> tuple[float, list[str]]:
    """Run the command; return its seconds, and the checksums of the models."""
    shutil.rmtree(folder / "data" / "runs", ignore_errors=True)
    command = [sys.executable, "-m", "pipeline", "seeds", "--seeds", str(seeds)]
    command += ["--source", "practice", "--recipe", recipe, "--executor", executor]
    command += ["--data", str(folder / "data"), "--submissions", str(folder / "submissions")]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    models = sorted(folder.glob("data/runs/*/model.npz"))
    return seconds, [files.sha256(model) for model in models]


def measure(recipe: str, seeds: int, rounds: int) -> list[dict[str, float]]:
    """Return the seconds of each executor, for each round."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = make_plan(
            source="practice",
            data=folder / "data",
            submissions=folder / "submissions",
            environment={},
        )
        download(plan)
        preprocess(plan)
        for number in range(rounds):
            done = {
                executor: train(folder, executor, recipe, seeds)
                for executor in (NAMES if number % 2 == 0 else NAMES[::-1])
            }
            if done["local"][1] != done["dask"][1]:
                sys.exit("The executors made different models.")
            found.append({executor: done[executor][0] for executor in NAMES})
            print(f"round {number + 1}: {found[-1]}", file=sys.stderr, flush=True)
    return found


def table(found: list[dict[str, float]], recipe: str, seeds: int) -> str:
    """Return the Markdown of what was measured."""
    ratios = [times["dask"] / times["local"] for times in found]
    local, dask = (median(times[executor] for times in found) for executor in NAMES)
    cores = available_cores()
    return "\n".join(
        [
            f"`make seeds SEEDS={seeds}` with the recipe `{recipe}` on practice digits, "
            f"{cores} {'core' if cores == 1 else 'cores'}, {len(found)} rounds:",
            "",
            "| executor | seconds | beside local (range of the rounds) |",
            "| --- | --- | --- |",
            f"| `local` | {local:.1f} | 1 |",
            f"| `dask`, a cluster of its own | {dask:.1f} | "
            f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) |",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help=f"into {DOCUMENT}")
    arguments = parser.parse_args()
    found = measure(arguments.recipe, arguments.seeds, arguments.rounds)
    text = table(found, arguments.recipe, arguments.seeds)
    print(text)
    if arguments.write:
        write_section(DOCUMENT, "executors", text)


if __name__ == "__main__":
    main()
