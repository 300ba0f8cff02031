"""Changes to inputs: of their bytes, or of what stands in them while their form is kept."""

import io
import json
import warnings
import zipfile
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

NUMBERS = (0, 1, 2, 7, 10, 16, 27, 28, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**32 - 1)
DEEP = 100_000

# What a text is replaced by; some of it has a meaning in CSV, TOML, JSON, paths or terminals.
TEXTS: tuple[str, ...] = (
    "",
    " ",
    "0",
    "-1",
    "00",
    "1.0",
    "1e3",
    "nan",
    "10",
    "256",
    "9" * 5000,
    "\u0663",
    "a",
    '"',
    '""',
    "'",
    ",",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\x1b[31mred",
    "\u202e",
    "é",
    "\ud800",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\x",
    "%s{0}",
    "[bold]",
    "x" * 3000,
)
_HUGE, _NESTED, _NESTED_OBJECT, _TWICE = "@huge@", "@nested@", "@nested-object@", "@twice@"
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    3,
    0.5,
    -0.0,
    1e308,
    2**31,
    2**53 + 1,
    2**64,
    10**400,
    float("nan"),
    float("inf"),
    [],
    {},
    [1],
    [[]],
    [None, "a"],
    {"a": 1},
    {"kind": "x"},
    _HUGE,
    _NESTED,
    _NESTED_OBJECT,
)


def change_bytes(data: bytes, rng: Random, words: Sequence[bytes] = ()) -> bytes:
    """Return the bytes with one change somewhere: some flipped, taken away, put in, doubled.

    words: what is put in, sometimes.
    """
    place = rng.randrange(len(data) + 1)
    end = min(len(data), place + rng.choice((1, 2, 4, 16, 64, 500)))
    kind = rng.choice(("remove", "double", "cut", "insert", "replace", "number", "copy", "flip"))
    new = data[place:end]
    if kind == "remove":
        new = b""
    elif kind == "double":
        new += new
    elif kind == "cut":
        new, end = b"", len(data)
    elif kind == "insert":
        new, end = _some(rng, words, rng.randrange(1, 9)), place
    elif kind == "replace":
        new = _some(rng, words, end - place)
    elif kind == "number":
        size = rng.choice((1, 2, 4))
        new = (rng.choice(NUMBERS) % (1 << 8 * size)).to_bytes(size, rng.choice(("little", "big")))
        end = place + size
    elif kind == "copy":
        source = rng.randrange(len(data) + 1)
        new = data[source : source + end - place]
    elif new:
        new = bytes([new[0] ^ (1 << rng.randrange(8))]) + new[1:]
    return data[:place] + new + data[end:]


def _some(rng: Random, words: Sequence[bytes], size: int) -> bytes:
    return rng.choice(words) if words else rng.randbytes(size)


def change_json(data: bytes, rng: Random) -> bytes:
    """Return JSON with one value of another type or size, a key more, fewer, twice or renamed."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return change_bytes(data, rng)
    if rng.randrange(10) == 0:
        return change_bytes(data, rng, words=(b"{", b"}", b"[", b",", b'"', b"NaN", b"\\ud800"))
    holders = list(_holders(value))
    if not holders:
        return json_bytes(_hostile(value, rng))
    holder, key = rng.choice(holders)
    kind = rng.randrange(8)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[rng.choice(TEXTS)] = holder.pop(key)
    elif kind == 2 and isinstance(holder, dict):
        holder[_TWICE + str(key)] = _hostile(holder[key], rng)
    elif kind == 3:
        other_holder, other = rng.choice(holders)
        # A copy, because a value that holds itself is no JSON.
        holder[key] = json.loads(json.dumps(other_holder[other]))
    elif kind == 4 and isinstance(holder, list):
        holder *= rng.choice((2, 50))
    else:
        holder[key] = _hostile(holder[key], rng)
    return json_bytes(value)


def json_bytes(value: Any) -> bytes:
    """Return JSON in which the stand-ins are what they stand for: huge, deep, or there twice."""
    text = json.dumps(value)
    text = text.replace(f'"{_HUGE}"', "9" * 5000)
    text = text.replace(f'"{_NESTED}"', "[" * DEEP + "]" * DEEP)
    text = text.replace(f'"{_NESTED_OBJECT}"', '{"a":' * DEEP + "1" + "}" * DEEP)
    return text.replace(_TWICE, "").encode("utf-8")


def _hostile(value: Any, rng: Random) -> Any:
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(TEXTS)
    if kind == 1 and isinstance(value, int | float):
        return rng.choice(
            (-value, value + 1, value * 0.3 if value < 1e9 else 0, value * 10**6, [value])
        )
    if kind == 1 and isinstance(value, str):
        return rng.choice((value + "\n", value[:-1], value.upper(), value * 2, [value], 5))
    return rng.choice(VALUES)


def _holders(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a value inside of another: (holder, key or index)."""
    found: list[tuple[Any, Any]] = []
    open_ = [value]
    while open_:
        holder = open_.pop()
        if isinstance(holder, dict):
            places: list[Any] = list(holder)
        elif isinstance(holder, list):
            places = list(range(len(holder)))
        else:
            continue
        for place in places:
            found.append((holder, place))
            open_.append(holder[place])
    return found


def change_cell(data: bytes, rng: Random, words: Sequence[bytes]) -> bytes:
    """Return CSV with one line or one cell changed; words: what a cell is replaced by."""
    if rng.randrange(6) == 0:
        return change_bytes(data, rng, words)
    lines = data.split(b"\n")
    number = rng.randrange(len(lines))
    kind = rng.randrange(10)
    if kind == 0:
        del lines[number]
    elif kind == 1:
        lines.insert(number, lines[rng.randrange(len(lines))])
    elif kind == 2:
        lines[number] += rng.choice((b"\r", b" ", b",", b"\t", b",0", b"\0"))
    elif kind == 3:
        return data.replace(b"\n", b"\r\n")
    elif kind == 4:
        return data.rstrip(b"\n")
    elif kind == 5:
        return rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\n", b" ", b"<", b"PK\3\4")) + data
    else:
        cells = lines[number].split(b",")
        place = rng.randrange(len(cells))
        if kind == 6:
            cells[place] = b'"' + cells[place] + b'"'
        elif kind == 7:
            del cells[place]
        else:
            cells[place] = rng.choice(words)
        lines[number] = b",".join(cells)
    return b"\n".join(lines)


def change_member(
    data: bytes, rng: Random, change: Callable[[str, bytes, Random], bytes], names: Sequence[str]
) -> bytes:
    """Return a zip with one member changed, taken away, renamed or doubled, its checksums right.

    change: how a member's content is changed.  names: what members may be renamed to.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            members = [(item.filename, packed.read(item)) for item in packed.infolist()]
    except Exception:  # an earlier change has broken it
        return change_bytes(data, rng)
    if not members or rng.randrange(8) == 0:
        return change_bytes(data, rng)
    number = rng.randrange(len(members))
    name, content = members[number]
    kind = rng.randrange(10)
    if kind == 0:
        del members[number]
    elif kind == 1:
        members[number] = rng.choice(names), content
    elif kind == 2:
        members.append((rng.choice((name, *names)), content))
    else:
        members[number] = name, change(name, content, rng)
    return pack(members, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def pack(members: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip of these members, always with the same bytes."""
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as packed:
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, content in members:
            item = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            item.compress_type = method
            packed.writestr(item, content)
    return stream.getvalue()
