"""What an import is asked to do: the shape of its file, the use of its columns, the fate of people already known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from soapstone.contacts.fields import FIELDS
from soapstone.errors import InvalidError
from soapstone.imports.charsets import charset
from soapstone.imports.opt_outs import Reader, is_opt_out

# A column whose target begins so fills a profile attribute of the list; its number follows.
ATTRIBUTE = "attribute:"

Action = Literal["add", "update", "remove", "remove_with_profile"]
Known = Literal["keep", "overwrite", "update", "append"]
# What a whole name is split into.
NamePart = Literal["first_name", "last_name"]
NAME_PARTS: tuple[NamePart, ...] = ("first_name", "last_name")

# The most lines above a header. Title rows are few.
MOST_SKIPPED = 1000

CONTACT_COLUMNS = frozenset(FIELDS.values())


@dataclass(frozen=True, kw_only=True)
class Column:
    """One used column of the file.

    `index` counts from 0. `target` is a column of the contact ("email", "custom_id", "first_name" …) or
    "attribute:<id>", a profile attribute of the list. `default` serves rows without a value (lk-69). `part` is
    "first_name" or "last_name" for that part of a whole name, else empty.
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
    """A column of the file, from 0, that may say who gets no mail, and its heading: see imports.opt_outs."""

    index: int
    heading: str


def opt_outs_of(headings: Mapping[int, str]) -> tuple[OptOut, ...]:
    """Return the columns that may say who gets no mail, of these headings by column from 0."""
    return tuple(OptOut(index=index, heading=name) for index, name in sorted(headings.items()) if is_opt_out(name))


def opt_outs_alone(opt_outs: Iterable[OptOut], *, make_attributes: bool) -> set[int]:
    """Return the columns, from 0, that are for opt-outs and nothing else.

    One that may mean something else, such as `Status`, is kept in an attribute too where attributes are made.
    """
    return {each.index for each in opt_outs if not (make_attributes and Reader(each.heading).doubtful)}


@dataclass(frozen=True, kw_only=True)
class ImportSpec:
    """One import.

    File: `header` says that the first row holds headings; `skip` lines stand above it and are not read; `delimiter` is
    one character; `qualifier` is one character or empty for none; `encoding` is a name of imports.charsets, or empty to
    find out: byte order mark, else UTF-8, else Windows-1252 (lk-68).

    `action`: "add" puts people on the list (or only stores them, without a list), "update" touches only those who are
    on it (lk-73), "remove" unsubscribes them, "remove_with_profile" clears their profile as well.

    `known` says what happens to the record and profile of somebody who is known already: "keep" leaves them alone
    (mm-58), "overwrite" takes the row as the truth, blanks included, "update" replaces by values that are not blank,
    "append" fills only what is empty (lk-55). Columns that the file does not have stay in any case.

    `blocked`: "keep" stores suppressed and unsubscribed people and puts them on the list, where they stay suppressed
    and unsubscribed (mm-59); "skip" counts them as such and leaves them alone (lk-75).

    `identified_by`: "account" follows the account's identifier (mm-53), "email" goes by the address always (lk-75).

    `replace`: who is on the list and not in the file leaves it (mm-42, mm-60). `dry_run` counts and stores nothing
    (mm-52). `reject_roles` refuses addresses such as info@ (mm-55). `source` is told in reports (lk-94).

    `triggers` says that the import was asked for by a call that may raise external events (lk-81). `event_column` is
    the column (from 0) with those to raise for the row, numbers with commas between them; `event_default` serves rows
    without (lk-71).

    `opt_outs` are the columns that say who gets no mail. Such people come as unsubscribed, on the list or, without a
    list, altogether. Imports of the two contracts have none but those of our own exports (mm-45).

    `unused` are headings of the file that nothing uses, as they are told: see imports.columns.

    `repair` takes addresses as people write them, `Name <address>` and the like (soapstone.address_repair); those
    of the two contracts are taken as they are (mm-53).
    """

    columns: tuple[Column, ...]
    header: bool = False
    delimiter: str = ","
    qualifier: str = '"'
    encoding: str = ""
    action: Action = "add"
    known: Known = "keep"
    blocked: Literal["keep", "skip"] = "keep"
    identified_by: Literal["account", "email"] = "account"
    replace: bool = False
    dry_run: bool = False
    reject_roles: bool = False
    source: Literal["API", "File"] = "API"
    triggers: bool = False
    event_column: int | None = None
    event_default: str = ""
    opt_outs: tuple[OptOut, ...] = ()
    unused: tuple[str, ...] = ()
    skip: int = 0
    repair: bool = False

    def key(self, identifier: str) -> str:
        """Return the column that tells people apart, "email" or "custom_id", in an account with this identifier."""
        return "email" if self.identified_by == "email" else identifier

    @property
    def removes(self) -> bool:
        """Whether the import takes people off the list's mail."""
        return self.action in ("remove", "remove_with_profile")

    @property
    def may_refuse(self) -> bool:
        """Whether a good row may be refused for what the records say of its contact."""
        return self.blocked == "skip" or self.action != "add"

    @property
    def has_own_suppressions(self) -> bool:
        """Whether a column of our own exports says whose address gets nothing, beside the state on the list."""
        return any(column.heading.strip() == "suppression" for column in self.opt_outs)

    def document(self) -> dict[str, Any]:
        """Return the spec as a document for the job's request."""
        columns = {name: [asdict(each) for each in getattr(self, name)] for name in ("columns", "opt_outs")}
        return asdict(self) | columns

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> ImportSpec:
        """Return the spec that `document` made."""
        columns = tuple(Column(**column) for column in document["columns"])
        opt_outs = tuple(OptOut(**column) for column in document.get("opt_outs", ()))
        unused = tuple(document.get("unused", ()))
        return cls(**dict(document) | {"columns": columns, "opt_outs": opt_outs, "unused": unused})


_CHOICES: dict[str, tuple[str, ...]] = {
    "action": ("add", "update", "remove", "remove_with_profile"),
    "known": ("keep", "overwrite", "update", "append"),
    "blocked": ("keep", "skip"),
    "identified_by": ("account", "email"),
    "source": ("API", "File"),
}


def check(spec: ImportSpec, *, identifier: str, attributes: frozenset[int] | None) -> None:
    """Raise InvalidError for a spec that cannot work.

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
    """Raise InvalidError for a file that cannot be written so; the four are those of ImportSpec."""
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
    for column in spec.columns:
        if column.index < 0:
            raise InvalidError("Columns of the file are counted from 0.")
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
