"""Reading: all processing of an import's file before the merge.

A first pass builds the file's index, then chunks are staged. Reading does not use the database, so it can run in a
process of its own beside the merge.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from soapstone.imports import index
from soapstone.imports.archives import unpacked
from soapstone.imports.blocks import Block, blocks
from soapstone.imports.encodings import plain
from soapstone.imports.file_kinds import beginning_of, check_kind
from soapstone.imports.opt_out_columns import Meaning
from soapstone.imports.records import Dialect, Place, Records, behind
from soapstone.imports.rows import Checked, Rows
from soapstone.imports.spec import ImportSpec
from soapstone.imports.stage import Stage
from soapstone.imports.surplus import surplus_positions
from soapstone.lists.profile_values import ProfileAttribute
from soapstone.vocabulary.rows import ImportOutcome

# Seconds between two reports of the first pass.
NEWS = 0.3


@dataclass(frozen=True, kw_only=True)
class Task:
    """A file to read, and how: all in plain values, so that it can be sent to another process.

    `folder` belongs to this task alone. `kind` is that of the database, `done` the number of rows merged already,
    `most_bytes` the limit for a packed file. `rejects` are rows to reject whatever they hold: the reason by physical
    line.
    """

    path: str
    folder: str
    spec: ImportSpec
    key: str
    attributes: list[ProfileAttribute]
    kind: str
    chunk_rows: int
    done: int
    most_bytes: int
    rejects: Mapping[int, str] = field(default_factory=dict)

    def rows(self) -> Rows:
        """Return the reader of single rows."""
        return Rows(self.spec, self.key, self.attributes)

    def stage(self) -> Stage:
        """Return the shape of the stages."""
        return Stage(self.kind, self.rows(), keeps_fields=self.spec.may_refuse)


class Looking(NamedTuple):
    """The progress of the first pass, in data rows."""

    rows: int


class Indexed(NamedTuple):
    """The result of the first pass: the number of data rows, the codec, and the header row if any.

    `meaningless` are headings that might have meant opt-outs, but do not: these columns are unused.
    """

    rows: int
    codec: str
    heading: list[str]
    meaningless: list[str]


class Rejection(NamedTuple):
    """A row rejected without the database; `position` counts from the chunk's first row."""

    position: int
    reason: str
    fields: list[str]


class Staged(NamedTuple):
    """A chunk that is ready for the merge: its first row, the physical line of each row, the number of rows at `path`.

    `repaired` is the number of accepted rows with a repaired address. `misfits` are positions of rows by attribute
    number: see Rows. `surplus` are those of rows with a key and values beyond the last heading.
    """

    first: int
    lines: list[int]
    staged: int
    path: str
    refused: list[Rejection]
    repaired: int
    misfits: dict[int, list[int]]
    surplus: list[int]


Event = Looking | Indexed | Staged


def read(task: Task) -> Iterator[Event]:
    """Read the file; stage the next chunk when the next event is requested. Raises UnreadableError."""
    folder, spec = Path(task.folder), task.spec
    content = unpacked(Path(task.path), folder, limit=task.most_bytes)
    check_kind(beginning_of(content))
    opened = plain(content, spec.encoding, folder)
    dialect, stage = Dialect(spec.delimiter, spec.qualifier, opened.codec), task.stage()
    rows = stage.rows
    with opened.path.open("rb") as file:
        start, end = behind(file, Place(opened.skip, 1), spec.skip), _end(file)

        def found_in(start: Place, stop: int, columns: int | None, *, texts: bool = False) -> Iterator[Block]:
            found = blocks(file, dialect, start, stop, columns, texts=texts)
            return _rejecting(found, task.rejects) if task.rejects else found

        if rows.doubtful:
            yield from _settled(rows, found_in(start, end, rows.key_columns), header=spec.header)

        def keys_of(block: Block) -> index.Found:
            if (keys := rows.unchecked_keys(block.rows, block.flaws)) is not None:
                return index.Found(keys, checked=False)
            checked = rows.check(block.rows, block.flaws)
            return index.Found(checked.keys, checked.ranks)

        building = index.build(
            found_in(start, end, rows.key_columns),
            keys_of,
            header=spec.header,
            range_rows=task.chunk_rows,
            scratch=folder,
            holds=rows.is_key,
        )
        found = yield from _news(building)
        heading = next(iter(Records(file, dialect, start)), None) if spec.header else None
        headings = [] if heading is None else heading.fields
        yield Indexed(found.rows, opened.codec, headings, rows.meaningless)
        named = [number for number, name in enumerate(headings, 1) if name.strip()]
        columns = max([rows.all_columns, *named]) if spec.header else None
        for number, part in enumerate(found.ranges):
            if part.first + part.rows > task.done:
                superseded = found.superseded_in(part.first, part.rows)
                # Three names in turn: one chunk is merged, one is ready, one is being staged.
                path = folder / f"stage-{number % 3}"
                wanted = rows.key_columns if stage.takes_texts else None
                records = found_in(part.start, part.stop, wanted, texts=True)
                yield _staged(stage, records, dialect.delimiter, part.first, task.done, superseded, path, columns)


def _rejecting(found: Iterator[Block], rejects: Mapping[int, str]) -> Iterator[Block]:
    for block in found:
        block.flaws.update({at: rejects[line] for at, line in enumerate(block.lines) if line in rejects})
        yield block


def _end(file: BinaryIO) -> int:
    """Return the byte at which the records end: DOS programs write Ctrl-Z after the last line."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 2, 0))
    return size - 1 if file.read() in (b"\n\x1a", b"\r\x1a") else size


def _settled(rows: Rows, found: Iterator[Block], *, header: bool) -> Iterator[Looking]:
    """Read the file to decide which of its ambiguous columns hold opt-outs."""
    heard = time.monotonic()
    for block in found:
        good = [row for position, row in enumerate(block.rows) if position not in block.flaws and position >= header]
        if not rows.notice(good):
            break
        header = False
        if time.monotonic() - heard > NEWS:
            heard = time.monotonic()
            yield Looking(0)
    rows.settle()


def _news(building: Generator[int, None, index.FileIndex]) -> Generator[Looking, None, index.FileIndex]:
    heard = time.monotonic()
    while True:
        try:
            count = next(building)
        except StopIteration as end:
            found: index.FileIndex = end.value
            return found
        if time.monotonic() - heard > NEWS:
            heard = time.monotonic()
            yield Looking(count)


def _staged(
    stage: Stage,
    found: Iterator[Block],
    delimiter: str,
    first: int,
    done: int,
    superseded: list[int],
    path: Path,
    columns: int | None,
) -> Staged:
    """Stage the rows from `first` on, except those done. Values after `columns` columns are surplus."""
    # A record that is a text is split when its fields are needed: a chunk of them takes far less memory so.
    records: list[str | list[str]] = []
    lines: list[int] = []
    keys: list[str] = []
    emails: list[str] = []
    flaws: dict[int, str] = {}
    opt_outs: list[Meaning] = []
    repaired: set[int] = set()
    texts = True
    for block in found:
        texts &= bool(block.texts)
        checked = stage.rows.check(block.rows, block.flaws)
        flaws |= {len(records) + position: flaw for position, flaw in checked.flaws.items()}
        repaired.update(len(records) + position for position in checked.repaired)
        records += block.texts or block.rows
        lines += block.lines
        keys += checked.keys
        emails += checked.emails
        opt_outs += checked.opt_outs
    for position in superseded:
        keys[position] = ""
        flaws[position] = ImportOutcome.DUPLICATE
    if done > first:
        # Another version of this program has split the file elsewhere.
        gone = done - first
        first, records, lines, keys, emails = done, records[gone:], lines[gone:], keys[gone:], emails[gone:]
        opt_outs = opt_outs[gone:]
        flaws = {position - gone: flaw for position, flaw in flaws.items() if position >= gone}
        repaired = {position - gone for position in repaired if position >= gone}

    def fields(position: int) -> list[str]:
        record = records[position]
        return record.split(delimiter) if isinstance(record, str) else record

    delimiters = list(map(str.count, cast("list[str]", records), repeat(delimiter))) if texts else []
    checked = Checked(keys, emails, flaws, opt_outs)
    staged = stage.write(path, records, delimiter, checked, first, min(delimiters, default=-1))
    refused = [Rejection(position, reason, fields(position)) for position, reason in sorted(flaws.items())]
    surplus = []
    if columns is not None and not (texts and max(delimiters, default=0) < columns):
        surplus = surplus_positions(records, keys, columns, delimiter)
    count = len(repaired - flaws.keys())
    return Staged(first, lines, staged, str(path), refused, count, stage.rows.misfits, surplus)
