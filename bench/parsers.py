"""Rows a second of one core for ways to read a delimited file into lists of strings, one list for each record.

Three files of twelve columns: plain; every value in quotes; and every twentieth record with a line break in a quoted
value. Every way must give the same records (checked before the first round). What is measured:

- the csv module over the open file: the yardstick;
- the csv module over blocks that end with a record, each record with its first physical line;
- blocks without a quote by `str.split`, line by line, any other block by the csv module;
- lines without a quote by `str.split`, only records with one by the csv module;
- pyarrow, its batches as one list for each column, and as one list for each record. It is no dependency of this
  project and is measured only where it can be imported;
- the same with the first column alone, as a search for duplicates needs it.

All but the first and pyarrow know the physical line of each record. Prints medians and ratios. The clock is the CPU
time of the process, all threads together, so other programs disturb little. Arguments: records (500000), rounds (3).
"""

from __future__ import annotations

import csv
import io
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

BLOCK = 1 << 20
QUOTE = '"'

Rows = list[list[str]]
Read = Callable[[Path], Iterator[Rows]]
"""Gives the records of a file in batches."""


def record(n: int, middle: str) -> list[str]:
    name = f"{n * 2654435761 % (1 << 32):08x}"
    return [
        f"{name}@example{n % 97}.com",
        f"First{n % 1000}",
        f"Last{n % 5000}",
        f"555-{n % 10000:04}",
        f"{n % 900}{middle}Main Street",
        f"City{n % 300}",
        "NY",
        f"{n % 99999:05}",
        f"Company {n % 2000}",
        name,
        "" if n % 3 else "yes",
        f"2024-{n % 12 + 1:02}-{n % 28 + 1:02}",
    ]


def write_files(folder: Path, records: int) -> dict[str, Path]:
    """The files by what is special about them."""
    files = {name: folder / f"{name}.csv" for name in ("plain", "quoted", "breaks")}
    for name, path in files.items():
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(
                file, lineterminator="\n", quoting=csv.QUOTE_ALL if name == "quoted" else csv.QUOTE_MINIMAL
            )
            writer.writerows(record(n, "\n" if name == "breaks" and n % 20 == 0 else " ") for n in range(records))
    return files


# --- ways to read ----------------------------------------------------------------------------------------------------


def csv_file(path: Path) -> Iterator[Rows]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from batches(csv.reader(file))


def batches(rows: Iterator[list[str]], size: int = 5000) -> Iterator[Rows]:
    batch: Rows = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    yield batch


def blocks(path: Path) -> Iterator[str]:
    """The file in pieces that end where a record ends: at a line break with an even number of quotes before it."""
    rest = b""
    with path.open("rb") as file:
        while more := file.read(BLOCK):
            block = rest + more
            end, odd = block.rfind(b"\n") + 1, block.count(b'"') % 2
            odd ^= block.count(b'"', end) % 2
            while odd:
                # Inside a value: back to the break before its opening quote.
                shorter = block.rfind(b"\n", 0, end - 1) + 1
                odd ^= block.count(b'"', shorter, end) % 2
                end = shorter
            yield block[:end].decode()
            rest = block[end:]
    yield rest.decode()


def csv_blocks(path: Path) -> Iterator[Rows]:
    line = 1
    for block in blocks(path):
        rows, _, line = numbered(block, line)
        yield rows


def numbered(block: str, line: int) -> tuple[Rows, Sequence[int], int]:
    """The records of a block by the csv module, their first lines, and the line behind them."""
    reader = csv.reader(io.StringIO(block, newline=""))
    rows = list(reader)
    if reader.line_num == len(rows):
        return rows, range(line, line + len(rows)), line + len(rows)
    # Somewhere a record takes several lines: once more, looking at each.
    reader, rows, lines, first = csv.reader(io.StringIO(block, newline="")), [], [], line
    for row in reader:
        rows.append(row)
        lines.append(first)
        first = line + reader.line_num
    return rows, lines, first


def split_blocks(path: Path) -> Iterator[Rows]:
    line = 1
    for block in blocks(path):
        if QUOTE in block:
            rows, _, line = numbered(block, line)
        else:
            # The record's line is its place in the block.
            rows = [text.split(",") for text in block.split("\n")]
            rows.pop()
            line += len(rows)
        yield rows


def split_lines(path: Path) -> Iterator[Rows]:
    line = 1
    for block in blocks(path):
        texts = block.split("\n")
        texts.pop()
        if QUOTE not in block:
            line += len(texts)
            yield [text.split(",") for text in texts]
            continue
        rows: Rows = []
        firsts, lines = [], iter(texts)
        for text in lines:
            firsts.append(line)
            if QUOTE in text:
                reader = csv.reader(each + "\n" for each in chain([text], lines))
                rows.append(next(reader))
                line += reader.line_num
            else:
                rows.append(text.split(","))
                line += 1
        yield rows


def first_by_split(path: Path) -> Iterator[Rows]:
    for block in blocks(path):
        if QUOTE in block:
            yield [row[:1] for row in numbered(block, 1)[0]]
        else:
            yield [text.split(",", 1)[:1] for text in block.split("\n")[:-1]]


def arrow_batches(path: Path, columns: list[str] | None = None) -> Iterator[Any]:
    from pyarrow import csv as arrow
    from pyarrow import string

    reader = arrow.open_csv(
        path,
        read_options=arrow.ReadOptions(
            use_threads=False, block_size=BLOCK, column_names=[f"c{n}" for n in range(len(record(0, "")))]
        ),
        parse_options=arrow.ParseOptions(newlines_in_values=True),
        convert_options=arrow.ConvertOptions(
            column_types={f"c{n}": string() for n in range(len(record(0, "")))}, include_columns=columns
        ),
    )
    yield from reader


def arrow_columns(path: Path) -> Iterator[Rows]:
    for batch in arrow_batches(path):
        yield [column.to_pylist() for column in batch.columns]


def arrow_rows(path: Path) -> Iterator[Rows]:
    for columns in arrow_columns(path):
        yield list(map(list, zip(*columns, strict=True)))


def first_by_arrow(path: Path) -> Iterator[Rows]:
    for batch in arrow_batches(path, ["c0"]):
        yield [batch.column(0).to_pylist()]


WAYS: dict[str, Read] = {
    "csv module": csv_file,
    "csv module, blocks with lines": csv_blocks,
    "split by block": split_blocks,
    "split by line": split_lines,
    "pyarrow, columns": arrow_columns,
    "pyarrow, records": arrow_rows,
    "first column, split by block": first_by_split,
    "first column, pyarrow": first_by_arrow,
}
# These give no whole records.
PARTIAL = ("pyarrow, columns", "first column, split by block", "first column, pyarrow")


# --- measuring -------------------------------------------------------------------------------------------------------


def seconds(read: Read, path: Path) -> float:
    began = time.process_time()
    for _ in read(path):
        pass
    return time.process_time() - began


def digest(rows: Iterator[Rows]) -> tuple[int, int]:
    """The number of records, and a number that differs when they do."""
    count = mixed = 0
    for batch in rows:
        for row in batch:
            count += 1
            mixed ^= hash((count, *row))
    return count, mixed


def main() -> None:
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    ways = dict(WAYS)
    if find_spec("pyarrow") is None:
        ways = {name: read for name, read in WAYS.items() if "pyarrow" not in name}
        print("pyarrow cannot be imported here and is not measured")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with TemporaryDirectory() as folder:
        files = write_files(Path(folder), records)
        for kind, path in files.items():
            truth = digest(csv_file(path))
            assert truth[0] == records
            for name, read in ways.items():
                if name not in PARTIAL:
                    assert digest(read(path)) == truth, (kind, name)
        taken: dict[tuple[str, str], list[float]] = {(kind, name): [] for kind in files for name in ways}
        for _ in range(rounds):
            for kind, path in files.items():
                for name, read in ways.items():
                    taken[kind, name].append(seconds(read, path))
    print(
        f"records: {records}, columns: {len(record(0, ''))}, median of {rounds} rounds, Python {sys.version.split()[0]}"
    )
    for kind in files:
        yardstick = taken[kind, "csv module"]
        for name in ways:
            spent = taken[kind, name]
            ratio = median(one / other for one, other in zip(yardstick, spent, strict=True))
            rate = records / median(spent)
            print(f"{kind:8} {name:32} {rate:12,.0f} records/s   {ratio:5.2f} times the csv module")


if __name__ == "__main__":
    main()
