"""The pipeline as a process on a machine that is made hostile first: limits, faults, clocks.

    python -m tests.stress.child CONDITION ARGUMENT ...   one command
    python -m tests.stress.child --serve                  many, each a fork of this warm process

A condition is a JSON object; ``apply`` lists its keys. Forks begin with everything imported, so
that a command can fail at each of its writes in turn without minutes of importing.
"""

import datetime
import errno
import importlib
import json
import locale
import os
import resource
import runpy
import signal
import sys
import time
from pathlib import Path
from typing import Any, Self

# What the commands import on their way; a fork has them already.
WARM = (
    "pipeline.cli",
    "pipeline.cli.show.runs",
    "matplotlib.figure",
    "sklearn.metrics",
    "pipeline.analysis.report",
    "pipeline.analysis.look",
    "pipeline.analysis.trace",
    "pipeline.tracking.session",
)
STAGES = ("download", "preprocess", "train", "validate", "submission", "summary")
# Of Python's audit events, those that change something on a disk, and where they say which file.
CHANGES = {"os.mkdir": 0, "os.rename": 1, "os.chmod": 0, "os.utime": 0, "os.truncate": 0}
REMOVALS = {"os.remove": 0, "os.rmdir": 0}


def apply(condition: dict[str, Any]) -> None:
    """Make this process's machine hostile.

    limits: of the process, by their names: {"NOFILE": 20}.
    fail: from the change of number ``at`` below the folder ``under`` on, all fail with ``errno``;
        ``once``: this one alone.  ``seen``: a file that gets the number of changes, at the end.
    clock: seconds by which the time of day is shifted.
    comma: numbers are written with a comma in this locale.
    """
    for name, most in condition.get("limits", {}).items():
        kind = getattr(resource, f"RLIMIT_{name}")
        resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))
    if "fail" in condition:
        _fail(**condition["fail"])
    if "clock" in condition:
        _shift_clock(condition["clock"])
    if condition.get("comma"):
        conventions = {**locale.localeconv(), "decimal_point": ",", "thousands_sep": "."}
        locale.localeconv = lambda: conventions  # type: ignore[assignment,return-value]


def _fail(
    at: int, errno_name: str, under: str, *, once: bool = False, seen: str | None = None
) -> None:
    number, count, owner = getattr(errno, errno_name), 0, os.getpid()
    places = CHANGES if errno_name in ("ENOSPC", "EDQUOT") else CHANGES | REMOVALS

    def change(path: Any) -> None:
        nonlocal count
        if isinstance(path, int) or os.getpid() != owner:
            return
        if not os.path.abspath(os.fsdecode(path)).startswith(under):  # noqa: PTH100
            return
        count += 1
        if count == at or (count > at and not once):
            raise OSError(number, os.strerror(number), os.fsdecode(path))

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in places:
            change(arguments[places[event]])
        elif event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            change(arguments[0])

    sync = os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal count
        if os.getpid() == owner:
            count += 1
            if count == at or (count > at and not once):
                raise OSError(number, os.strerror(number))  # as the system does, without a name
        sync(descriptor)

    sys.addaudithook(audit)
    os.fsync = fsync  # type: ignore[assignment]
    if seen is not None:
        import atexit

        path = Path(seen)
        atexit.register(lambda: path.write_text(str(count), encoding="utf-8"))


def _shift_clock(seconds: float) -> None:
    # What is compiled against Python's own class of times must have seen it before.
    importlib.import_module("pandas")
    true_time = time.time

    class Shifted(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Self:
            return cls.fromtimestamp(true_time() + seconds, tz)

    time.time = lambda: true_time() + seconds
    datetime.datetime = Shifted  # type: ignore[misc]


def run(condition: dict[str, Any], arguments: list[str]) -> None:
    """Run ``python -m pipeline`` in this process, to whatever end it comes to."""
    apply(condition)
    sys.argv = ["digits", *arguments]
    runpy.run_module("pipeline", run_name="__main__", alter_sys=True)


def serve() -> None:
    """Fork for each line of JSON on standard input; answer with its number, then with its end.

    Keys: condition, arguments, cwd, environment (added to ours), out and err (files).
    """
    for name in (
        *WARM,
        *(f"pipeline.stages.{stage}" for stage in STAGES),
        "pipeline.analysis.report",
    ):
        importlib.import_module(name)
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if not child:
            _become(job)
            _let_interrupts_wait()
            run(job["condition"], job["arguments"])
            return
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _let_interrupts_wait() -> None:
    """Hold requests to end back until the command line is reached: a fork is there at once."""
    from pipeline.cli import main

    held = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, held)
    make_context = main.make_context

    def begin(*arguments: Any, **extra: Any) -> Any:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held)
        return make_context(*arguments, **extra)

    main.make_context = begin  # type: ignore[method-assign]


def _become(job: dict[str, Any]) -> None:
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(job["cwd"])
    os.environ.update(job["environment"])
    for descriptor, name in ((0, os.devnull), (1, job["out"]), (2, job["err"])):
        flags = os.O_RDONLY if not descriptor else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(name, flags, 0o666), descriptor)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve()
    else:
        run(json.loads(sys.argv[1]), sys.argv[2:])
