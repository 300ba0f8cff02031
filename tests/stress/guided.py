"""One reader in a process of its own, with inputs of which each new path through it breeds others.

    python -m tests.stress.guided READER WAY COUNT SEED FOLDER RESULT

WAY: "guided", by atheris, or "any", by Hypothesis.  RESULT: the JSON file that the tally goes to.
"""

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

MEMORY_MEGABYTES = 3_000  # beyond these, an allocation fails
LONGEST_INPUT = 1 << 20
REPORT_EVERY = 500


def main() -> None:
    name, way, count, seed, folder, result = sys.argv[1:]
    atheris: Any = importlib.import_module("atheris") if way == "guided" else None
    # The pipeline's modules are counted in, and have to be imported here for that.
    counted = atheris.instrument_imports(include=["pipeline"]) if atheris else None
    with counted or contextlib.nullcontext():
        from tests.stress.fuzzing import Tally, attempt, each_input, limit_memory
        from tests.stress.readers import READERS
    place = Path(folder)
    reader = READERS[name](place)
    seeds = [bytes(data) for data in reader.seeds]
    limit_memory(MEMORY_MEGABYTES)
    tally, planted, path = Tally(), place / "planted", Path(result)

    def look(data: bytes) -> None:
        attempt(reader, data, tally, planted=planted)
        if tally.tried % REPORT_EVERY == 0 or tally.tried == int(count):
            path.write_text(json.dumps(tally.as_json()), encoding="ascii")
        if tally.tried >= int(count):
            # libFuzzer would go on; Hypothesis may try a few more.
            os._exit(0)

    if atheris is None:
        while True:  # where few inputs are possible, Hypothesis ends early
            each_input(reader, int(count), int(seed) + tally.tried, look)
    corpus = place / "corpus"
    corpus.mkdir()
    for number, data in enumerate(seeds):
        (corpus / f"seed{number}").write_bytes(data)
    _run_atheris(atheris, reader.mutate, look, corpus, int(seed))


def _run_atheris(
    atheris: Any,
    mutate: Callable[[bytes, Random], bytes],
    look: Callable[[bytes], None],
    corpus: Path,
    seed: int,
) -> None:
    def change(data: bytes, most: int, number: int) -> bytes:
        rng = Random(number)
        if rng.randrange(8) == 0:
            return bytes(atheris.Mutate(data, min(most, max(64, 2 * len(data)))))
        for _ in range(rng.randrange(1, 4)):
            data = mutate(data, rng)
        return data[:most]

    options = {
        "seed": seed + 1,  # 0 would be one of its own choice
        "max_len": LONGEST_INPUT,
        "len_control": 0,
        "rss_limit_mb": 0,  # we look at memory ourselves
        "timeout": 120,  # and at processor time; this is for what waits
        "artifact_prefix": f"{corpus.parent}/",
        "verbosity": 0,
    }
    flags = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], look, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
