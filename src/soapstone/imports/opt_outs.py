"""Opt-outs: the columns of other products' files that say that a contact gets no mail, and how to read them.

The table of columns is `opt_out_columns.COLUMNS`. Headings and values compare without letter case, spaces,
underscores, hyphens and dots.

A heading that also means other things ("Status", "State") counts only if the file's values prove it: all of them belong
to one product's column, or one of them can mean nothing else ("unsubscribed").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from soapstone.clock import EPOCH, now
from soapstone.imports.opt_out_columns import COLUMNS
from soapstone.imports.opt_out_meanings import (
    KNOWN_VALUES,
    STRENGTH,
    TELLING,
    Form,
    Meaning,
    OptOutColumn,
    plain,
)

_YES = frozenset({"1", "true", "t", "yes", "y", "x", "on", "checked"})
_NO = frozenset({"0", "false", "f", "no", "n", "off", "unchecked"})
# Excel's forms of `true` and `false` in a file that it has saved: German, French, Spanish, Italian.
_YES |= {"wahr", "ja", "vrai", "oui", "verdadero", "sí", "si", "vero"}
_NO |= {"falsch", "nein", "faux", "non", "falso"}
# Forms of a missing value: a time of zero, and the nulls of databases.
_NOTHING = frozenset({"", "null", "none", "nil", "nan", "n/a", "\\n", "never", "0", "false", "no"})
_BY_HEADING: dict[str, list[OptOutColumn]] = {}
for _column in COLUMNS:
    for _heading in _column.headings:
        _found = _BY_HEADING.setdefault(plain(_heading), [])
        if _column not in _found:
            _found.append(_column)


def is_opt_out(heading: str) -> bool:
    """Return whether a column with this heading holds opt-outs, or may hold them."""
    # A heading with a tab is several, in a file read with the wrong delimiter.
    return "\t" not in heading.strip() and plain(heading) in _BY_HEADING


def without_letters(headings: Mapping[int, str]) -> dict[int, str]:
    """Return headings of opt-outs without those that mean letters, because another one means e-mail."""
    sure = [name for name in headings.values() if "email" in plain(name) and not Reader(name).doubtful]
    if not any(column.yes == "left" for name in sure for column in _BY_HEADING[plain(name)]):
        return dict(headings)
    return {
        index: name
        for index, name in headings.items()
        if not any(column.letters for column in _BY_HEADING[plain(name)])
    }


class Reader:
    """Reads one column of a file, by its heading.

    For an ambiguous one `notice` collects values of the file, then `settle` decides. Until then, and without proof, no
    value has a meaning. In a column of consents that has 1 and blanks alone, a blank is a no: PHP, Perl and others
    write `false` so. Else it says nothing.
    """

    def __init__(self, heading: str) -> None:
        self._columns = _BY_HEADING.get(plain(heading), [])
        self.doubtful = any(column.ambiguous for column in self._columns)
        self._form: Form = self._columns[0].form if self._columns else "words"
        self._yes: Meaning = self._columns[0].yes if self._columns else "left"
        self._words: dict[str, Meaning] = {}
        self._fitting = [column for column in self._columns if column.form == "words"]
        self._seen = self._told = self._worded = False
        self._blank: Meaning = ""
        self._known: dict[str, Meaning] = {}
        if not self.doubtful:
            self._words = _joined(self._fitting)

    @property
    def seen(self) -> bool:
        """Whether `notice` has seen a value that is not blank."""
        return self._seen

    @property
    def asks(self) -> bool:
        """Whether values of the file are to be noticed before any is read."""
        return self.doubtful or self._form == "consent"

    @property
    def decided(self) -> bool:
        """Whether no further value could change what `settle` decides."""
        return self._worded if self._form == "consent" else self._told and not self._fitting

    def notice(self, values: Iterable[str]) -> None:
        """Collect some values of a column that asks for them."""
        for value in map(plain, values):
            if value:
                self._seen = True
                self._worded = self._worded or value != "1"
                self._told = self._told or value in TELLING
                self._fitting = [column for column in self._fitting if value in column.words]

    def settle(self) -> bool:
        """Decide the meaning of the column's values; False if they have none."""
        if self._form == "consent":
            self._blank = self._yes if self._seen and not self._worded else ""
            self._known.clear()
            return True
        if self._seen and self._fitting:
            self._words = _joined(self._fitting)
        elif self._told:
            self._words = _joined(self._columns) | dict(TELLING)
            self._words.pop("", None)
        self._known.clear()
        self.doubtful = not self._words
        return not self.doubtful

    def meanings(self, values: Iterable[str]) -> list[Meaning]:
        """Return the meanings of some values, in order."""
        known = self._known
        found: list[Meaning] = []
        for value in values:
            meaning = known.get(value)
            if meaning is None:
                if len(known) >= KNOWN_VALUES:
                    known.clear()
                meaning = known[value] = self.read(value)
            found.append(meaning)
        return found

    def read(self, value: str) -> Meaning:
        """Return the meaning of a value."""
        if self.doubtful or not self._columns:
            return ""
        word = plain(value)
        if not word and self._blank:
            return self._blank
        if self._form == "words":
            return self._words[word] if word in self._words else self._of_several(value) if word else ""
        if word in _NOTHING or word in _NO:
            return self._yes if self._form == "consent" and word in _NO else ""
        if not value.strip("0-/: .TZ"):
            # 0000-00-00 00:00:00
            return ""
        if self._form == "time":
            return self._yes
        if word in _YES or _LIKE_TIME.match(value.strip()) or time_of(value) is not None:
            return self._yes if self._form == "flag" else ""
        return "unclear"

    def _of_several(self, value: str) -> Meaning:
        """Return the strongest meaning of several words separated by commas."""
        parts = [plain(part) for part in value.split(",")]
        found: list[Meaning] = [self._words.get(part, "unclear") for part in parts if part]
        return max(found, key=STRENGTH.__getitem__, default="")


def _joined(columns: Sequence[OptOutColumn]) -> dict[str, Meaning]:
    words: dict[str, Meaning] = {}
    for column in columns:
        for word, meaning in column.words.items():
            if STRENGTH[meaning] >= STRENGTH[words.get(word, "")]:
                words[word] = meaning
    return words


def time_of(text: str) -> datetime | None:
    """Return the instant of a value; None if it cannot be read, or is ambiguous.

    ISO 8601 and its relatives, and seconds or milliseconds since 1970. A time without a zone is UTC. The order of day
    and month is not guessed. A future time becomes now.
    """
    text = text.strip()
    return _time_of(text) if len(text) <= LONGEST_TIME else None


@lru_cache(maxsize=20_000)
def _time_of(text: str) -> datetime | None:
    try:
        if text.isascii() and text.isdecimal() and len(text) in (9, 10, 13):
            moment = EPOCH + timedelta(seconds=int(text) / (1000 if len(text) == 13 else 1))
        else:
            form = _TIME.fullmatch(text)
            if form is None:
                return None
            year, _, month, day, clock, fraction, zone = form.groups()
            zone = (zone or "Z").replace("UTC", "Z").replace("GMT", "Z")
            fraction = f".{fraction[:6]}" if fraction and len(clock) > 5 else ""
            clock = clock or "00:00"
            clock = f"0{clock}" if clock[1] == ":" else clock
            moment = datetime.fromisoformat(f"{year}-{month:0>2}-{day:0>2}T{clock}{fraction}{zone}")
    except (ValueError, OverflowError):
        return None
    moment = moment.astimezone(UTC)
    return min(moment, now()) if moment.year >= 1970 else None


# Longest time in characters. Times are cached, so they must not be long.
LONGEST_TIME = 64
# 2024-02-29, 2024/2/29 9:05, 2024-02-29T13:05:07.123Z, 2024-02-29 13:05:07.123456 +0000 UTC.
_TIME = re.compile(
    r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?:[T ](\d{1,2}:\d\d(?::\d\d)?)(?:[.,](\d+))?)?"
    r"(?:\s*(Z|UTC|GMT|[+-]\d\d:?\d\d|[+-]\d\d)(?:\s+(?:[A-Z]{2,5}|[+-]\d{2,4}))?)?"
)
# A date in any order: 2/29/2024, 29.02.2024 13:05.
_LIKE_TIME = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b")
