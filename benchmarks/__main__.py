"""Our network beside PyTorch and scikit-learn, on the same work, in one run.

    make bench                              everything, in an environment of its own
    python -m benchmarks --rounds 3         fewer rounds
    python -m benchmarks --only dense       the works whose names begin so

The libraries take turns of about a second, so that a machine whose speed drifts is as slow for
one as for the other; a ratio is taken within each round, and the table gives the median of the
rounds with their range. Ours and PyTorch begin with the same weights and see the same batches;
scikit-learn draws its own. The limit is what the machine itself reaches at best, in the same
rounds, on products of matrices.
"""

import argparse
import json
import platform
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.peers import Peer
from benchmarks.work import Work
from docs.sections import write_section
from pipeline.system.cores import available_cores

PAGE = Path(__file__).parents[1] / "docs" / "speed.md"
# The dense network with PyTorch's AdamW as it comes and in its fastest form; the others with the
# fastest form only, in both of PyTorch's memory layouts, compiled where there is a compiler, and in
# bfloat16 where the processor has it: elsewhere that is emulated, and several times as slow.
DENSE = ["PyTorch", "PyTorch, fused AdamW", "scikit-learn"]
TORCH = ["PyTorch NCHW", "PyTorch NHWC"]
COMPILED = [f"{name}, compiled" for name in TORCH] if shutil.which("g++") else []
CPU = Path("/proc/cpuinfo")
HAS_BFLOAT16 = CPU.exists() and "_bf16" in CPU.read_text(encoding="utf-8")
BFLOAT16 = [f"{name}, bfloat16" for name in TORCH] if HAS_BFLOAT16 else []
# Beside whom each work is done, and whether on one core as well.
PLAN: list[tuple[Work, list[str], bool]] = [
    (Work("quick", 128), [*TORCH, *COMPILED, *BFLOAT16], True),
    (Work("strong", 128), [*TORCH, *COMPILED, *BFLOAT16], True),
    (Work("dense", 128), DENSE, False),
    (Work("dense", 512), DENSE, True),
    (Work("convolutional", 64), [*TORCH, *BFLOAT16], False),
    (Work("convolutional", 256), [*TORCH, *BFLOAT16], True),
    (Work("convolutional", None), TORCH, False),
]
SECONDS_OF_A_TURN = 1.0
# What is compared is the mean loss of so many images after a warm-up of so many steps.
WARM_UP_STEPS = 5
LEARNING_IMAGES = 6_400
# Of that loss: with dropout, seeds of one library differ by a quarter. Without it, the libraries'
# losses agree step by step, which benchmarks/test_torch_values.py sees to.
DROPOUT_NOISE = 0.35


def measure(work: Work, others: list[str], *, scaling: bool, rounds: int) -> dict[str, Any]:
    """Return the speeds of all rounds, by library, and the losses on the way."""
    cores = available_cores()
    with ExitStack() as stack:
        peers = {
            "limit": stack.enter_context(Peer("limit", work, cores)),
            "ours": stack.enter_context(Peer("ours", work, cores)),
            **{name: stack.enter_context(Peer(name, work, cores)) for name in others},
        }
        if scaling and cores > 1:
            peers["ours, 1 core"] = stack.enter_context(Peer("ours", work, 1))
        first, steps, losses = {}, {}, {}
        for name, peer in peers.items():
            turn = peer.turn(WARM_UP_STEPS)
            if name != "limit" and work.batch_size:
                first[name] = turn["loss"]
                turn = peer.turn(LEARNING_IMAGES // work.batch_size)
                losses[name] = turn["loss"]
            steps[name] = max(1, round(SECONDS_OF_A_TURN * turn["speed"] / (work.batch_size or 1)))
        speeds: dict[str, list[float]] = {name: [] for name in peers}
        for number in range(rounds):
            order = list(peers)
            for name in order if number % 2 else reversed(order):
                speeds[name].append(peers[name].turn(steps[name])["speed"])
    return {
        "work": work.name,
        "operations": work.operations,
        "speeds": speeds,
        "first losses": first,
        "losses": losses,
    }


COLUMNS = ("work", "library", "images/s", "ours beside it (range of the rounds)", "mean loss")


def rows(results: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield the table's rows; a work's name stands in its first row only."""
    for result in results:
        ours = np.array(result["speeds"]["ours"])
        for number, (name, speeds) in enumerate(result["speeds"].items()):
            ratios = ours / np.array(speeds)
            speed, form = f"{median(speeds):,.0f}", "{:.2f}x"
            if name == "limit":
                ratios *= result["operations"]
                speed, form = f"{median(speeds) / 1e9:,.0f} GFLOP/s", "{:.0%}"
            low, middle, high = (
                form.format(value) for value in (ratios.min(), median(ratios), ratios.max())
            )
            loss = result["losses"].get(name)
            yield (
                "" if number else result["work"],
                "limit of the machine" if name == "limit" else name,
                speed,
                "" if name == "ours" else f"{middle} ({low} to {high})",
                "" if loss is None else f"{loss:.3f}",
            )


def show(results: list[dict[str, Any]], console: Console) -> None:
    table = Table(title="Images a second: medians of the rounds")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in COLUMNS[:2] else "right")
    for row in rows(results):
        if row[0]:
            table.add_section()
        table.add_row(*row)
    console.print(table)


def write_into_page(results: list[dict[str, Any]]) -> None:
    """Write the table into the page on speed."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows(results)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    machine = f"{available_cores()} cores, {platform.machine()}, NumPy {np.__version__}"
    write_section(PAGE, "benchmark", f"{machine}:\n\n{table}")


def check_learning(results: list[dict[str, Any]]) -> list[str]:
    """Return a line for each library that has not learnt, or not as ours has."""
    faults = []
    for result in results:
        losses = result["losses"]
        for name, loss in losses.items():
            if not loss < 0.5 * result["first losses"][name]:
                faults.append(f"{result['work']}: {name} has not learnt (loss {loss:.3f})")
            elif name.startswith("PyTorch") and abs(loss / losses["ours"] - 1.0) > DROPOUT_NOISE:
                faults.append(
                    f"{result['work']}: the loss of {name} is {loss:.3f}, ours {losses['ours']:.3f}"
                )
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="the works whose names begin with this")
    parser.add_argument("--write", action="store_true", help="write the table into docs/speed.md")
    parser.add_argument("--json", type=Path, help="write all figures to this file as well")
    arguments = parser.parse_args()
    console = Console(width=None if Console().is_terminal else 110)
    console.print(f"{available_cores()} cores, {platform.processor() or platform.machine()}")
    results = []
    for work, others, scaling in PLAN:
        if work.name.startswith(arguments.only):
            console.print(f"{work.name} ...")
            result = measure(work, others, scaling=scaling, rounds=arguments.rounds)
            results.append(result)
    show(results, console)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if arguments.write:
        write_into_page(results)
    faults = check_learning(results)
    for fault in faults:
        console.print(fault)
    if faults:
        raise SystemExit(1)
    if results:
        console.print(
            f"All have learnt; the mean losses over {LEARNING_IMAGES:,} images agree within noise."
        )


if __name__ == "__main__":
    main()
