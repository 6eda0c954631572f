"""Rows: the fields of records, checked and mapped by the spec, a column at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from operator import add, itemgetter
from typing import Any, NamedTuple

from soapstone.address_repair import repaired
from soapstone.addresses import address_keys, invalid, roles
from soapstone.clock import EPOCH
from soapstone.imports.opt_out_meanings import OUT, STRENGTH, Meaning
from soapstone.imports.opt_outs import Reader, time_of
from soapstone.imports.spec import Column, ImportSpec
from soapstone.lists.profile_values import ProfileAttribute, emptied, fits, is_cut, stored
from soapstone.vocabulary.attributes import AttributeKind
from soapstone.vocabulary.rows import ImportOutcome

Record = Sequence[str]

# White space beside an address that is no error.
_WHITE_SPACE = " \t\n\r\v\f"

# No text of a file holds it.
BETWEEN = "\0"
# Plain characters without which no address is repaired, if there is no white space beside it.
_DECORATION = ";,<>\"':"

# The column of a stage with the external events that a row raises.
EVENTS = "events"
# Those with a row's opt-out and its time: microseconds since 1970, or nothing.
OPT_OUT, OPTED_OUT_AT = "opt_out", "opted_out_at"


class Checked(NamedTuple):
    """Checked rows: the key and the address of each, and the flaws of some (position → outcome).

    A row with a flaw has no key. `opt_outs` is the meaning of each row, empty if the file has no opt-outs. `repaired`
    are the positions of the rows whose address was repaired.
    """

    keys: list[str]
    emails: list[str]
    flaws: dict[int, str]
    opt_outs: list[Meaning]
    repaired: set[int]

    def at(self, positions: Sequence[int]) -> Checked:
        """Return rows without flaws, in the order of these positions."""
        keys, emails = ([each[position] for position in positions] for each in (self.keys, self.emails))
        opt_outs = [self.opt_outs[position] for position in positions] if self.opt_outs else []
        return Checked(keys, emails, {}, opt_outs, set())

    @property
    def ranks(self) -> list[int]:
        """The rank of each row among those of its contact: an opt-out wins at any position."""
        return [OUT.get(meaning, 0) for meaning in self.opt_outs]


class Rows:
    """Reads rows by a spec. `key` is the column that identifies contacts, "email" or "custom_id".

    `columns` are the contact's columns that a row fills besides the key; `has_profile` says whether it fills profile
    attributes; `key_columns` is the number of columns of the file, from the first, needed to check rows, `all_columns`
    to use them; `texts` are the names of the columns of `values`, `record` those that belong to the contact besides the
    key.

    `misfits`, after `values`, are the positions of rows with a key whose value does not fit its attribute, by the
    attribute's number.
    """

    def __init__(self, spec: ImportSpec, key: str, attributes: Sequence[ProfileAttribute]) -> None:
        self.key = key
        self._mapped = [column for column in spec.columns if column.attribute_id is None and column.target != key]
        self.columns = [column.target for column in self._mapped]
        by_target = {column.target: column for column in spec.columns}
        self._email = by_target.get("email")
        self._custom_id = by_target.get("custom_id") if key == "custom_id" else None
        kinds = {attribute.id: attribute for attribute in attributes}
        # Values of an attribute that was deleted since the submission are dropped.
        self._attributes = [
            (column, kinds[column.attribute_id]) for column in spec.columns if column.attribute_id in kinds
        ]
        self.has_profile = bool(self._attributes)
        self.misfits: dict[int, list[int]] = {}
        self.has_blocks = any(attribute.kind == AttributeKind.CONTENT_BLOCK for _, attribute in self._attributes)
        # The address and its comparable form, unless they are the key.
        self._follower = "email" if self._custom_id is None else "email_key" if self._email is not None else ""
        self._events = None
        if spec.event_column is not None:
            self._events = Column(index=spec.event_column, target=EVENTS, default=spec.event_default)
        self.record = [*filter(None, [self._follower]), *self.columns]
        self._opt_outs = [(column.index, Reader(column.heading)) for column in spec.opt_outs]
        # Columns used for opt-outs alone, and their headings.
        taken = {column.index for column in spec.columns}
        self._only_opt_outs = {each.index: each.heading for each in spec.opt_outs if each.index not in taken}
        self.meaningless: list[str] = []
        self.texts = ["key", *self.record, *([EVENTS] if self._events else [])]
        self.texts += [OPT_OUT, OPTED_OUT_AT] if self._opt_outs else []
        checked = [column.index for column in (self._email, self._custom_id) if column is not None]
        self.key_columns = 1 + max([*checked, *(index for index, _ in self._opt_outs)])
        used = [*spec.columns, *([self._events] if self._events else [])]
        self.all_columns = max(self.key_columns, 1 + max(column.index for column in used))
        self._reject_roles = spec.reject_roles
        self._repairs = spec.repair
        # Removing other white space counts as a repair.
        self._space = _WHITE_SPACE if spec.repair else None
        self._blanks_count = spec.known == "overwrite"

    @property
    def has_events(self) -> bool:
        """Whether rows may raise external events."""
        return self._events is not None

    @property
    def has_opt_outs(self) -> bool:
        """Whether columns may hold opt-outs."""
        return bool(self._opt_outs)

    @property
    def asks(self) -> bool:
        """Whether what some of these columns mean depends on all values of the file."""
        return any(reader.asks for _, reader in self._opt_outs)

    def notice(self, rows: Sequence[Record]) -> bool:
        """Collect some rows of the file for `settle`; False if it needs no more."""
        wanted = [(index, reader) for index, reader in self._opt_outs if reader.asks and not reader.decided]
        rows = _padded(rows, self.key_columns)
        for index, reader in wanted:
            reader.notice({row[index] for row in rows})
        return bool(wanted)

    def settle(self) -> None:
        """Decide which of the ambiguous columns hold opt-outs; drop the others.

        `meaningless` are the headings of dropped columns with values.
        """
        settled = [each for each in self._opt_outs if not each[1].asks or each[1].settle()]
        none = [each for each in self._opt_outs if each not in settled]
        self.meaningless = [self._only_opt_outs[i] for i, reader in none if reader.seen and i in self._only_opt_outs]
        self._opt_outs = settled

    def unchecked_keys(self, rows: Sequence[Record], flaws: Mapping[int, str]) -> list[str] | None:
        """Return the keys of plain rows without a check of their addresses: of those by `is_key`, each is that of
        `check`, and `check` has none for the others. None if `check` must tell.

        In a file without duplicates no key has to be checked before its row is.
        """
        if self.key != "email" or self._opt_outs or not rows:
            return None
        emails = [value.strip(self._space) for value in _values(_padded(rows, self.key_columns), self._email)]
        joined = BETWEEN.join(emails)
        # What a repair might change, and labels of the DNS that are decoded, take the long way.
        if not joined.isascii() or "--" in joined or (self._repairs and any(each in joined for each in _DECORATION)):
            return None
        keys = joined.lower().split(BETWEEN)
        if joined.count("@") < len(keys):
            # Such as "unknown" in most rows: one key that recurs all the time would be held in memory.
            keys = [key if "@" in key else "" for key in keys]
        for position in flaws:
            keys[position] = ""
        return keys

    def is_key(self, key: str) -> bool:
        """Return whether `check` keeps this key of `unchecked_keys`."""
        return not invalid([key]) and not (self._reject_roles and roles([key]))

    def check(self, rows: Sequence[Record], flaws: Mapping[int, str]) -> Checked:
        """Check rows, of which some have flaws already."""
        rows = _padded(rows, self.key_columns)
        emails = [value.strip(self._space) for value in _values(rows, self._email)]
        wrong = invalid(emails)
        fixed: list[int] = []
        if self._repairs and wrong:
            for position in wrong:
                if (email := repaired(emails[position])) != emails[position]:
                    emails[position] = email
                    fixed.append(position)
            wrong = sorted(set(wrong).difference(fixed))
        compared = address_keys(emails)
        meanings = self._meanings(rows)
        found: dict[int, str] = {}
        if self._reject_roles:
            # An opt-out subscribes no contact, so it is accepted: a member would stay subscribed otherwise.
            refused = [position for position in roles(compared) if not meanings or meanings[position] not in OUT]
            found = dict.fromkeys(refused, ImportOutcome.ROLE_ADDRESS)
        if self._custom_id is not None:
            keys = [value.strip() for value in _values(rows, self._custom_id)]
            # The address is not the key here, and may be missing.
            wrong = [position for position in wrong if emails[position]]
        else:
            keys = compared
        found |= dict.fromkeys(wrong, ImportOutcome.INVALID_ADDRESS)
        if "" in keys:
            found |= {position: ImportOutcome.MISSING_KEY for position, key in enumerate(keys) if not key}
        if "unclear" in meanings:
            unclear = [position for position, meaning in enumerate(meanings) if meaning == "unclear"]
            found = dict.fromkeys(unclear, ImportOutcome.UNCLEAR_OPT_OUT) | found
        found |= flaws
        for position in found:
            keys[position] = ""
        return Checked(keys, emails, found, meanings, set(fixed))

    def _meanings(self, rows: Sequence[Record]) -> list[Meaning]:
        """Return the opt-out of each row: the strongest meaning of all its columns."""
        columns = [reader.meanings([row[index] for row in rows]) for index, reader in self._opt_outs]
        if len(columns) < 2:
            return columns[0] if columns else []
        return [max(several, key=STRENGTH.__getitem__) for several in zip(*columns, strict=True)]

    def _since(self, row: Record) -> str:
        """Return the time of a row's opt-out; empty if its columns lack it."""
        for index, reader in self._opt_outs:
            if reader.read(row[index]) in OUT and (moment := time_of(row[index])) is not None:
                return str((moment - EPOCH) // timedelta(microseconds=1))
        return ""

    @property
    def plain(self) -> bool:
        """Whether the `values` of a row are just its key, its address, and fields as they stand."""
        usual = self.key == "email" and not any(column.part or column.default for column in self._mapped)
        return usual and len(self.texts) == 2 + len(self._mapped) and not self.has_profile

    def plain_lines(
        self,
        records: Sequence[str],
        split: Callable[[str], Record],
        checked: Checked,
        order: Sequence[int],
        numbers: Sequence[object],
        *,
        whole: bool,
    ) -> Iterator[Sequence[Any]]:
        """Yield the key, the number and the `values` of the plain rows at the positions of `order`, with these numbers.

        `split` returns the fields of a record. `whole` says that each has at least `all_columns` of them.
        """
        self.misfits = {}
        keys, emails = (map(each.__getitem__, order) for each in (checked.keys, checked.emails))
        heads = zip(keys, numbers, emails, strict=True)
        rows: Iterator[Record] = map(split, map(records.__getitem__, order))
        if not whole:
            # Otherwise without a step of Python's own for each row.
            rows = (_padded([row], self.all_columns)[0] for row in rows)
        return map(add, heads, map(self._picked(), rows))

    def _picked(self) -> Callable[[Record], tuple[str, ...]]:
        indexes = [column.index for column in self._mapped]
        if len(indexes) < 2:
            return lambda row: tuple([row[index] for index in indexes])
        return itemgetter(*indexes)

    def values(self, rows: Sequence[Record], checked: Checked) -> list[Sequence[str]]:
        """Return the columns of `texts`, and last the profiles if any.

        A profile is the JSON document of a patch: attribute number → stored value, null to clear it.
        """
        rows = _padded(rows, self.all_columns)
        columns: list[Sequence[str]] = [checked.keys]
        if self._follower == "email":
            columns.append(checked.emails)
        elif self._follower:
            columns.append(address_keys(checked.emails))
        for column in self._mapped:
            columns.append(checked.emails if column is self._email else _values(rows, column))
        if self._events is not None:
            columns.append(_values(rows, self._events))
        if OPT_OUT in self.texts:
            opt_outs = checked.opt_outs or [""] * len(rows)
            columns.append(opt_outs)
            columns.append(
                [self._since(row) if meaning in OUT else "" for row, meaning in zip(rows, opt_outs, strict=True)]
            )
        if self.has_profile:
            columns.append(self._profiles(rows, checked.keys))
        return columns

    def _profiles(self, rows: Sequence[Record], keys: Sequence[str]) -> list[str]:
        patches: list[dict[str, str | None]] = [{} for _ in rows]
        self.misfits = {}
        for column, attribute in self._attributes:
            name, kind, most = str(attribute.id), attribute.kind, attribute.max_length
            # Our own exports leave a box blank that was never set; in the contracts blank is off (lk-47).
            blank = None if self._repairs else emptied(kind) or None
            found, unfit = _values(rows, column), False
            for patch, given in zip(patches, found, strict=True):
                value = stored(kind, given, most)
                if value:
                    patch[name] = value
                elif value is None:
                    unfit = True
                elif self._blanks_count:
                    patch[name] = blank
            if unfit or (most and is_cut(kind) and max(map(len, found), default=0) > most):
                self.misfits[attribute.id] = [
                    position for position, given in enumerate(found) if keys[position] and not fits(kind, given, most)
                ]
        return [json.dumps(patch, ensure_ascii=False, separators=(",", ":")) for patch in patches]


def _padded(rows: Sequence[Record], columns: int) -> Sequence[Record]:
    """Pad rows to at least so many columns (mm-46)."""
    if min(map(len, rows), default=columns) >= columns:
        return rows
    return [row if len(row) >= columns else [*row, *[""] * (columns - len(row))] for row in rows]


def _values(rows: Sequence[Record], column: Column | None) -> list[str]:
    """Return one column of padded rows, or a part of it, with its default for blank values (lk-69)."""
    if column is None:
        return [""] * len(rows)
    index, default = column.index, column.default
    values = [row[index] for row in rows]
    if column.part:
        first = column.part == "first_name"
        values = [name_parts(value)[0 if first else 1] for value in values]
    if default:
        values = [value if value and not value.isspace() else default for value in values]
    return values


def name_parts(name: str) -> tuple[str, str]:
    """Split a whole name into first and last name: at its comma (`Lee, Ann`), else behind its first word."""
    last, comma, first = name.partition(",")
    if not comma:
        first, _, last = name.strip().partition(" ")
    return first.strip(), last.strip()
