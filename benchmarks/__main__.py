"""Our network beside PyTorch and scikit-learn, on the same work, in one run.

    make bench                              everything, in an environment of its own
    python -m benchmarks --rounds 3         fewer rounds
    python -m benchmarks --only dense       the works whose names begin so

The libraries take turns of about a second, so that a machine whose speed drifts is as slow for
one as for the other; a ratio is taken within each round, and the table gives the median of the
rounds with their range. All begin with the same weights and see the same batches. The limit is
what the machine itself reaches at best, in the same rounds, on products of matrices.
"""

import argparse
import json
import platform
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.peers import Peer
from benchmarks.work import Work
from pipeline.threads import available_cores

# The dense network with PyTorch's AdamW as it comes and in its fastest form; the convolutional one
# with the fastest form only, in both of PyTorch's memory layouts.
DENSE = ["PyTorch", "PyTorch, fused AdamW", "scikit-learn"]
TORCH = ["PyTorch NCHW", "PyTorch NHWC"]
BFLOAT16 = ["PyTorch NCHW, bfloat16", "PyTorch NHWC, bfloat16"]
# Beside whom each work is done, and whether on one core as well.
PLAN: list[tuple[Work, list[str], bool]] = [
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


def show(results: list[dict[str, Any]], console: Console) -> None:
    table = Table(title="Images a second, and how ours compare (median, range of the rounds)")
    for column in ("work", "library", "images/s", "ours are", "loss"):
        table.add_column(column, justify="left" if column in ("work", "library") else "right")
    for result in results:
        speeds = {name: median(values) for name, values in result["speeds"].items()}
        ours = np.array(result["speeds"]["ours"])
        for name, speed in speeds.items():
            ratios = ours / np.array(result["speeds"][name])
            shown = f"{speed:,.0f}"
            if name == "limit":
                ratios *= result["operations"]
                shown = f"{speed / 1e9:,.0f} GFLOP/s"
            loss = result["losses"].get(name)
            table.add_row(
                result["work"] if name == "limit" else "",
                name,
                shown,
                "" if name == "ours" else _spread(ratios.tolist(), percent=name == "limit"),
                "" if loss is None else f"{loss:.3f}",
            )
        table.add_section()
    console.print(table)


def _spread(values: list[float], *, percent: bool) -> str:
    form = "{:.0%}" if percent else "{:.2f}x"
    return (
        f"{form.format(median(values))} ({form.format(min(values))} to {form.format(max(values))})"
    )


def check_learning(results: list[dict[str, Any]]) -> list[str]:
    """Return a line for each library that has not learnt, or not as ours has."""
    faults = []
    for result in results:
        losses = result["losses"]
        for name, loss in losses.items():
            if not loss < 0.5 * result["first losses"][name]:
                faults.append(f"{result['work']}: {name} has not learnt (loss {loss:.3f})")
            elif name.startswith("PyTorch") and abs(loss / losses["ours"] - 1.0) > 0.1:
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
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="the works whose names begin with this")
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
    faults = check_learning(results)
    for fault in faults:
        console.print(fault)
    if faults:
        raise SystemExit(1)
    if results:
        console.print(
            f"All have learnt: over {LEARNING_IMAGES:,} images, ours and PyTorch's mean losses agree."
        )


if __name__ == "__main__":
    main()
