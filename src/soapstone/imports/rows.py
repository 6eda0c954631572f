"""Rows: the fields of records, checked and put where the spec wants them, a column at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from soapstone.imports import outcomes
from soapstone.imports.spec import Column, ImportSpec
from soapstone.lists.addresses import address_keys, invalid, roles
from soapstone.lists.profiles import ProfileAttribute
from soapstone.lists.values import stored

Record = Sequence[str]

# The column of a stage with the external events that a row wants raised.
EVENTS = "events"


class Checked(NamedTuple):
    """Some rows, checked: the key and the address of each, and the flaws of some (position → outcome).

    A row with a flaw has no key.
    """

    keys: list[str]
    emails: list[str]
    flaws: dict[int, str]


class Rows:
    """Reads rows by a spec. `key` is the column that tells people apart, "email" or "custom_id".

    `columns` are the contact's columns that a row fills besides the key; `has_profile` tells whether it fills profile
    attributes; `key_columns` is how many columns of the file, from the first, are needed to check rows; `texts` names
    what `values` gives, `record` those of them that go into the record of a contact besides the key.
    """

    def __init__(self, spec: ImportSpec, key: str, attributes: Sequence[ProfileAttribute]) -> None:
        self.key = key
        self._mapped = [column for column in spec.columns if column.attribute_id is None and column.target != key]
        self.columns = [column.target for column in self._mapped]
        by_target = {column.target: column for column in spec.columns}
        self._email = by_target.get("email")
        self._custom_id = by_target.get("custom_id") if key == "custom_id" else None
        kinds = {attribute.id: attribute for attribute in attributes}
        # An attribute that was deleted since the import was asked for has nowhere to go.
        self._attributes = [
            (column, kinds[column.attribute_id]) for column in spec.columns if column.attribute_id in kinds
        ]
        self.has_profile = bool(self._attributes)
        # The address and its comparable form, where they are not the key itself.
        self._follower = "email" if self._custom_id is None else "email_key" if self._email is not None else ""
        self._events = None
        if spec.event_column is not None:
            self._events = Column(index=spec.event_column, target=EVENTS, default=spec.event_default)
        self.record = [*filter(None, [self._follower]), *self.columns]
        self.texts = ["key", *self.record, *([EVENTS] if self._events else [])]
        self.key_columns = 1 + max(column.index for column in (self._email, self._custom_id) if column is not None)
        used = [*spec.columns, *([self._events] if self._events else [])]
        self._all_columns = 1 + max(column.index for column in used)
        self._reject_roles = spec.reject_roles
        self._blanks_count = spec.known == "overwrite"

    @property
    def has_events(self) -> bool:
        """Whether rows may want external events raised."""
        return self._events is not None

    def check(self, rows: Sequence[Record], flaws: Mapping[int, str]) -> Checked:
        """Check rows; some of them have flaws already."""
        rows = _padded(rows, self.key_columns)
        emails = [value.strip() for value in _values(rows, self._email)]
        compared = address_keys(emails)
        found = dict.fromkeys(roles(compared) if self._reject_roles else (), outcomes.ROLE_ADDRESS)
        wrong = invalid(emails)
        if self._custom_id is not None:
            keys = [value.strip() for value in _values(rows, self._custom_id)]
            # The address is data here, and may be missing.
            wrong = [position for position in wrong if emails[position]]
        else:
            keys = compared
        found |= dict.fromkeys(wrong, outcomes.INVALID_ADDRESS)
        if "" in keys:
            found |= {position: outcomes.MISSING_KEY for position, key in enumerate(keys) if not key}
        found |= flaws
        for position in found:
            keys[position] = ""
        return Checked(keys, emails, found)

    def values(self, rows: Sequence[Record], checked: Checked) -> list[Sequence[str]]:
        """The columns that `texts` names, and last the profiles where there are any.

        A profile is the JSON document of a patch: attribute number → stored value, null for one to be emptied.
        """
        rows = _padded(rows, self._all_columns)
        columns: list[Sequence[str]] = [checked.keys]
        if self._follower == "email":
            columns.append(checked.emails)
        elif self._follower:
            columns.append(address_keys(checked.emails))
        for column in self._mapped:
            columns.append(checked.emails if column is self._email else _values(rows, column))
        if self._events is not None:
            columns.append(_values(rows, self._events))
        if self.has_profile:
            columns.append(self._profiles(rows))
        return columns

    def _profiles(self, rows: Sequence[Record]) -> list[str]:
        patches: list[dict[str, str | None]] = [{} for _ in rows]
        for column, attribute in self._attributes:
            name, kind, most = str(attribute.id), attribute.kind, attribute.max_length
            for patch, given in zip(patches, _values(rows, column), strict=True):
                value = stored(kind, given, most)
                if value:
                    patch[name] = value
                elif value == "" and self._blanks_count:
                    patch[name] = None
        return [json.dumps(patch, ensure_ascii=False, separators=(",", ":")) for patch in patches]


def _padded(rows: Sequence[Record], columns: int) -> Sequence[Record]:
    """Rows with at least so many columns (mm-46)."""
    if min(map(len, rows), default=columns) >= columns:
        return rows
    return [row if len(row) >= columns else [*row, *[""] * (columns - len(row))] for row in rows]


def _values(rows: Sequence[Record], column: Column | None) -> list[str]:
    """One column of rows that have it; its default serves rows without a value (lk-69)."""
    if column is None:
        return [""] * len(rows)
    index, default = column.index, column.default
    values = [row[index] for row in rows]
    if default:
        values = [value if value and not value.isspace() else default for value in values]
    return values
