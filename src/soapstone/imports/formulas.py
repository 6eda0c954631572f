"""Values that a spreadsheet would run as formulas: escaped in our files, unescaped in imported ones.

A value that begins with `=`, `@`, a tab or a line break, or with a sign but is no number or telephone number, gets an
apostrophe before it. So does one that begins with apostrophes before such a value: reading always restores the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBER = r"[+-](?:[0-9]+(?:[.,][0-9]+)*|[.,][0-9]+)(?:[Ee][+-]?[0-9]+)?%?"
_TELEPHONE = r"\+\(?[0-9][0-9 ()./-]*"
_FORMULA = re.compile(rf"'*(?:[=@\t\r\n]|(?!(?:{_NUMBER}|{_TELEPHONE})\Z)[+-])")
# The first characters of such values.
_FIRST = frozenset("'=@+-\t\r\n")
# Matches in a text with a value that may be escaped.
_ESCAPED = re.compile(r"'[=@+\-\t\r\n]")


def escaped(values: Iterable[object]) -> list[object]:
    """Return the values of a row as written to files; only texts may change."""
    return [
        f"'{value}" if isinstance(value, str) and value[:1] in _FIRST and _FORMULA.match(value) else value
        for value in values
    ]


def may_be_escaped(text: str, qualifier: str) -> bool:
    """Return whether some value of a file's text may be escaped. Far cheaper than checking each value."""
    # A value may also go on after its quotes.
    return "'" in text and (_ESCAPED.search(text) is not None or (bool(qualifier) and f"'{qualifier}" in text))


def unescape(values: list[str]) -> None:
    """Remove the apostrophe that `escaped` adds from the values of a row."""
    for position, value in enumerate(values):
        if value[:1] == "'" and _FORMULA.match(value):
            values[position] = value[1:]
