"""The columns of a file by their headings: the field of the contact, or attribute of the list, that each one fills.

`headings.HEADINGS` is the table of all interfaces. Only letters and digits of a heading count, ignoring letter case and
accents: `First Name`, `first_name` and `FirstName` are one heading, and so are `Prénom` and `prenom`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from soapstone.address_repair import repaired
from soapstone.addresses import invalid
from soapstone.contacts.fields import field_column
from soapstone.errors import InvalidError
from soapstone.imports.headings import HEADINGS, WHOLE_NAMES
from soapstone.imports.own_columns import added_columns, attribute_target
from soapstone.imports.spec import ATTRIBUTE, NAME_PARTS, Column
from soapstone.lists.names import LONGEST_NAME
from soapstone.lists.profiles import ProfileAttribute

# The attribute that keeps such a column, and the profile header of attributes that imports make.
NAME_ATTRIBUTE = "Name"
NEW_HEADER = "Imported"
# Most attributes that an import creates.
MOST_NEW = 100
# Reported headings: at most so many, of so many characters each.
MOST_TOLD, LONGEST_TOLD = 100, 100
# Those in a sentence.
FEW_TOLD = 20


def plain_heading(heading: str) -> str:
    """Return the comparable form of a heading: its letters and digits, without letter case and accents."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", heading.casefold())))


# Plain heading → column of the contact, and its rank among the headings of that column.
_FIELDS = {plain_heading(name): (column, rank) for column, names in HEADINGS.items() for rank, name in enumerate(names)}
_WHOLE_NAMES = {plain_heading(name): rank for rank, name in enumerate(WHOLE_NAMES)}


def heading_column(heading: str) -> str | None:
    """Return the contact's column of a heading; None if the table does not have it."""
    return _FIELDS.get(plain_heading(heading), (None, 0))[0]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The use of a file's columns, which count from 0.

    `new` are the attributes that the import creates, by column. `unused` are the headings of unused columns. `doubled`
    are names of attributes that the file's columns do not fill, because a field of the contact has the same name.
    """

    columns: tuple[Column, ...]
    new: Mapping[int, str] = field(default_factory=dict)
    unused: Mapping[int, str] = field(default_factory=dict)
    doubled: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[str, ...]:
        """The unused headings as stored with the job: bounded, and without characters that databases refuse."""
        return shortened(self.unused.values())

    def making(self, indexes: Iterable[int]) -> Plan:
        """Return the plan with new attributes for unused columns whose headings are possible names of attributes.

        Raises InvalidError for two columns of one name, and for too many of them.
        """
        new = dict(self.new)
        taken = {name.casefold() for name in new.values()}
        for index in indexes:
            name = self.unused[index]
            if not _can_name_an_attribute(name):
                continue
            if name.casefold() in taken:
                raise InvalidError(
                    f"Two columns of the file are called {_short(name)}: one attribute cannot take both."
                )
            taken.add(name.casefold())
            new[index] = name
        if len(new) > MOST_NEW:
            raise InvalidError(f"An import makes at most {MOST_NEW} attributes, not {len(new)}.")
        return replace(self, new=new, unused={i: name for i, name in self.unused.items() if i not in new})


class Headings:
    """Maps the headings of files for one list; `attributes` are those of the list, None without a list.

    A heading means, in this order: `attribute:N` or `attribute:NAME`; a field by the contract's own name (mm-43); the
    address, unless another column fits better; an attribute by its name; an entry of `HEADINGS`; a whole name. So only
    `attribute:NAME` fills an attribute with the name of a field, as exports write it and merge fields read it.

    Whole names go to the attribute "Name", created if the list lacks it. With `splits_names` they fill first and last
    name instead. `may_make` allows new attributes; `can_make` also needs a list for them.
    """

    def __init__(
        self,
        attributes: Sequence[ProfileAttribute] | None,
        *,
        may_make: bool = True,
        splits_names: bool = False,
    ) -> None:
        self._by_name = {each.name.casefold(): f"{ATTRIBUTE}{each.id}" for each in attributes or ()}
        self._by_plain: dict[str, str] = {}
        for each in attributes or ():
            plain = plain_heading(each.name)
            # Two names with one comparable form are ambiguous: neither is used.
            self._by_plain[plain] = "" if plain in self._by_plain else f"{ATTRIBUTE}{each.id}"
        self._by_plain.pop("", None)
        self.can_make = may_make and attributes is not None
        self._splits_names = splits_names

    def target(self, heading: str) -> str | None:
        """Return the target of a single heading or name of a field; None if unknown."""
        heading = heading.strip()
        return (
            attribute_target(heading, self._by_name)
            or field_column(heading)
            or self._attribute(heading)
            or heading_column(heading)
        )

    def named(self, names: Mapping[int, str], ignored: Collection[int] = (), *, make_attributes: bool = False) -> Plan:
        """Return the plan for columns that the caller has named; unnamed and `ignored` ones are unused.

        Raises InvalidError for an unknown name, unless attributes are created.
        """
        given = {index: name.strip() for index, name in names.items() if name.strip()}
        columns, rest = [], {}
        for index, name in given.items():
            target = self.target(name)
            if target is not None:
                columns.append(Column(index=index, target=target))
            elif index not in ignored:
                rest[index] = name
        plan = self._with_whole_name(Plan(columns=tuple(columns), unused=rest))
        if make_attributes:
            plan = plan.making(plan.unused)
        if plan.unused:
            raise InvalidError(f"There is no field or attribute {_short(next(iter(plan.unused.values())))}.")
        return plan

    def read(self, names: Mapping[int, str], key: str, ignored: Collection[int] = ()) -> Plan:
        """Return the plan for the header line of a file. Of the columns in `ignored` only those with a field are used,
        and none that our own files have added.

        Raises InvalidError if no column holds `key`, the contact's column that identifies it.
        """
        added = added_columns(list(names.values()))
        left = {index: name.strip() for index, name in names.items() if name.strip() and index not in added}
        columns: list[Column] = []

        def take(index: int, target: str) -> None:
            columns.append(Column(index=index, target=target))
            del left[index]

        def best(found: Mapping[int, tuple[str, int]]) -> None:
            """Take the columns of the best rank for each target; two of the same rank are refused later."""
            ranks: dict[str, int] = {}
            for target, rank in found.values():
                ranks[target] = min(rank, ranks.get(target, rank))
            for index, (target, rank) in found.items():
                if rank == ranks[target]:
                    take(index, target)

        for index, name in list(left.items()):
            target = attribute_target(name, self._by_name) or field_column(name)
            if target is not None:
                take(index, target)
        doubled = [names[c.index].strip() for c in columns if names[c.index].strip().casefold() in self._by_name]
        fields = {index: _FIELDS[plain] for index, name in left.items() if (plain := plain_heading(name)) in _FIELDS}
        if not any(column.target == "email" for column in columns):
            best({index: found for index, found in fields.items() if found[0] == "email"})
        attributes = {
            index: (target, 0) for index, name in left.items() if (target := self._by_name.get(name.casefold()))
        }
        for index, name in left.items():
            if index not in attributes and (target := self._by_plain.get(plain_heading(name))):
                attributes[index] = (target, 1)
        used = {column.target for column in columns}
        best({index: found for index, found in attributes.items() if found[0] not in used})
        used = {column.target for column in columns}
        best({index: found for index, found in fields.items() if index in left and found[0] not in used})
        if key not in {column.target for column in columns}:
            raise InvalidError(_without(key, names.values()))
        rest = {index: name for index, name in left.items() if index not in ignored}
        used = {column.target for column in columns}
        doubled = [name for name in doubled if self._by_name[name.casefold()] not in used]
        return self._with_whole_name(Plan(columns=tuple(columns), unused=rest, doubled=tuple(doubled)))

    def _attribute(self, name: str) -> str | None:
        return self._by_name.get(name.casefold()) or self._by_plain.get(plain_heading(name)) or None

    def _with_whole_name(self, plan: Plan) -> Plan:
        """Use the best column of whole names, unless first and last name have columns of their own.

        "Name" beside a first name is the last name, and vice versa.
        """
        used = {column.target: column.index for column in plan.columns}
        missing = [part for part in NAME_PARTS if part not in used]
        found = {
            index: plain_heading(name) for index, name in plan.unused.items() if plain_heading(name) in _WHOLE_NAMES
        }
        # An attribute may have taken the column already.
        kept = used.get(self._attribute(NAME_ATTRIBUTE) or "")
        if not missing or not (found or kept is not None):
            return plan
        index = kept if kept is not None else min(found, key=lambda each: _WHOLE_NAMES[found[each]])
        columns, new, unused = list(plan.columns), dict(plan.new), dict(plan.unused)
        if kept is None and len(missing) == 1 and found[index] == plain_heading("Name"):
            columns.append(Column(index=index, target=missing[0]))
        elif self._splits_names:
            columns += [Column(index=index, target=part, part=part) for part in missing]
        elif kept is not None or not self.can_make:
            return plan
        elif attribute := self._attribute(NAME_ATTRIBUTE):
            columns.append(Column(index=index, target=attribute))
        else:
            new[index] = NAME_ATTRIBUTE
        unused.pop(index, None)
        return replace(plan, columns=tuple(columns), new=new, unused=unused)


def shortened(headings: Iterable[str]) -> tuple[str, ...]:
    """Return headings for reports: bounded, and without characters that databases refuse."""
    return tuple(_short(name) for name, _ in zip(headings, range(MOST_TOLD), strict=False))


def _short(name: str) -> str:
    name = name.encode("utf-8", "replace").decode().replace("\0", "\ufffd").strip()
    return name if len(name) <= LONGEST_TOLD else f"{name[: LONGEST_TOLD - 1]}…"


def _can_name_an_attribute(name: str) -> bool:
    """Return whether an attribute may have this name and this heading in a file would mean it."""
    storable = "\0" not in name and not any("\ud800" <= character <= "\udfff" for character in name)
    return storable and len(name) <= LONGEST_NAME and not name.startswith(ATTRIBUTE) and field_column(name) is None


def _without(key: str, names: Iterable[str]) -> str:
    """Return the message that no column holds the key, with the present and the accepted headings."""
    what = "the e-mail address" if key == "email" else "the custom member id"
    given = shortened(name for name in names if name.strip())
    shown = ", ".join(given[:FEW_TOLD]) + (" …" if len(given) > FEW_TOLD else "")
    has = f"The file has the headings {shown}." if given else "The file has no headings."
    accepted = ", ".join(HEADINGS[key]) if key == "email" else "Custom_Member_Id"
    if key == "email" and not all(invalid([repaired(name)]) for name in given):
        has += " An address is among them: if the file has no header, name its columns."
    return f"One column of the file must hold {what}: it tells people apart. {has} Accepted are: {accepted}."
