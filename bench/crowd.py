"""Files of made-up people whose import is known beforehand: the rejected lines with their reasons, and all counters.

    make(Path("people.csv"), Recipe(rows=5_000_000, seed=7))

writes `people.csv` and, beside it, `people.csv.truth`: one `line,reason` for each row that an import must not take, in
the order of the file. Memory stays flat for any number of rows: nothing is remembered of a row once it is written.

The file has a heading and twelve columns. Of its rows 10 % are superseded by a later row about the same person,
anywhere in the file, and 2 % are bad in about thirty ways. Blank lines, quoted line breaks of all kinds, doubled
quotes, quotes within values, short and long rows, addresses in another letter case and all sorts of Unicode are between
them and do no harm. One row in 10,000 opens a quote that nothing closes for the next 1,000 lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shuffle import Shuffle

HEADING = (
    "Email",
    "First_Name",
    "Last_Name",
    "Phone",
    "Address",
    "Address2",
    "City",
    "State",
    "Zip",
    "Company",
    "custom1",
    "custom2",
)
# The columns of a contact that they fill.
TARGETS = tuple(name.lower() for name in HEADING)

# The limits that docs promise: a quoted value has at most so many lines, any value at most so many characters.
VALUE_LINES = 1000
VALUE_CHARACTERS = 1 << 20
# One unterminated quote in so many rows; at most one rare row (they are long) in so many.
QUOTE_EVERY = 10_000
RARE_EVERY = 500_000
# Rows that are written at once.
BATCH = 2000

# A fifth of the names is beyond ASCII: less, and an import could take the damaged lines for another encoding.
_FIRST = """
Ada Alan Anna Barbara Carl Clara Donald Dora Edsger Emil Frances Frank Grace Hedy Ida Jean John Katherine Ken Linus
Margaret Mary Max Niklaus Otto Paul Peter Radia Robert Rosa Ruth Tim Zoë Łukasz Øyvind José Ñata 李 Сергей Ελένη
"""
_LAST = """
Allen Babbage Backus Bell Clarke Dijkstra Easley Floyd Goldberg Hamilton Hopper Johnson Kay Knuth Lamarr Lamport Liskov
Lovelace McCarthy Naur Perlis Perlman Ritchie Shaw Spärck Thompson Turing Wilkes Wing Wirth Yao
"""
FIRST, LAST = _FIRST.split(), _LAST.split()
CITIES = ["Aachen", "Bergen", "Cambridge", "Delft", "Espoo", "Florence", "Ghent", "Hull", "Ithaca", "Zürich"]
STATES = ["AK", "CA", "FL", "MA", "NY", "OR", "PA", "TX", "WA"]

ROLES = ("info", "Sales", "SUPPORT", "no-reply", "postmaster")
# {0} is a name that nobody else has.
BAD_ADDRESSES = (
    "{0}.host.example",
    "{0}@@host.example",
    "{0}@x@host.example",
    "{0} x@host.example",
    "{0}..x@host.example",
    ".{0}@host.example",
    "{0}.@host.example",
    "{0}@host",
    "{0}@",
    "@host.example",
    "{0}@-host.example",
    "{0}@host..example",
    "{0}@host.example.",
    "{0}@host_one.example",
    "{0}@[127.0.0.1]",
    "{0};x@host.example",
    "<{0}@host.example>",
    "{0}@printer.local",
    "{0}@site.onion",
    "{0}@host.invalid",
    "{0}@localhost",
    "{0}" + "x" * 250 + "@host.example",
    "{0}@" + "x" * 64 + ".example",
    "no address at all",
)
# Whole rows in which nothing says whom they are about; {0} is a name.
NOBODY = (",{0},Nobody,555-0100", "  ,{0},Nobody,555-0100,,,,,,,,", ",,,,,,,,,,,", " ", "\t,{0}")
# Bytes that are no UTF-8, as Python keeps them in a text: Latin-1, a sequence cut short, bytes that never occur, a
# surrogate.
NO_TEXT = ("Jos\udce9", "cut short \udcc3", "\udcff\udcfe", "\udced\udca0\udc80")
# What confuses readers that do not look for LF and CR alone, and other characters that are fine.
ODD = (
    "one\u2028line",
    "next\x85line",
    "tab\vform\ffeed",
    "no\u00a0break",
    "\U0001f469\u200d\U0001f52c",
    "e\u0301",
    "שלום",
)
ODD_KINDS = 53
# Blank lines stand before one row in so many.
BLANK_EVERY = 101


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a file is to hold.

    `rows`: data rows, a few more with `quirks`. `duplicates` and `bad`: shares of the rows that are superseded and that
    are bad. `quirks`: quotes, line breaks, blank lines, ragged rows, and values over the limits. `first_person`: the
    people are others than those below. `edition`: every second row, by chance, differs from that of another edition.
    """

    rows: int
    seed: int = 1
    duplicates: float = 0.10
    bad: float = 0.02
    quirks: bool = True
    first_person: int = 0
    edition: int = 0


def clean(rows: int, *, bad: float = 0.0, seed: int = 1, first_person: int = 0, edition: int = 0) -> Recipe:
    """A file of different people without a quote in it; with `bad`, this share of the rows is bad."""
    return Recipe(
        rows=rows, seed=seed, duplicates=0.0, bad=bad, quirks=False, first_person=first_person, edition=edition
    )


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What an import of the file into an empty list comes to: rows per outcome, and where the rejects stand.

    `rows`: data rows; `lines`: physical lines with the heading; `changed`: rows taken that differ between editions.
    """

    rows: int
    lines: int
    changed: int
    counters: dict[str, int]
    rejects: Path

    def rejected(self) -> Iterator[tuple[int, str]]:
        """Line and reason of each rejected row, in the order of the file."""
        with self.rejects.open(encoding="ascii") as file:
            for text in file:
                line, _, reason = text.rstrip("\n").partition(",")
                yield int(line), reason


def make(file: Path, recipe: Recipe) -> Truth:
    """Write a file, and its truth beside it."""
    with file.open("wb") as out, file.with_name(f"{file.name}.truth").open("w", encoding="ascii") as truth:
        maker = _Maker(recipe)
        batch = [",".join(HEADING) + "\r\n"]
        for text in maker.texts():
            batch.append(text)
            if len(batch) >= BATCH:
                out.write("".join(batch).encode("utf-8", "surrogateescape"))
                truth.write("".join(maker.rejects))
                batch.clear()
                maker.rejects.clear()
        out.write("".join(batch).encode("utf-8", "surrogateescape"))
        truth.write("".join(maker.rejects))
    return Truth(
        rows=maker.counters.total(),
        lines=maker.line - 1,
        changed=maker.changed,
        counters=dict(maker.counters),
        rejects=Path(truth.name),
    )


class _Maker:
    """Writes rows in order and keeps the books.

    Slots are the rows in a random order: first the bad ones, then pairs and triples about one person each, then
    everybody else.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.rejects: list[str] = []
        self.counters: Counter[str] = Counter()
        self.changed = 0
        # Of the next row.
        self.line = 2
        self._recipe = recipe
        self._shuffle = Shuffle(recipe.rows, recipe.seed)
        self._bad = round(recipe.rows * recipe.bad)
        superseded = round(recipe.rows * recipe.duplicates)
        triples = superseded // 10
        self._triples = self._bad + 2 * (superseded - 2 * triples)
        self._singles = self._triples + 3 * triples
        # No quote may stand before this line: a value is open until there.
        self._quotes_from = 0
        self._quote_due = 100
        self._rare_step = min(RARE_EVERY, recipe.rows // 5)
        self._rare_due = self._rare_step // 2
        self._rare = 0

    def texts(self) -> Iterator[str]:
        """All rows with their line ends."""
        recipe, number_at, quirks = self._recipe, self._shuffle.place, self._recipe.quirks
        for row in range(recipe.rows):
            slot = number_at(row)
            if quirks and slot % BLANK_EVERY == 0:
                yield self._blank_lines(slot)
            if slot < self._bad:
                yield self._bad_text(row, slot)
                continue
            person = slot
            superseded = False
            if slot < self._singles:
                person, superseded = self._shared(row, slot)
            if superseded:
                self._reject("duplicate")
            else:
                self.counters["added"] += 1
                self.changed += slot & 1
            if quirks and slot % 3 == 0:
                yield self._odd_text(person, slot)
            else:
                self.line += 1
                yield ",".join(self._fields(person, slot)) + "\r\n"
        if quirks and self._bad and self.line >= self._quotes_from:
            # The file ends within a quote, and without a line end.
            yield self._reject("unterminated_quote", self._fields(self._bad, 0)[0] + ',"and then')

    def _shared(self, row: int, slot: int) -> tuple[int, bool]:
        """The person of a slot that shares it with others, and whether one of them comes later."""
        if slot < self._triples:
            first, count = slot - (slot - self._bad) % 2, 2
        else:
            first, count = slot - (slot - self._triples) % 3, 3
        number = self._shuffle.number
        return first, any(number(other) > row for other in range(first, first + count) if other != slot)

    def _fields(self, person: int, slot: int) -> list[str]:
        n = person + self._recipe.first_person
        # Addresses come in no order, as in a customer's file.
        name = f"{n * 2654435761 & 0xFFFFFFFF:08x}"
        edition = self._recipe.edition if slot & 1 else 0
        return [
            f"{name}@host{n % 997}.example",
            FIRST[n % 40],
            LAST[n % 31],
            f"555-{(n + edition) % 10000:04}",
            f"{n % 900} Main Street",
            f"Floor {n % 40}",
            CITIES[n % 10],
            STATES[n % 9],
            f"{n % 99999:05}",
            f"Company {n % 2000}",
            name,
            f"edition {edition}",
        ]

    def _reject(self, reason: str, text: str = "", *, lines: int = 1) -> str:
        """Book the row that begins at this line; the text with its line end, when it is given."""
        self.counters[reason] += 1
        self.rejects.append(f"{self.line},{reason}\n")
        if not text:
            return ""
        self.line += lines
        return text + "\r\n"

    def _odd_text(self, person: int, slot: int) -> str:
        """A good row, written in a way that readers may stumble over."""
        fields = self._fields(person, slot)
        kind = slot // 3 % ODD_KINDS
        quotes = self.line >= self._quotes_from
        end, extra = "\r\n", 0
        if kind == 0:
            fields = fields[:1]
        elif kind == 1:
            fields = fields[: 2 + slot % 9]
        elif kind == 2:
            fields += ["more", "than", "there are columns"]
        elif kind == 3:
            fields[1:4] = [" ", "   ", "\t"]
        elif kind == 4:
            fields[0] = fields[0].upper()
        elif kind == 5:
            fields[0] = f"  {fields[0]} "
        elif kind == 6:
            fields[0] = f"müller.{fields[0]}" if slot >= self._singles else fields[0]
        elif kind == 7:
            fields[0] = fields[0].replace("@", "@bücher.") if slot >= self._singles else fields[0]
        elif kind == 8:
            end = "\n"
        elif kind == 9:
            fields[4] = ODD[slot % len(ODD)]
        elif kind == 10:
            fields[1:] = [""] * 11
        elif kind <= 21 and quotes:
            extra = _quoted(fields, kind, slot)
        self.line += 1 + extra
        return ",".join(fields) + end

    def _blank_lines(self, slot: int) -> str:
        count = 1 + slot % 3
        self.line += count
        return ("\r\n" if slot & 1 else "\n") * count

    def _bad_text(self, row: int, slot: int) -> str:
        quotes = self.line >= self._quotes_from
        # Damaged rows carry addresses that good rows have, too: they must neither supersede one nor be superseded.
        fields = self._fields(self._bad + slot % max(1, self._recipe.rows - self._bad), slot)
        if quotes and self._recipe.quirks and row >= self._rare_due:
            self._rare_due = row + self._rare_step
            self._rare += 1
            return self._rare_text(fields)
        if quotes and row >= self._quote_due:
            self._quote_due = row + QUOTE_EVERY
            self._quotes_from = self.line + VALUE_LINES
            at = 0 if slot & 1 else 4
            fields[at] = f'"{fields[at]}'
            return self._reject("unterminated_quote", ",".join(fields))
        name, kind, choice = fields[10], slot % 16, slot // 16
        if kind == 0:
            fields[choice % 2 * 3 + 1] = NO_TEXT[choice % len(NO_TEXT)]
            return self._reject("encoding", ",".join(fields))
        if kind < 4:
            return self._reject("missing_key", NOBODY[choice % len(NOBODY)].format(name))
        if kind == 4:
            fields[0] = f"{ROLES[choice % len(ROLES)]}@host{choice % 997}.example"
            return self._reject("role_address", ",".join(fields))
        fields[0] = BAD_ADDRESSES[choice % len(BAD_ADDRESSES)].format(name)
        return self._reject("invalid_address", ",".join(fields))

    def _rare_text(self, fields: list[str]) -> str:
        """A row over one of the limits."""
        if self._rare % 4 == 1:
            fields[4] = "x" * (VALUE_CHARACTERS + 1)
            return self._reject("too_long", ",".join(fields))
        if self._rare % 4 == 2:
            # It has its closing quote, but too late: the lines of the value are rows of their own then.
            fields[4] = '"A letter begins'
            texts = [self._reject("unterminated_quote", ",".join(fields))]
            texts += [self._reject("invalid_address", f"line {n} of a letter") for n in range(VALUE_LINES + 200)]
            return "".join([*texts, self._reject("invalid_address", 'and here it ends",Aachen')])
        if self._rare % 4 == 3:
            fields[4] = '"' + "x" * (VALUE_CHARACTERS + 1) + '"'
            return self._reject("unterminated_quote", ",".join(fields))
        return self._reject("too_long", ",".join([*fields, *["x" * 1_000_000] * 5]))


def _quoted(fields: list[str], kind: int, slot: int) -> int:
    """Change values to such with quotes; how many line breaks they have."""
    if kind == 11:
        fields[9] = f'"Quote, ""Unquote"" & {slot % 100} Sons"'
    elif kind in (12, 13, 14, 15):
        # The commonest of all: an address of several lines.
        end = ("\n", "\r\n", "\r", "\n\n")[kind - 12]
        fields[4] = f'"{fields[4]}{end}Back yard{end}"'
        return 2 * len(end.replace("\r\n", "\n"))
    elif kind == 16:
        fields[4] = '5" pipe'
    elif kind == 17:
        fields[:] = [f'"{value}"' for value in fields]
    elif kind == 18:
        fields[0] = f'"{fields[0]}"'
    elif kind == 19:
        fields[5:8] = ['""', '""""', '""","""']
    elif kind == 20:
        fields[2] = f'"{fields[2]}", Jr.'
    else:
        fields[11] = '"' + "\r\n".join(f"{n}. a line of a note" for n in range(slot % 40)) + '"'
        return max(0, slot % 40 - 1)
    return 0
