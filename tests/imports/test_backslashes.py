"""Files whose program writes a quote as `\\"` are told from others by their bytes, and read as they are meant."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from soapstone.imports import dialects as module
from soapstone.imports.blocks import blocks
from soapstone.imports.dialects import dialect_of
from soapstone.imports.header_row import column_names
from soapstone.imports.records import Place, Records
from soapstone.sending.supplied_file import FileForm, SuppliedFile

# As MariaDB 10.11 writes it: INTO OUTFILE ... FIELDS TERMINATED BY ',' ENCLOSED BY '"' LINES TERMINATED BY '\n'.
MYSQL = (
    b'"ann@example.com","Ann \\"Annie\\" Lee, Jr","x"\n'
    b'"bob@example.com","C:\\\\dir\\\\","a\\\nb"\n'
    b'"di@example.com","say \\\\\\"hi\\\\\\"","l1\r\\\nl2;x|y"\n'
    b'"ed@example.com","\\\\","\\""\n'
)
MYSQL_ROWS = [
    ["ann@example.com", 'Ann "Annie" Lee, Jr', "x"],
    ["bob@example.com", "C:\\dir\\", "a\nb"],
    ["di@example.com", 'say \\"hi\\"', "l1\r\nl2;x|y"],
    ["ed@example.com", "\\", '"'],
]


def told(data: bytes, delimiter: str = ",", qualifier: str = '"') -> bool:
    return dialect_of(io.BytesIO(data), 0, delimiter, qualifier, "utf-8").escaped


def read(data: bytes, delimiter: str = ",") -> list[list[str]]:
    """The rows, which both readers agree about."""
    file = io.BytesIO(data)
    dialect = dialect_of(file, 0, delimiter, '"', "utf-8")
    one_by_one = [record.fields for record in Records(file, dialect, Place(0, 1)) if not record.flaw]
    assert [row for block in blocks(file, dialect, Place(0, 1)) for row in block.rows] == one_by_one
    return one_by_one


def mailpoet(table: list[list[str]], delimiter: str = ",") -> bytes:
    """A table as MailPoet writes it: all values in quotes, and nothing escaped but quotes."""
    rows = (delimiter.join('"' + value.replace('"', '\\"') + '"' for value in row) for row in table)
    return "".join(f"{row}\n" for row in rows).encode()


TEXTS = st.text(st.sampled_from("ab,;\"\n 'é"), max_size=8)
TABLES = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(TEXTS, min_size=width, max_size=width), min_size=1, max_size=6)
)


@given(TABLES, st.sampled_from(",;\t"))
def test_any_table_of_mailpoet_reads_back(table: list[list[str]], delimiter: str) -> None:
    width = len(table[0])
    table = [[f"Heading {n}" for n in range(width)], *table, ['Bob "B", Jr', *[""] * (width - 1)]]
    assert read(mailpoet(table, delimiter), delimiter) == table


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.text(st.sampled_from('\\",\na'), max_size=5), min_size=width, max_size=width), max_size=5
        )
    ),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@example([["C:\\", "b"], ['\\"', '\\",x']], csv.QUOTE_ALL)
def test_no_well_formed_table_is_taken_for_one(table: list[list[str]], quoting: int) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting).writerows(table)  # type: ignore[arg-type]
    assert not told(text.getvalue().encode())


def test_what_mysql_writes() -> None:
    assert read(MYSQL) == MYSQL_ROWS
    assert read(MYSQL.replace(b",", b"\t").replace(b"Lee\t", b"Lee,"), "\t") == MYSQL_ROWS


def test_what_fputcsv_writes() -> None:
    """PHP 8.2, by its default escape character: a quote behind a backslash is not doubled, any other is."""
    data = b'Name,City\n"Bob ""B"", Jr",x\n"a\\"b, c",x\n"l1\nsays \\"hi\\"",y\n'
    assert read(data) == [["Name", "City"], ['Bob "B", Jr', "x"], ['a"b, c', "x"], ['l1\nsays "hi"', "y"]]
    # Nothing proves it: a value may end with a backslash.
    assert read(b'Name,City\n"Bob ""B"", Jr",x\n"C:\\ dir\\",x\n')[2] == ["C:\\ dir\\", "x"]


@pytest.mark.parametrize(
    ("row", "values"),
    [
        (b'"Bob \\"B\\", Jr","x"', ['Bob "B", Jr', "x"]),
        # No quote but the one before the comma.
        (b'"12\\", long","x"', ['12", long', "x"]),
        (b'"note:\n\n say \\"hi\\",\nBob","x"', ['note:\n\n say "hi",\nBob', "x"]),
        (b'"C:\\temp \\"x\\"","y"', ['C:\\temp "x"', "y"]),
        (b'"\\"B\\"",""', ['"B"', ""]),
    ],
)
def test_one_record_far_behind_proves_it(row: bytes, values: list[str]) -> None:
    before = b'"Name","City"\n' + b'"Ann","Bath"\n' * 30_000
    for data in (before + row + b"\n", before + row + b"\n" + b'"Cem","Rome"\n' * 9000, before + row):
        found = read(data)
        assert values in found
        assert {len(row) for row in found} == {2}


def test_a_value_of_such_a_file_may_end_with_a_backslash() -> None:
    assert read(b'"Name","City"\n"Bob \\"B\\"","x"\n"C:\\","x"\n"C:\\",""\n')[2:] == [["C:\\", "x"], ["C:\\", ""]]


@pytest.mark.parametrize(
    "data",
    [
        # Without quotes around values, by tabs: nothing is escaped.
        b'Name\tNote\nAnn\t{"a": "b \\"c\\" d"}\nBob\t12\\" x\n',
        # Values that are not protected at all.
        b'"Name","Note"\n"Ann "A" Lee","C:\\"\n',
        b'"Name","Note"\n"Ann "A\\" Lee","x"\n'[:-6],
        b"",
        b"\n",
        b'\\"',
    ],
)
def test_other_backslashes_prove_nothing(data: bytes) -> None:
    assert not told(data, "\t" if b"\t" in data else ",")
    assert not told(data, qualifier="")


def test_formulas_and_marks_are_read_in_such_files_too() -> None:
    data = '"\ufeffName","Zip"\n"Bob \\"B\\"","=\\"007\\""\n"x","\'+49 30"\n'.encode()
    assert read(data) == [["Name", "Zip"], ['Bob "B"', "007"], ["x", "+49 30"]]


def test_the_search_for_a_proof_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0
    proves = module._proves

    def counted(*args: Any) -> bool:
        nonlocal tries
        tries += 1
        return proves(*args)

    monkeypatch.setattr(module, "_proves", counted)
    assert not told(b"a,b\n" + b'x\\"y,z\n' * 100_000)
    assert tries == module.MOST_TRIED


def test_headings_and_files_of_sends_are_read_so_too(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b'"Email","Size \\"EU\\", cm","Name"\n"ann@example.com","9","Ann \\"A\\", Jr"\n')
    names = column_names(path, delimiter=",", qualifier='"', encoding="")
    assert names == ["Email", 'Size "EU", cm', "Name"]
    (row,) = SuppliedFile(path, FileForm(header=True)).rows()
    assert (row.address, row.values["name"]) == ("ann@example.com", 'Ann "A", Jr')


def test_backslashes_of_other_values_hide_no_quotes() -> None:
    """Names of logins and paths hold them, in each row of a file."""
    rows = [[f"u{number}@example.com", "DOM\\u", "subscribed"] for number in range(module.MOST_TRIED + 1)]
    rows.append(["left@example.com", 'said "hi", then left', "unsubscribed"])
    assert read(mailpoet([["email", "note", "status"], *rows]))[1:] == rows
