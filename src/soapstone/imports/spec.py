"""The spec of an import: the format of its file, the use of its columns, the treatment of known contacts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from soapstone.contacts.fields import FIELDS
from soapstone.errors import InvalidError
from soapstone.imports.charsets import charset
from soapstone.imports.opt_outs import Reader, is_opt_out, without_letters

# The prefix of a target that is a profile attribute of the list; its number follows.
ATTRIBUTE = "attribute:"

Action = Literal["add", "update", "remove", "remove_with_profile"]
Known = Literal["keep", "overwrite", "update", "append"]
Blocked = Literal["keep", "skip"]
IdentifiedBy = Literal["account", "email"]
Source = Literal["API", "File"]
# The parts of a whole name.
NamePart = Literal["first_name", "last_name"]
NAME_PARTS: tuple[NamePart, ...] = get_args(NamePart)

# The most lines above a header. Title rows are few.
MOST_SKIPPED = 1000
# The most columns of a file, as in a spreadsheet: shorter rows are padded up to the last one that is used.
MOST_COLUMNS = 16_384

CONTACT_COLUMNS = frozenset(FIELDS.values())


@dataclass(frozen=True, kw_only=True)
class Column:
    """One used column of the file.

    `index` counts from 0. `target` is a column of the contact ("email", "custom_id", "first_name" …) or
    "attribute:<id>", a profile attribute of the list. `default` replaces blank values (lk-69). `part` is "first_name"
    or "last_name" for that part of a whole name, else empty.
    """

    index: int
    target: str
    default: str = ""
    part: NamePart | Literal[""] = ""

    @property
    def attribute_id(self) -> int | None:
        """The number of the profile attribute; None for a column of the contact."""
        return int(self.target.removeprefix(ATTRIBUTE)) if self.target.startswith(ATTRIBUTE) else None


@dataclass(frozen=True, kw_only=True)
class OptOut:
    """A column of the file, from 0, that may hold opt-outs, and its heading: see imports.opt_outs."""

    index: int
    heading: str


def opt_outs_of(headings: Mapping[int, str]) -> tuple[OptOut, ...]:
    """Return the columns that may hold opt-outs, of these headings by column from 0."""
    found = without_letters({index: name for index, name in headings.items() if is_opt_out(name)})
    return tuple(OptOut(index=index, heading=name) for index, name in sorted(found.items()))


def opt_outs_alone(opt_outs: Iterable[OptOut], *, make_attributes: bool) -> set[int]:
    """Return the columns, from 0, that are for opt-outs alone.

    An ambiguous one, such as `Status`, also fills an attribute if attributes are created.
    """
    return {each.index for each in opt_outs if not (make_attributes and Reader(each.heading).doubtful)}


@dataclass(frozen=True, kw_only=True)
class ImportSpec:
    """One import.

    File: `header` says that the first row holds headings; `skip` lines above it are not read; `delimiter` is one
    character; `qualifier` is one character or empty for none; `encoding` is a name of imports.charsets, or empty to
    detect it: byte order mark, else UTF-8, else Windows-1252 (lk-68).

    `action`: "add" puts contacts on the list (or only stores them, without a list), "update" changes only members
    (lk-73), "remove" unsubscribes them, "remove_with_profile" clears their profile as well.

    `known` treats fields and profile of known contacts: "keep" leaves them alone (mm-58), "overwrite" takes all values
    of the row, blanks included, "update" takes values that are not blank, "append" fills only empty ones (lk-55).
    Columns that the file does not have stay in any case.

    `blocked`: "keep" stores suppressed and unsubscribed contacts and puts them on the list, still suppressed and
    unsubscribed (mm-59); "skip" counts them as such and leaves them alone (lk-75).

    `identified_by`: "account" uses the account's identifier (mm-53), "email" always the address (lk-75).

    `replace` removes members that are not in the file (mm-42, mm-60). `dry_run` counts and stores nothing (mm-52).
    `reject_roles` refuses addresses such as info@ (mm-55). `source` appears in reports (lk-94).

    `triggers` says that the import may raise external events (lk-81). `event_column` is the column (from 0) with those
    to raise for the row, as comma-separated numbers; `event_default` replaces blank values (lk-71).

    `opt_outs` are the columns with opt-outs. Such contacts are imported as unsubscribed from the list or, without a
    list, from everything. Imports of the two contracts use only those of our own exports (mm-45).

    `unused` are the reported headings of unused columns: see imports.columns.

    `repair` accepts forms such as `Name <address>` (soapstone.address_repair); imports of the two contracts take
    addresses unchanged (mm-53).
    """

    columns: tuple[Column, ...]
    header: bool = False
    delimiter: str = ","
    qualifier: str = '"'
    encoding: str = ""
    action: Action = "add"
    known: Known = "keep"
    blocked: Blocked = "keep"
    identified_by: IdentifiedBy = "account"
    replace: bool = False
    dry_run: bool = False
    reject_roles: bool = False
    source: Source = "API"
    triggers: bool = False
    event_column: int | None = None
    event_default: str = ""
    opt_outs: tuple[OptOut, ...] = ()
    unused: tuple[str, ...] = ()
    skip: int = 0
    repair: bool = False

    def key(self, identifier: str) -> str:
        """Return the column that identifies contacts, "email" or "custom_id", in an account with this identifier."""
        return "email" if self.identified_by == "email" else identifier

    @property
    def removes(self) -> bool:
        """Whether the import unsubscribes contacts."""
        return self.action in ("remove", "remove_with_profile")

    @property
    def may_refuse(self) -> bool:
        """Whether the merge may refuse a good row because of its contact."""
        return self.blocked == "skip" or self.action != "add"

    @property
    def has_own_suppressions(self) -> bool:
        """Whether a column of our own exports holds suppressions, beside the state on the list."""
        return any(column.heading.strip() == "suppression" for column in self.opt_outs)

    def document(self) -> dict[str, Any]:
        """Return the spec as a document for the job's request."""
        columns = {name: [asdict(each) for each in getattr(self, name)] for name in ("columns", "opt_outs")}
        return asdict(self) | columns

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> ImportSpec:
        """Build the spec from its `document`."""
        columns = tuple(Column(**column) for column in document["columns"])
        opt_outs = tuple(OptOut(**column) for column in document.get("opt_outs", ()))
        unused = tuple(document.get("unused", ()))
        return cls(**dict(document) | {"columns": columns, "opt_outs": opt_outs, "unused": unused})


_CHOICES: dict[str, tuple[str, ...]] = {
    "action": get_args(Action),
    "known": get_args(Known),
    "blocked": get_args(Blocked),
    "identified_by": get_args(IdentifiedBy),
    "source": get_args(Source),
}


def check(spec: ImportSpec, *, identifier: str, attributes: frozenset[int] | None) -> None:
    """Raise InvalidError for an invalid spec.

    `identifier` is the account's; `attributes` are the numbers of the list's profile attributes, None without a list.
    """
    for name, choices in _CHOICES.items():
        if getattr(spec, name) not in choices:
            raise InvalidError(f"{name} must be one of {', '.join(filter(None, choices))}.")
    check_form(spec.delimiter, spec.qualifier, spec.encoding, spec.skip)
    _check_columns(spec, spec.key(identifier), attributes or frozenset())
    if attributes is None and (spec.removes or spec.replace):
        raise InvalidError("An import that removes or replaces members needs a list.")
    if spec.replace and spec.action != "add":
        raise InvalidError("Only an import that adds people can replace the members of a list.")


def check_form(delimiter: str, qualifier: str, encoding: str, skip: int) -> None:
    """Raise InvalidError for an impossible file format; arguments as in ImportSpec."""
    if len(delimiter) != 1 or delimiter in "\r\n\0":
        raise InvalidError("The delimiter must be one character and not a line break.")
    if len(qualifier) > 1 or (qualifier and qualifier in "\r\n\0"):
        raise InvalidError("The text qualifier must be one character, or empty for none, and not a line break.")
    if qualifier == delimiter:
        raise InvalidError("The delimiter and the text qualifier must differ.")
    if not 0 <= skip <= MOST_SKIPPED:
        raise InvalidError(f"At most {MOST_SKIPPED:,} lines can stand above the header.")
    if encoding:
        charset(encoding)


def _check_columns(spec: ImportSpec, key: str, attributes: frozenset[int]) -> None:
    targets = set()
    places = [column.index for column in spec.columns]
    for place in places if spec.event_column is None else (*places, spec.event_column):
        if place < 0:
            raise InvalidError("Columns of the file are counted from 0.")
        if place >= MOST_COLUMNS:
            raise InvalidError(f"A file may have {MOST_COLUMNS:,} columns; {place}, counted from 0, is beyond them.")
    for column in spec.columns:
        if column.target in targets:
            raise InvalidError(f"Two columns of the file go to {column.target}.")
        targets.add(column.target)
        if column.target.startswith(ATTRIBUTE):
            number = column.target.removeprefix(ATTRIBUTE)
            if not (number.isascii() and number.isdecimal() and int(number) in attributes):
                raise InvalidError(f"The list has no profile attribute {number}.")
        elif column.target not in CONTACT_COLUMNS:
            raise InvalidError(f"A contact has no field {column.target}.")
    others = [spec.event_column or 0, *(column.index for column in spec.opt_outs)]
    if min(others) < 0:
        raise InvalidError("Columns of the file are counted from 0.")
    if spec.opt_outs and spec.removes:
        raise InvalidError("An import that removes people takes no opt-outs from the file.")
    if key not in targets:
        what = "the e-mail address" if key == "email" else "the custom member id"
        raise InvalidError(f"One column of the file must hold {what}: it tells people apart.")
