"""Values that a spreadsheet would run as formulas: escaped in our files, unescaped in imported ones.

A value that begins with `=`, `@`, a tab or a line break, or with a sign but is no number or telephone number, gets an
apostrophe before it. So does one that begins with apostrophes before any of these characters or a sign: reading always
restores the value. Other programs put an apostrophe before numbers and telephone numbers with a sign, too, or write
each text as a formula, `="007"`, so that a spreadsheet leaves it as it is.

Databases write NULL as `\\N` (COPY of PostgreSQL, INTO OUTFILE of MySQL), so this is an empty value. One that is meant
gets an apostrophe, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBER = r"[+-](?:[0-9]+(?:[.,][0-9]+)*|[.,][0-9]+)(?:[Ee][+-]?[0-9]+)?%?"
_TELEPHONE = r"\+\(?[0-9][0-9 ()./-]*"
_FORMULA = re.compile(rf"[=@\t\r\n]|'+[=@+\-\t\r\n]|'*\\N\Z|(?!(?:{_NUMBER}|{_TELEPHONE})\Z)[+-]")
# The first characters of such values.
_FIRST = frozenset("'=@+-\t\r\n\\")
# Matches in a text with a value that may be escaped.
_ESCAPED = re.compile(r"'[=@+\-\t\r\n]")
# A text as a formula, in which a double quote is doubled; and how it begins in a file.
_TEXT = re.compile(r'="((?:[^"]|"")*+)"', re.DOTALL)
_TEXT_BEGINS = '="'
_NULL = r"\N"


def escaped(values: Iterable[object]) -> list[object]:
    """Return the values of a row as written to files; only texts may change."""
    return [
        f"'{value}" if isinstance(value, str) and value[:1] in _FIRST and _FORMULA.match(value) else value
        for value in values
    ]


def may_be_escaped(text: str, qualifier: str) -> bool:
    """Return whether some value of a file's text may be escaped. Far cheaper than checking each value."""
    if _TEXT_BEGINS in text:
        return True
    # A value may also go on after its quotes. One character is found far faster than two.
    if "\\" in text and (_NULL in text or (qualifier and f"\\{qualifier}N" in text)):
        return True
    return "'" in text and (_ESCAPED.search(text) is not None or (bool(qualifier) and f"'{qualifier}" in text))


def unescape_rows(rows: Iterable[list[str]]) -> None:
    """Unescape the rows of a file that may have escaped values."""
    for row in rows:
        # Checking each value would cost far more, and apostrophes are rare.
        joined = "".join(row)
        if "'" in joined or _TEXT_BEGINS in joined or _NULL in joined:
            unescape(row)


def unescape(values: list[str]) -> None:
    """Remove the apostrophe that `escaped` adds from the values of a row, the formula around a text, and NULL."""
    for position, value in enumerate(values):
        if value[:1] == "'" and _FORMULA.match(value):
            values[position] = value[1:]
        elif value[:2] == _TEXT_BEGINS and (text := _TEXT.fullmatch(value)):
            values[position] = text[1].replace('""', '"')
        elif value == _NULL:
            values[position] = ""
