"""Reading: all processing of an import's file before the merge.

A first pass builds the file's index, then chunks are staged. Reading does not use the database, so it can run in a
process of its own beside the merge.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_right
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, repeat
from pathlib import Path
from typing import BinaryIO, NamedTuple

from soapstone.imports import index
from soapstone.imports.archives import unpacked
from soapstone.imports.blocks import Block, blocks
from soapstone.imports.dialects import dialect_of
from soapstone.imports.encodings import plain
from soapstone.imports.file_kinds import beginning_of, check_kind
from soapstone.imports.records import Place, Records, behind
from soapstone.imports.rows import BETWEEN, Checked, Rows
from soapstone.imports.spec import ImportSpec
from soapstone.imports.stage import Stage
from soapstone.imports.surplus import surplus_positions
from soapstone.lists.profile_values import ProfileAttribute
from soapstone.vocabulary.rows import ImportOutcome

# Seconds between two reports of the first pass.
NEWS = 0.3
# Stages that may be ahead of the merge, the one being merged included: all of a chunk, while the next one is parsed.
AHEAD = 10
# Rows of the first chunk, for which the merge has to wait.
FIRST_ROWS = 5_000
# Keys for each stage that tell where to cut a chunk.
SAMPLED = 128


@dataclass(frozen=True, kw_only=True)
class Task:
    """A file to read, and how: all in plain values, so that it can be sent to another process.

    `folder` belongs to this task alone. `kind` is that of the database. A chunk has up to `chunk_rows` rows, a stage up
    to `stage_rows` of them. All rows before `done` are merged already, and of the others those that begin on the
    physical lines `merged`. `most_bytes` is the limit for a packed file. `rejects` are rows to reject whatever they
    hold: the reason by physical line.
    """

    path: str
    folder: str
    spec: ImportSpec
    key: str
    attributes: list[ProfileAttribute]
    kind: str
    chunk_rows: int
    stage_rows: int
    done: int
    most_bytes: int
    merged: Collection[int] = frozenset()
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
    """A row rejected without the database; `position` is its place among the staged rows."""

    position: int
    reason: str
    fields: list[str]


class Staged(NamedTuple):
    """Rows of a chunk that are ready for the merge: the number of the first, the physical line of each, and how many
    rows are at `path`. They are in the order of the file, with others between them.

    When they are merged, all rows before `done` are. `repaired` is the number of accepted rows with a repaired address.
    `misfits` are positions of rows by attribute number: see Rows. `surplus` are those of rows with a key and values
    beyond the last heading.
    """

    first: int
    done: int
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
    stage = task.stage()
    rows = stage.rows
    with opened.path.open("rb") as file:
        start, end = behind(file, Place(opened.skip, 1), spec.skip), _end(file)
        dialect = dialect_of(file, start.offset, spec.delimiter, spec.qualifier, opened.codec)

        def found_in(start: Place, stop: int, columns: int | None, *, texts: bool = False) -> Iterator[Block]:
            found = blocks(file, dialect, start, stop, columns, texts=texts)
            return _rejecting(found, task.rejects) if task.rejects else found

        if rows.asks:
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
            first_rows=min(task.stage_rows, FIRST_ROWS),
            scratch=folder,
            holds=rows.is_key,
        )
        found = yield from _news(building)
        heading = next(iter(Records(file, dialect, start)), None) if spec.header else None
        headings = [] if heading is None else heading.fields
        yield Indexed(found.rows, opened.codec, headings, rows.meaningless)
        named = [number for number, name in enumerate(headings, 1) if name.strip()]
        columns = max([rows.all_columns, *named]) if spec.header else None
        # In turn: one more than may be ahead, because it is written before it has to wait.
        paths = cycle([folder / f"stage-{number}" for number in range(AHEAD + 1)])
        for part in found.ranges:
            if part.first + part.rows > task.done:
                records = found_in(part.start, part.stop, rows.key_columns, texts=True)
                superseded = found.superseded_in(part.first, part.rows)
                chunk = _Chunk(stage, records, superseded, part.first, dialect.delimiter)
                for positions, done in chunk.cut(task):
                    yield chunk.staged(positions, done, next(paths), columns)
                # Else two chunks would be in memory.
                del chunk


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
    """Read the file to decide what its columns of opt-outs mean."""
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


class _Chunk:
    """The checked rows of a range of the file, `first` the number of the first.

    A record is a text, which is split when it is staged: the fields of a chunk would take far more memory, and fetching
    them from all over it more time.
    """

    def __init__(self, stage: Stage, found: Iterator[Block], superseded: list[int], first: int, delimiter: str) -> None:
        self._stage, self._first, self._delimiter = stage, first, delimiter
        self._records: list[str] = []
        self._lines: list[int] = []
        self._checked = Checked([], [], {}, [], set())
        for block in found:
            self._add(stage.rows.check(block.rows, block.flaws), len(self._records))
            if not block.texts and self._delimiter != BETWEEN:
                # Any other character may be in a field.
                self._records = [record.replace(self._delimiter, BETWEEN) for record in self._records]
                self._delimiter = BETWEEN
            if not block.texts:
                self._records += map(BETWEEN.join, block.rows)
            elif self._delimiter == BETWEEN:
                self._records += [record.replace(delimiter, BETWEEN) for record in block.texts]
            else:
                self._records += block.texts
            self._lines += block.lines
        for position in superseded:
            self._checked.keys[position] = ""
            self._checked.flaws[position] = ImportOutcome.DUPLICATE
        self._numbers = [0] * len(self._records)
        delimiters = list(map(str.count, self._records, repeat(self._delimiter)))
        # The fewest and the most delimiters of a record.
        self._fewest, self._most = min(delimiters, default=-1), max(delimiters, default=-1)

    def _add(self, checked: Checked, before: int) -> None:
        mine = self._checked
        mine.keys.extend(checked.keys)
        mine.emails.extend(checked.emails)
        mine.opt_outs.extend(checked.opt_outs)
        mine.flaws.update({before + position: flaw for position, flaw in checked.flaws.items()})
        mine.repaired.update(before + position for position in checked.repaired)

    def cut(self, task: Task) -> Iterator[tuple[Sequence[int], int]]:
        """Yield the positions of rows for one stage after another, by ranges of their keys, and `done` as in Staged.

        The transactions that merge the stages are short, and together write each page of an index about once, as one
        for the whole chunk would. Rows that are merged already are left out.
        """
        first, keys, end = self._first, self._checked.keys, self._first + len(self._records)
        # Another version of this program may have cut the file elsewhere.
        left: Sequence[int] = range(max(task.done - first, 0), len(keys))
        if task.merged:
            left = [position for position in left if self._lines[position] not in task.merged]
        if len(left) <= task.stage_rows:
            yield left, end
            return
        # Rows without a key go with the first ones.
        stages: list[list[int]] = [[] for _ in range(-(-len(left) // task.stage_rows))]
        some = sorted([keys[position] for position in left[:: len(left) // (SAMPLED * len(stages)) or 1]])
        bounds = [some[len(some) * n // len(stages)] for n in range(1, len(stages))]
        for position in left:
            stages[bisect_right(bounds, keys[position])].append(position)
        stages = [positions for positions in stages if positions]
        for positions in stages[:-1]:
            yield positions, max(first, task.done)
        yield stages[-1], end

    def staged(self, positions: Sequence[int], done: int, path: Path, columns: int | None) -> Staged:
        """Stage the rows at these positions. Values after `columns` columns are surplus."""
        checked, numbers = self._checked, self._numbers
        first = self._first + (positions[0] if positions else 0)
        for number, position in enumerate(positions, first):
            numbers[position] = number
        order = sorted([position for position in positions if checked.keys[position]], key=checked.keys.__getitem__)
        misfits = self._stage.write(path, self._records, self._delimiter, checked, order, numbers, self._fewest)
        refused = [
            Rejection(
                numbers[position] - first, checked.flaws[position], self._records[position].split(self._delimiter)
            )
            for position in (positions if checked.flaws else ())
            if position in checked.flaws
        ]
        surplus = []
        if columns is not None and self._most >= columns:
            records = [self._records[position] for position in positions]
            keys = [checked.keys[position] for position in positions]
            surplus = surplus_positions(records, keys, columns, self._delimiter)
        return Staged(
            first=first,
            done=done,
            lines=[self._lines[position] for position in positions],
            staged=len(order),
            path=str(path),
            refused=refused,
            repaired=sum(position in checked.repaired and position not in checked.flaws for position in positions),
            misfits={attribute: sorted(numbers[at] - first for at in found) for attribute, found in misfits.items()},
            surplus=surplus,
        )
