"""Quotes behind a backslash: lines of files whose program writes `\\"`, not `""`, for a quote in a quoted value.

MailPoet does, MySQL's SELECT ... INTO OUTFILE and phpMyAdmin with their usual options, Spark, and PHP's fputcsv where a
backslash stands before the quote. The csv module gets such lines with doubled quotes (RFC 4180 2.7).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache


@lru_cache(maxsize=32)
def doubling(delimiter: str, qualifier: str) -> Callable[[str], str]:
    """Return a function from a line of such a file to the same line with doubled quotes."""
    quote, mark = re.escape(qualifier), re.escape(delimiter)
    # Behind the quote of a value that ends with a single backslash the next value begins. MySQL writes a backslash as
    # two, and one before a line break within a value.
    found = re.compile(rf"\\(?:\\|{quote}(?!{mark}{quote}[^\r\n{mark}])|(?=[\r\n]))")
    written = {"\\\\": "\\", f"\\{qualifier}": 2 * qualifier, "\\": ""}

    def doubled(line: str) -> str:
        return found.sub(lambda match: written[match[0]], line) if "\\" in line else line

    return doubled
