"""Giving a reader inputs that it never expected, each within bounds of time and memory.

A reader must take an input or refuse it with a line. Anything else is a defect: another exception,
a warning, a wait, memory beyond the bound, a planted file, or a wrong value taken for right.
"""

import errno
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Protocol

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from pipeline.system.errors import PipelineError

SECONDS = 5  # of processor time, so that a loaded machine changes nothing
LONGEST_LINE = 2_000
MOST_CHANGES = 4
RANDOM_BYTES = 2_000


class Reader(Protocol):
    """Something of the pipeline that reads what others wrote.

    seeds: sound inputs, made by the pipeline.  most_megabytes: what reading one may add.
    """

    name: str
    most_megabytes: int

    @property
    def seeds(self) -> Sequence[bytes]: ...

    def mutate(self, data: bytes, rng: Random) -> bytes:
        """Return the input with one change, mostly one that keeps its form."""
        ...

    def read(self, data: bytes) -> Any:
        """Call the pipeline. Raises PipelineError if it refuses the input."""
        ...

    def check(self, data: bytes, found: Any) -> None:
        """Raise AssertionError if what was read is not what another way of reading finds."""
        ...


class TooSlowError(BaseException):
    """An input took longer than the bound; no handler in the pipeline may swallow it."""


@dataclass
class Tally:
    """What came of many inputs.

    defects: the smallest input (hexadecimal) for each kind of them.
    """

    tried: int = 0
    accepted: int = 0
    refused: int = 0
    slowest_seconds: float = 0.0
    most_megabytes: float = 0.0
    defects: dict[str, str] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        """Count the other's inputs as well."""
        self.tried += other.tried
        self.accepted += other.accepted
        self.refused += other.refused
        self.slowest_seconds = max(self.slowest_seconds, other.slowest_seconds)
        self.most_megabytes = max(self.most_megabytes, other.most_megabytes)
        for kind, data in other.defects.items():
            self.note(kind, data)

    def note(self, kind: str, data: str) -> None:
        """Keep the smallest input that shows a defect."""
        known = self.defects.get(kind)
        if known is None or len(data) < len(known):
            self.defects[kind] = data

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def attempt(reader: Reader, data: bytes, tally: Tally, *, planted: Path | None = None) -> None:
    """Give the reader one input and count what came of it.

    planted: a file that nothing but code hidden in an input would make.
    """
    tally.tried += 1
    before = _peak_of_memory(begin=True)
    began = time.process_time()
    try:
        with time_limit(SECONDS), warnings.catch_warnings(), np.errstate(all="warn"):
            warnings.simplefilter("error")
            found = reader.read(data)
            seconds = time.process_time() - began
            megabytes = _peak_of_memory() - before
            reader.check(data, found)
        tally.accepted += 1
    except PipelineError as error:
        seconds = time.process_time() - began
        megabytes = _peak_of_memory() - before
        tally.refused += 1
        if fault := fault_of_line(error):
            tally.note(fault, data.hex())
    except (Exception, TooSlowError) as error:
        seconds = time.process_time() - began
        megabytes = _peak_of_memory() - before
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            tally.refused += 1  # the command line says so in a line
        else:
            tally.note(_kind_of(error), data.hex())
    tally.slowest_seconds = max(tally.slowest_seconds, seconds)
    tally.most_megabytes = max(tally.most_megabytes, megabytes)
    if megabytes > reader.most_megabytes:
        tally.note(f"more than {reader.most_megabytes} MB", data.hex())
    if planted is not None and planted.exists():
        planted.unlink()
        tally.note("ran code that the input held", data.hex())


def fault_of_line(error: PipelineError) -> str:
    """Return why an error is no clear line for a terminal; "" if it is one."""
    if not error.message.strip():
        return "refused without a word"
    if not all(letter.isprintable() or letter.isspace() for letter in error.message) or (
        len(error.message.splitlines()) > 1
    ):
        return f"refused in several lines, or with control characters: {error.message[:60]!r}"
    if len(error.message) > LONGEST_LINE:
        return f"refused in {len(error.message):,} letters: {error.message[:60]!r}"
    return ""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TooSlowError in the block after so much of processor time."""

    def stop(_signal: int, _frame: object) -> None:
        raise TooSlowError(f"took more than {seconds} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def limit_memory(megabytes: int) -> None:
    """Let no allocation of this process succeed that goes beyond what it has by so much."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    bound = pages * resource.getpagesize() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (bound, resource.RLIM_INFINITY))


def inputs(reader: Reader) -> st.SearchStrategy[bytes]:
    """Return Hypothesis's strategy: sound inputs with a few changes, and now and then any bytes."""

    @st.composite
    def changed(draw: Callable[[Any], Any]) -> bytes:
        data = draw(st.sampled_from(list(reader.seeds)))
        changes = draw(st.integers(0, MOST_CHANGES))
        rng = draw(st.randoms(use_true_random=False, note_method_calls=False))
        for _ in range(changes):
            data = reader.mutate(data, rng)
        return bytes(data)

    # Anything at all is refused at once, mostly; so it is tried less.
    return st.one_of(*[changed()] * 15, st.binary(max_size=RANDOM_BYTES))


def each_input(
    reader: Reader, count: int, number: int, look: Callable[[bytes], None], *, shrink: bool = False
) -> None:
    """Call ``look`` with ``count`` inputs, the same ones for the same number.

    shrink: look for the simplest input for which ``look`` raises, before its exception goes on.
    """

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(inputs(reader))
    def run(data: bytes) -> None:
        look(data)

    run()


def _kind_of(error: BaseException) -> str:
    """The exception with the innermost line of the pipeline that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/pipeline/" in frame.filename]
    where = ""
    if own and not isinstance(error, AssertionError | TooSlowError):
        name = own[-1].filename.rpartition("/pipeline/")[2]
        where = f" in pipeline/{name}, {own[-1].name}"
    text = str(error).partition("\n")[0]
    if isinstance(error, AssertionError):
        return f"accepted wrong: {text[:80]}"
    return f"{type(error).__name__}{where}"


_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def _peak_of_memory(*, begin: bool = False) -> float:
    """The most megabytes of memory that this process held since the last ``begin``.

    begin: forget what was before.  Where the system tells no peak, it is 0.
    """
    try:
        if begin:
            _CLEAR.write_bytes(b"5")
        line = next(row for row in _STATUS.read_bytes().split(b"\n") if row.startswith(b"VmHWM"))
        return int(line.split()[1]) / 1024
    except (OSError, StopIteration):
        return 0.0
