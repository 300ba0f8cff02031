"""Changes to TOML: a line more or less, or another value where one stands."""

import re
from random import Random

from tests.stress.mutations import change_bytes


def change_toml(data: bytes, rng: Random) -> bytes:
    """Return TOML with one value, line or key changed."""
    if rng.randrange(8) == 0:
        return change_bytes(data, rng, words=(b"[", b"]", b"{", b"}", b"=", b'"', b"#", b"\n"))
    text = data.decode("utf-8", "surrogateescape")
    values = list(re.finditer(r"(?<==)\s*([^\s,\n}\]]+)", text))
    lines = text.split("\n")
    number = rng.randrange(len(lines))
    kind = rng.randrange(8)
    if kind == 0:
        del lines[number]
    elif kind == 1:
        lines.insert(rng.randrange(len(lines) + 1), lines[number])
    elif kind == 2:
        lines.insert(number, rng.choice(TOML_LINES))
    elif values:
        found = rng.choice(values)
        new = rng.choice(TOML_VALUES)
        if new == "@other@":
            new = rng.choice(values).group(1)
        text = f"{text[: found.start()]} {new}{text[found.end() :]}"
        lines = text.split("\n")
    return "\n".join(lines).encode("utf-8", "surrogateescape")


TOML_LINES = (
    "[split]",
    "[network]",
    "[[network.layers]]",
    "[ensemble]",
    "unknown = 1",
    '"a\\nb" = 1',
    '"\\u001b[31m" = 1',
    "a.b.c.d = 1",
    "refit = true",
    "folds = 3",
    "fold = 1",
    "hold_out = 0.5",
    "patience = 1",
    "least_steps = 1000000000000",
    '{ kind = "dense", units = 10 },',
    '{ kind = "flatten" },',
    '{ kind = "dropout", rate = 0.999999 },',
    "views = 9",
    "seed = 18446744073709551616",
)
TOML_VALUES = (
    "@other@",
    "@other@",
    "@other@",
    "0",
    "1",
    "2",
    "3",
    "-1",
    "28",
    "29",
    "64",
    "0.0",
    "1.0",
    "0.999999999999",
    "1e-320",
    "1e308",
    "1e999",
    "inf",
    "-inf",
    "nan",
    "1000",
    "100000",
    "1000000000000",
    "9223372036854775807",
    "9223372036854775808",
    "1" + "0" * 60,
    "9" * 5000,
    "0x" + "f" * 5000,
    "true",
    '""',
    '"a\\nb"',
    '"\\u0000"',
    '"\\u001b[2J"',
    "[]",
    "[3, 3]",
    "[1000000, 1]",
    "[[[1]]]",
    "[" * 2000 + "]" * 2000,
    "{}",
    '{ kind = "sgd" }',
    "2026-01-01",
    "07:32:00",
    "9999-12-31T23:59:59.999999-23:59",
    '"all"',
    '"dense"',
    '"conv2d"',
    '"relu"',
    '"max_pool2d"',
    '"global_avg_pool"',
    '"constant"',
    '"sgd"',
    '{ kind = "constant", value = 1e308 }',
    '{ kind = "normal", scale = 1e308 }',
    '{ kind = "uniform", low = -1e308, high = 1e308 }',
)
