"""Files of people for imports: duplicates far apart, bad rows of many kinds, quoted line breaks, several alphabets."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

BANNED, SUPPRESSED, SUPPRESSED_HERE = "banned@kill.com", "suppressed@kill.com", "suppressed.here@kill.com"
FIRST_NAMES = ("Ann", "Bob", "Zoë", "Łukasz", "Дарья", "芳子", "", " Eve ")
# One row in so many is bad, and one in so many has a quoted line break.
BAD, BROKEN = 40, 30
DUPLICATES = 0.1


@dataclass(frozen=True)
class Layout:
    """How a file is written. `columns` are names that `_values` knows, in the order of the file."""

    columns: tuple[str, ...]
    delimiter: str = ","
    qualifier: str = '"'
    line_end: str = "\n"
    encoding: str = "utf-8"
    header: bool = False
    packed: bool = False


@lru_cache(maxsize=16)
def people(layout: Layout, first: int, rows: int, seed: int) -> bytes:
    """A file of `rows` rows, about the people from number `first` on, the same for the same arguments."""
    text = layout.line_end.join(_lines(layout, first, rows, random.Random(seed)))
    data = text.encode(layout.encoding)
    if layout.encoding == "utf-8":
        # Bytes that are no text in this encoding, in few rows: the file stays UTF-8.
        data = data.replace(b"\\xff", b"\xff")
    return gzip.compress(data, 1, mtime=0) if layout.packed else data


def _lines(layout: Layout, first: int, rows: int, chance: random.Random) -> Iterator[str]:
    if layout.header:
        yield layout.delimiter.join(layout.columns)
    for row in range(rows):
        who = first + (chance.randrange(row + 1) if chance.random() < DUPLICATES else row)
        values = _values(who, row, chance)
        fields = [_quoted(values[name], layout) for name in layout.columns]
        if chance.randrange(BAD) == 0:
            fields = chance.choice(SPOILERS)(layout, fields)
        yield layout.delimiter.join(fields)
        if chance.randrange(500) == 0:
            yield ""


def _values(who: int, row: int, chance: random.Random) -> dict[str, str]:
    address = f"person{who}@kill{who % 7}.com"
    return {
        "email": address.upper() if chance.randrange(9) == 0 else address,
        "custom_id": f"M-{who}",
        "first_name": chance.choice(FIRST_NAMES),
        "city": f"City\n{row % 97}" if chance.randrange(BROKEN) == 0 else f"City {row % 97}",
        "custom1": f"{row}" if chance.randrange(3) else "",
        # Files of some length, so that they are read by a process of their own.
        "address": f"{row} {'Long ' * 24}Street",
        "text": chance.choice(("", "short", "longer than the attribute may be")),
        "box": chance.choice(("on", "0", "", "maybe")),
        "date": chance.choice(("12/31/2020", "2021-02-03", "", "soon")),
    }


def _quoted(value: str, layout: Layout) -> str:
    quote = layout.qualifier
    if quote and any(sign in value for sign in (layout.delimiter, quote, "\n")):
        return f"{quote}{value.replace(quote, quote * 2)}{quote}"
    return value.replace("\n", " ")


def _key(value: str) -> Callable[[Layout, list[str]], list[str]]:
    """The key columns hold this instead."""

    def spoil(layout: Layout, fields: list[str]) -> list[str]:
        places = [n for n, name in enumerate(layout.columns) if name in ("email", "custom_id")]
        return [value if n in places else field for n, field in enumerate(fields)]

    return spoil


def _open_quote(layout: Layout, fields: list[str]) -> list[str]:
    return [*fields[:-1], f"{layout.qualifier}never closed"]


def _too_long(_layout: Layout, fields: list[str]) -> list[str]:
    return [*fields[:-1], "x" * (1 << 20) + "x"]


def _short(_layout: Layout, fields: list[str]) -> list[str]:
    return fields[:1]


def _long(_layout: Layout, fields: list[str]) -> list[str]:
    return [*fields, "one", "too many"]


# A value of a megabyte and a quote without an end cost much: they are rarer than the others.
_CHEAP: tuple[Callable[[Layout, list[str]], list[str]], ...] = (
    _key(""),
    _key("no address"),
    _key("person@"),
    _key("a b@kill.com"),
    _key("x@localhost"),
    _key("info@kill.com"),
    _key(BANNED),
    _key(SUPPRESSED),
    _key(SUPPRESSED_HERE.upper()),
    _key("person\\xff@kill.com"),
    _key("nul\0@kill.com"),
    _short,
    _long,
)
SPOILERS = (*(_CHEAP * 12), _open_quote, _too_long)
