"""Values that a spreadsheet would run as formulas: escaped in the files that we write, and read again in those we get.

A value that begins with `=`, `@`, a tab or a line break, or with a sign but is no number or telephone number, is
written with an apostrophe before it. So is one that begins with apostrophes before such a value: what is read is then
always what was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBER = r"[+-](?:[0-9]+(?:[.,][0-9]+)*|[.,][0-9]+)(?:[Ee][+-]?[0-9]+)?%?"
_TELEPHONE = r"\+\(?[0-9][0-9 ()./-]*"
_FORMULA = re.compile(rf"'*(?:[=@\t\r\n]|(?!(?:{_NUMBER}|{_TELEPHONE})\Z)[+-])")
# What such values begin with.
_FIRST = frozenset("'=@+-\t\r\n")
# What a text holds when one of its values may be escaped.
_ESCAPED = re.compile(r"'[=@+\-\t\r\n]")


def escaped(values: Iterable[object]) -> list[object]:
    """Return the values of a row as they are written; only texts may be changed."""
    return [
        f"'{value}" if isinstance(value, str) and value[:1] in _FIRST and _FORMULA.match(value) else value
        for value in values
    ]


def may_be_escaped(text: str, qualifier: str) -> bool:
    """Return whether some value of a file's text may be escaped. Costs far less than a look at its values."""
    # A value may also leave its quotes behind an apostrophe and go on.
    return "'" in text and (_ESCAPED.search(text) is not None or (bool(qualifier) and f"'{qualifier}" in text))


def unescape(values: list[str]) -> None:
    """Take the apostrophe off those values of a row that `escaped` gives it."""
    for position, value in enumerate(values):
        if value[:1] == "'" and _FORMULA.match(value):
            values[position] = value[1:]
